// What a client does with a server, one cell a behaviour, whichever the eras of the two.
// A cell gets {client, wire, local, remote, direct}.

import assert from "node:assert/strict";
import { ELICITED, ROOT, SAMPLED } from "./client.js";

const NOTE = "interop://note";
const WORDS = "Grüße, 世界 🌍 \u2028 \"quoted\" \\ \t end";
const STEPS = 20;
const ECHO = ["echo", { message: WORDS }];
const notification = (method, test = () => true) => (m) => m.method === method && test(m.params ?? {});

export const cells = {
  async connect({ client, local }) {
    assert.equal(client.version, local.version, "the version that the client goes by");
    assert.equal(client.sdkClient.getServerVersion()?.name, "interop-eras", "the name of the server");
    const { tools, resources } = client.sdkClient.getServerCapabilities();
    assert.equal(tools?.listChanged, true, "tools.listChanged is declared");
    assert.equal(resources?.subscribe, true, "resources.subscribe is declared");
  },

  async list({ client: { sdkClient } }) {
    const { tools } = await sdkClient.listTools();
    for (const name of ["echo", "progress", "sample", "hang"])
      assert.ok(tools.some((tool) => tool.name === name), `tool ${name} is listed`);
    const { prompts } = await sdkClient.listPrompts();
    assert.deepEqual(prompts.map((prompt) => prompt.name), ["greet"]);
    const { resources } = await sdkClient.listResources();
    assert.deepEqual(resources.map((resource) => resource.uri), [NOTE]);
    const { resourceTemplates } = await sdkClient.listResourceTemplates();
    assert.deepEqual(resourceTemplates.map((template) => template.uriTemplate), ["interop://item/{id}"]);
  },

  async call({ client }) {
    assert.equal(await client.call(...ECHO), WORDS);
    const { messages } = await client.sdkClient.getPrompt({ name: "greet", arguments: { name: "Łucja" } });
    assert.equal(messages[0].content.text, "Greet Łucja");
    const { contents } = await client.sdkClient.readResource({ uri: "interop://item/42" });
    assert.equal(contents[0].text, "item 42");
  },

  async progress({ client }) {
    const from = client.received.length;
    await client.call("progress", { steps: STEPS }, { onprogress: () => {} });
    // As the messages came in: the SDK itself drops progress that arrives together with the result.
    const messages = client.received.slice(from);
    const before = messages.slice(0, messages.findIndex((m) => m.result));
    const steps = before.filter(notification("notifications/progress")).map((m) => m.params.progress);
    assert.deepEqual(steps, Array.from({ length: STEPS }, (_, i) => i + 1), "progress before the result");
  },

  async "calls side by side"({ client }) {
    assert.deepEqual(await Promise.all([client.call("meet"), client.call("meet")]), ["met", "met"]);
  },

  async logging({ client, local }) {
    const options = await local.logFrom(client.sdkClient, "warning");
    const from = client.received.length;
    await client.call("log", {}, options);
    await client.until(notification("notifications/message", (p) => p.data === "loud"), "the log message", from);
    const said = client.received.filter(notification("notifications/message")).map((m) => m.params.data);
    assert.deepEqual(said, ["loud"], "only what is as severe as was asked for");
  },

  async sampling({ client }) {
    const { params } = await asking(client, "sample", SAMPLED);
    assert.equal(params.messages[0].content.text, "say something");
  },

  async "elicitation form"({ client }) {
    const { params } = await asking(client, "elicit_form", ELICITED.name);
    assert.equal(params.message, "Who are you?");
    assert.deepEqual(params.requestedSchema.required, ["name"]);
  },

  async "elicitation url"({ client, local }) {
    const { params } = await asking(client, "elicit_url", "accept");
    assert.equal(params.mode, "url");
    assert.equal(params.url, "https://interop.example/sign-in?state=a%2Fb");
    if (local.version === "2025-11-25") assert.equal(typeof params.elicitationId, "string", "2025-11-25 wants an elicitationId");
  },

  async roots({ client }) {
    await asking(client, "roots", ROOT.uri);
  },

  async "questions of two rounds"({ client }) {
    const from = client.asked.length;
    const [roots, first, second] = JSON.parse(await client.call("two_rounds"));
    assert.deepEqual(roots.roots, [ROOT]);
    for (const { content } of [first, second]) assert.equal(content.text, SAMPLED);
    const asked = client.asked.slice(from).map(({ method, params }) => params.messages?.[0].content.text ?? method);
    assert.deepEqual([...asked.slice(0, 2).sort(), ...asked.slice(2)], ["first", "roots/list", "second"]);
  },

  async "subscribe and updated"(context) {
    const { client, local } = context;
    await listening(context);
    const { honoured, stop } = await local.listen(client.sdkClient, { uri: NOTE });
    if (honoured) assert.deepEqual(honoured.resourceSubscriptions, [NOTE], "what the server honours");
    const from = client.received.length;
    await client.call("touch");
    const { params } = await client.until(notification("notifications/resources/updated"), "resources/updated", from);
    assert.equal(params.uri, NOTE);
    await stop();
  },

  async list_changed(context) {
    const { client, local } = context;
    await listening(context);
    const { honoured, stop } = await local.listen(client.sdkClient, {});
    if (honoured) assert.equal(honoured.toolsListChanged, true, "what the server honours");
    const from = client.received.length;
    await client.call("grow");
    await client.until(notification("notifications/tools/list_changed"), "tools/list_changed", from);
    const { tools } = await client.sdkClient.listTools(undefined, { cacheMode: "refresh" });
    assert.ok(tools.some((tool) => tool.name === "grown"), "the new tool is listed");
    await stop();
  },

  async "cancel that the server notices"({ client }) {
    const { started, result, cancel } = begin(client, "hang");
    await started;
    cancel();
    await assert.rejects(result, "the client's own call is rejected");
    assert.equal(await client.call("was_cancelled"), "cancelled");
  },

  async completion({ client }) {
    const { completion } = await client.sdkClient.complete({
      ref: { type: "ref/prompt", name: "greet" }, argument: { name: "name", value: "A" },
    });
    assert.deepEqual(completion.values, ["Ada", "Alan"]);
  },

  async "unknown method"({ client, direct }) {
    await assert.rejects(client.request("interop/unknown", { any: 1 }), (error) => {
      // The SDK's own HTTP client keeps a 404 to itself, and the JSON-RPC error in its text.
      const code = direct ? Number(/-32601/.exec(`${error.code} ${error.message}`)) : error.code;
      assert.equal(code, -32601, `${error.code} ${error.message}`);
      return true;
    });
  },

  async "each side its own era"({ client, remote, wire }) {
    for (const message of client.received) (client.version === "2026-07-28" ? isModern : isLegacy)(message);
    const spoken = remote.speaks[client.version === "2026-07-28" ? "modern" : "legacy"];
    const requests = wire.exchanges.flatMap((x) => x.messages.filter((m) => m.method && m.id !== undefined).map((m) => [x, m]));
    for (const [exchange, { method, params }] of requests.filter(([, { method }]) => !OPENERS.includes(method))) {
      assert.equal(hasReserved(params), spoken === "modern", `${method}: per-request metadata`);
      if (spoken === "modern") assert.equal(exchange.request["mcp-session-id"], undefined, `${method}: session id`);
    }
  },

  async close({ client, wire, direct }) {
    const start = performance.now();
    await client.sdkClient.close();
    if (direct) return;
    const { code, signal } = await client.exit;
    const took = Math.round(performance.now() - start);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `ended after ${took} ms`);
    assert.ok(took < 2_000, `ended after ${took} ms`);
    await wire.until(() => wire.exchanges.every((x) => x.closed), "the end of every exchange");
    assert.equal(client.stderr, "", "nothing on stderr");
  },
};

