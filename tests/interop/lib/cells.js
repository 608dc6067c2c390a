// What a client does with a server, one cell a behaviour. A cell gets {client, wire, dialect}: the
// dialect says by which tool, prompt or resource this server shows the behaviour.

import assert from "node:assert/strict";
import { ELICITED, ROOT, SAMPLED } from "./client.js";

const has = (text, part) => assert.ok(String(text).includes(part), `expected ${JSON.stringify(part)} in ${JSON.stringify(text)}`);
const isProgress = (step) => (m) => m.method === "notifications/progress" && m.params.progress === step;
const notification = (method, test = () => true) => (m) => m.method === method && test(m.params ?? {});

export const cells = {
  async connect({ client, wire, dialect }) {
    assert.equal(client.sdkClient.getServerVersion().name, dialect.serverName);
    assert.ok(client.sdkClient.getServerCapabilities().tools, "the server's capabilities arrived");
    await wire.posted("notifications/initialized");
  },

  async "one handshake"({ wire }) {
    const accepted = (x) => x.status < 300 && x.messages.some((m) => m.method === "initialize");
    assert.equal(wire.exchanges.filter(accepted).length, 1, "handshakes that the server accepted");
  },

  async tools({ client, dialect }) {
    const { tools } = await client.sdkClient.listTools();
    const names = tools.map((tool) => tool.name);
    for (const name of dialect.tools) assert.ok(names.includes(name), `tool ${name} is listed`);
    assert.equal(await client.call(dialect.echo.call), dialect.echo.says);
  },

  async prompts({ client, dialect }) {
    const { prompts } = await client.sdkClient.listPrompts();
    assert.ok(prompts.some((prompt) => prompt.name === dialect.prompt.get.name), "the prompt is listed");
    const { messages } = await client.sdkClient.getPrompt(dialect.prompt.get);
    has(messages[0].content.text, dialect.prompt.says);
  },

  async resources({ client, dialect }) {
    const { resources } = await client.sdkClient.listResources();
    assert.ok(resources.length > 0, "a resource is listed");
    const { contents } = await client.sdkClient.readResource({ uri: resources[0].uri });
    assert.ok(contents[0].text.length > 0, "the resource has text");
    const { resourceTemplates } = await client.sdkClient.listResourceTemplates();
    assert.ok(resourceTemplates.some((t) => t.uriTemplate === dialect.template.uriTemplate), "the template is listed");
    const filled = await client.sdkClient.readResource({ uri: dialect.template.uri });
    has(filled.contents[0].text, dialect.template.says);
  },

  async completion({ client, dialect }) {
    const { completion } = await client.sdkClient.complete(dialect.completion.params);
    assert.deepEqual(completion.values, dialect.completion.values);
  },

  async subscribe({ client, wire, dialect }) {
    const { uri, call } = dialect.updated;
    await wire.listening();
    await client.sdkClient.subscribeResource({ uri });
    const from = client.received.length;
    await client.call(call);
    await client.until(notification("notifications/resources/updated", (p) => p.uri === uri), "resources/updated", from);
    await client.sdkClient.unsubscribeResource({ uri });
  },

  async logging({ client, wire, dialect }) {
    if (!dialect.logging.onResponseStream) await wire.listening();
    await client.sdkClient.setLoggingLevel(dialect.logging.level);
    const from = client.received.length;
    await client.call(dialect.logging.call);
    await client.until(notification("notifications/message", (p) => dialect.logging.says.test(p.data)), "the log message", from);
  },

  async progress({ client, dialect }) {
    const from = client.received.length;
    await client.call(dialect.progress.call, { onprogress: () => {} });
    if (dialect.progress.onListeningStream) await client.until(isProgress(dialect.progress.steps.at(-1)), "the last progress", from);
    // As the messages came in: the SDK itself drops progress that arrives together with the result.
    const messages = client.received.slice(from);
    const end = dialect.progress.onListeningStream ? messages.length : messages.findIndex((m) => m.result);
    const untilResult = messages.slice(0, end);
    const progress = untilResult.filter(notification("notifications/progress")).map((m) => m.params.progress);
    assert.deepEqual(progress, dialect.progress.steps, `progress before the result: ${progress}`);
  },

  async sampling({ client, wire, dialect }) {
    if (!dialect.sampling.onResponseStream) await wire.listening();
    has(await client.call(dialect.sampling.call), SAMPLED);
  },

  async elicitation({ client, wire, dialect }) {
    if (!dialect.elicitation.onResponseStream) await wire.listening();
    has(await client.call(dialect.elicitation.call), ELICITED.name);
  },

  async roots({ client, wire, dialect }) {
    await wire.listening();
    has(await client.call(dialect.roots.call), ROOT.uri);
    await client.sdkClient.sendRootsListChanged();
    await wire.posted("notifications/roots/list_changed");
  },

  async ping({ client, wire }) {
    await client.sdkClient.ping();
    await wire.posted("ping");
  },

  async "ping from the server"({ client, wire, dialect }) {
    if (!dialect.pinged.onResponseStream) await wire.listening();
    assert.equal(await client.call(dialect.pinged.call), "pong");
  },

  async "unknown method"({ client, wire, dialect }) {
    await assert.rejects(client.request("interop/unknown", { any: 1 }), (error) => {
      assert.equal(error.code, dialect.unknownMethod ?? -32601, `${error.code} ${error.message}`);
      return true;
    });
    await wire.posted("interop/unknown");
  },

  async list_changed({ client, wire, dialect }) {
    await wire.listening();
    const from = client.received.length;
    await client.call(dialect.listChanged.call);
    await client.until(notification(dialect.listChanged.method), dialect.listChanged.method, from);
  },

  async cancellation({ client, wire, dialect }) {
    const from = wire.exchanges.length;
    const { started, finished } = begin(client, dialect.hang.call);
    await started;
    assert.equal(await client.call(dialect.echo.call), dialect.echo.says, "another call runs beside it");
    const call = await wire.posted("tools/call", (m) => m.params.name === dialect.hang.call.name, from);
    finished.cancel();
    await assert.rejects(finished.result, "the client's own call is rejected");
    const { id } = call.messages[0];
    await wire.posted("notifications/cancelled", (m) => m.params.requestId === id);
    if (dialect.hang.witness) assert.equal(await client.call(dialect.hang.witness), "cancelled");
  },

  async resume({ client, wire, dialect }) {
    assert.equal(await client.call(dialect.resume.call), dialect.resume.says);
    await wire.until((x) => x.method === "GET" && x.request["last-event-id"], "a GET with Last-Event-ID");
  },

  async "one listening stream"({ wire, path }) {
    const opened = wire.exchanges.filter((x) => x.method === "GET" && x.path === path && !x.request["last-event-id"]);
    assert.ok(opened.length <= 1, `${opened.length} GETs, answered ${opened.map((x) => x.status)}`);
  },

  async close({ client, wire, dialect }) {
    const start = performance.now();
    await client.sdkClient.close();
    const { code, signal } = await client.exit;
    const took = Math.round(performance.now() - start);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `ended after ${took} ms`);
    assert.ok(took < 2_000, `ended after ${took} ms`);
    if (dialect.session) await wire.until((x) => x.method === "DELETE" && x.status === 200, "DELETE of the session");
    await wire.until(() => wire.exchanges.every((x) => x.closed), "the end of every exchange");
  },

  async "stderr empty"({ client }) {
    assert.ok(client.stderr === "", `${client.stderr.length} bytes, starting ${JSON.stringify(client.stderr.slice(0, 120))}`);
  },
};

/** A call that reports progress when it has begun, and then runs until it is cancelled. */
function begin(client, call) {
  const abort = new AbortController();
  let result;
  const started = new Promise((resolve, reject) => {
    result = client.call(call, { signal: abort.signal, onprogress: resolve });
    result.catch(reject);
  });
  return { started, finished: { result, cancel: () => abort.abort("no longer wanted") } };
}