/** How it is found out what a remote speaks: these reach remotes of either era. */
const OPENERS = ["initialize", "server/discover"];

const RESERVED = "io.modelcontextprotocol/";
const hasReserved = (of) => Object.keys(of?._meta ?? {}).some((key) => key.startsWith(RESERVED));
const CACHEABLE = ["tools", "prompts", "resources", "resourceTemplates", "contents", "supportedVersions"];

/** A message as a client of the legacy era may see it. */
function isLegacy({ method, params, result = {} }) {
  for (const member of ["resultType", "supportedVersions", "ttlMs", "cacheScope", "inputRequests"])
    assert.ok(!(member in result), `a legacy client got a result with ${member}`);
  assert.ok(!hasReserved(params) && !hasReserved(result), `a legacy client got reserved metadata in ${method ?? "a result"}`);
  assert.notEqual(method, "notifications/subscriptions/acknowledged");
}

/** A message as a client of the modern era has to see it. */
function isModern({ method, id, params, result }) {
  assert.ok(!(method && id !== undefined), `a modern client got a request, ${method}`);
  if (result) assert.ok(["complete", "input_required"].includes(result.resultType), `resultType ${result.resultType}`);
  if (result?.resultType === "complete" && CACHEABLE.some((member) => member in result))
    assert.ok(result.ttlMs >= 0 && ["public", "private"].includes(result.cacheScope), "ttlMs and cacheScope");
  if (/list_changed$|resources\/updated$/.test(method)) assert.ok(hasReserved(params), `${method} has a subscriptionId`);
}

/** Tries what no version of the client can express; what the client is told instead. */
export async function attempt({ client }, tool) {
  try {
    const text = await client.call(tool);
    throw new assert.AssertionError({ message: `the call succeeded: ${text}` });
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return `${error.message}${error.data ? ` ${JSON.stringify(error.data)}` : ""}`;
  }
}

/** Calls a tool that asks the client once, and answers with what it was told. */
async function asking(client, tool, answer) {
  const from = client.asked.length;
  const text = await client.call(tool);
  assert.ok(text.includes(answer), `expected ${JSON.stringify(answer)} in ${JSON.stringify(text)}`);
  const asked = client.asked.slice(from);
  assert.equal(asked.length, 1, "questions that reached the client");
  return asked[0];
}

/** A call that reports progress when it has begun, and then runs until it is cancelled. */
function begin(client, tool) {
  const abort = new AbortController();
  let result;
  const started = new Promise((resolve, reject) => {
    result = client.call(tool, {}, { signal: abort.signal, onprogress: resolve });
    result.catch(reject);
  });
  return { started, result, cancel: () => abort.abort("no longer wanted") };
}

/** A legacy client is told unasked, on a stream that the bridge opens by itself; a modern one asks. */
async function listening({ client, wire, direct }) {
  if (direct || client.version === "2026-07-28") return;
  const isListen = (x) => x.method === "GET" || x.messages.some((m) => m.method === "subscriptions/listen");
  await wire.until((x) => isListen(x) && x.status === 200 && !x.closed, "an open stream for what the server says unasked");
}
