// The running bridge signs in by itself, while the client is served and told.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { visit } from "../person.js";
import { TOOLS } from "../mcp-server.js";
import { CLIENTS, toolsOf } from "../place.js";

const GRACE_MS = 5_000;
const SLACK_MS = 2_500;
const listChanged = (message) => message.method === "notifications/tools/list_changed";

/** As users run it: what it says then is for people. */
const QUIET = { env: { COMPOSIO_BRIDGE_LOG_LEVEL: "warn" } };

async function refused(promise) {
  return promise.then((answer) => assert.fail(`it was answered: ${answer}`), (error) => error);
}

/** A client that is connected while the person still thinks, and what it is told. */
async function connectedBefore(place, local, args = ["--startup-grace", "1"], options = {}) {
  const start = Date.now();
  const client = await place.client(local, args, options);
  const took = Date.now() - start;
  assert.ok(took < GRACE_MS + SLACK_MS, `connected after ${took} ms`);
  assert.deepEqual(await toolsOf(client), [], "no tool yet");
  if (local.era !== "legacy") await client.local.listen(client.sdkClient, {});
  await place.person.until("opened", 1);
  assert.equal(place.person.ended.length, 0, "nobody has signed in yet");
  const error = await refused(client.call("whoami"));
  assert.equal(error.code, -31002, error.message);
  return { client, error, page: place.person.opened[0].page };
}

/** The tools come by themselves. */
async function served(client, from) {
  await client.until(listChanged, "list_changed", from, 20_000);
  assert.deepEqual(await toolsOf(client), TOOLS);
  assert.equal(await client.call("whoami"), "ada");
}

const startsWithout = (local, args, delay = 5_000) => ({
  async show(place) {
    place.person.is({ delay });
    const { client, error, page } = await connectedBefore(place, local, args, QUIET);
    assert.ok(error.message.includes("sign in") && error.message.includes(page), error.message);
    const instructions = client.sdkClient.getInstructions() ?? "";
    // A client of 2026-07-28 has asked before there was a page.
    assert.ok(instructions.includes(local.era === "legacy" ? page : "sign in"), `instructions: ${instructions}`);
    await served(client, client.received.length);
    assert.equal(place.person.opened.length, 1, "one browser");
    const lines = client.stderr.trim().split("\n");
    assert.ok(lines.length === 1 && lines[0].includes(page), `stderr: ${client.stderr}`);
  },
});

const quick = (local) => ({
  async show(place) {
    const client = await place.client(local, ["--startup-grace", "20"]);
    assert.deepEqual(await toolsOf(client), TOOLS, "the first list that there is, is the server's");
    assert.equal(await client.call("whoami"), "ada");
    assert.equal(place.person.opened.length, 1);
  },
});

const stepsUp = (local, at = {}) => ({
  at,
  async show(place) {
    await place.login();
    const client = await place.works([], { local });
    assert.equal(await client.call("scopes"), "mcp:read");
    place.person.is({ delay: 500 });
    const writing = client.call("write");
    assert.equal(await client.call("whoami"), "ada", "all else goes on");
    assert.equal(await writing, "written");
    const asked = new URL(place.person.opened[1].page).searchParams.get("scope").split(" ");
    assert.ok(asked.includes("mcp:read") && asked.includes("mcp:write"), `asked for ${asked}`);
    assert.equal(await client.call("scopes"), "mcp:read mcp:write");
    assert.equal(await client.call("write"), "written");
    assert.equal(place.person.opened.length, 2, "one browser more");
    place.age();
    const later = await place.works([], { local });
    assert.equal(await later.call("write"), "written", "and after a renewal");
    assert.equal(place.person.opened.length, 2);
  },
});

/** A bridge with nobody but this test at its stdin. */
function bare(place, messages, args = []) {
  const run = place.start([place.endpoint, ...args]);
  for (const message of messages) run.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  return run;
}

const INITIALIZE = {
  id: 1, method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bare", version: "1" } },
};
const DISCOVER = {
  id: 1, method: "server/discover",
  params: {
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientInfo": { name: "bare", version: "1" },
      "io.modelcontextprotocol/clientCapabilities": {},
    },
  },
};

export const cases = {
  "starts without a token: SDK v1": startsWithout(CLIENTS.legacy, [], 13_000),
  "starts without a token: SDK v2, 2026-07-28": startsWithout(CLIENTS.modern),
  "starts without a token: SDK v2, as shipped": startsWithout(CLIENTS.auto),
  "starts without a token, and the person is quick: SDK v1": quick(CLIENTS.legacy),
  "starts without a token, and the person is quick: SDK v2, as shipped": quick(CLIENTS.auto),

  "starts without a token, and the person takes his time: SDK v2, as shipped": {
    async show(place) {
      place.person.is({ delay: 12_000 });
      const client = await place.client(CLIENTS.auto, ["--startup-grace", "1"]);
      const answered = Promise.all([toolsOf(client), client.local.listen(client.sdkClient, {})]);
      const late = sleep(GRACE_MS, undefined, { ref: false }).then(() => assert.fail("kept waiting"));
      const [names] = await Promise.race([answered, late]);
      assert.deepEqual(names, []);
      await served(client, 0);
    },
  },

  "more scopes in the middle: SDK v1": stepsUp(CLIENTS.legacy),
  "more scopes in the middle: SDK v2, 2026-07-28": stepsUp(CLIENTS.modern),
  "more scopes in the middle, where staying signed in is no scope": stepsUp(CLIENTS.legacy, { offline: false }),
  "more scopes than the client was registered for": stepsUp(CLIENTS.legacy, { lists: true }),

  "ten bridges at once: one browser": {
    async show(place) {
      place.person.is({ delay: 3_000 });
      const start = Date.now();
      const clients = await Promise.all(Array.from({ length: 10 }, () => place.client(CLIENTS.legacy)));
      console.log(`       ten were connected after ${Date.now() - start} ms`);
      for (const client of clients) {
        const names = await toolsOf(client);
        if (names.length === 0) await client.until(listChanged, "list_changed", 0, 20_000);
        assert.deepEqual(await toolsOf(client), TOOLS);
        assert.equal(await client.call("whoami"), "ada");
      }
      assert.equal(place.person.opened.length, 1);
      assert.equal(place.granted("authorization_code").length, 1);
      assert.equal(place.as.wire.exchanges.filter(({ path, status }) => path.endsWith("/reg") && status === 201).length, 1, "one client");
    },
  },

  "a sign-in that was revoked: one browser, and the call is answered": {
    async show(place) {
      await place.login();
      const client = await place.works();
      const { access_token, client_id } = place.kept[0];
      await place.revoke(access_token);
      assert.equal(await client.call("whoami"), "ada");
      assert.equal(place.person.opened.length, 2);
      assert.equal(place.kept[0].client_id, client_id, "the registration is used again");
      assert.match(client.stderr, /invalid_grant/, "what happened is said");
    },
  },

  "two bridges, revoked: one browser for both": {
    async show(place) {
      await place.login();
      const clients = [await place.works(), await place.works([], { local: CLIENTS.modern })];
      await place.revoke(place.kept[0].access_token);
      place.person.is({ delay: 1_000 });
      assert.deepEqual(await Promise.all(clients.map((client) => client.call("whoami"))), ["ada", "ada"]);
      assert.equal(place.person.opened.length, 2);
    },
  },

  "the person says no, and signs in by hand later": {
    async show(place) {
      place.person.is({ denies: true, delay: 4_000 });
      const { client } = await connectedBefore(place, CLIENTS.legacy);
      await place.person.until("ended", 1);
      await sleep(1_000);
      const error = await refused(client.call("whoami"));
      assert.ok(error.message.includes("access_denied") && error.message.includes("composio-bridge login"), error.message);
      assert.equal(place.person.opened.length, 1, "not asked again");
      place.person.is({});
      const from = client.received.length;
      await place.login();
      await served(client, from);
      assert.equal(place.person.opened.length, 2, "the second one by hand");
    },
  },

  "signed in by hand while the page is open": {
    async show(place) {
      place.person.is({ leaves: true });
      const { client } = await connectedBefore(place, CLIENTS.legacy);
      place.person.is({});
      const from = client.received.length;
      await place.login();
      await served(client, from);
    },
  },

  "no browser: the page that the client is told is opened by hand": {
    async show(place) {
      const env = { BROWSER: "/no/such/browser", PATH: "/nowhere" };
      const client = await place.client(CLIENTS.legacy, [], { env });
      assert.deepEqual(await toolsOf(client), []);
      const error = await refused(client.call("whoami"));
      const [page] = /http:\S+/.exec(error.message.slice(error.message.indexOf("open ")));
      const from = client.received.length;
      assert.match((await visit(page)).text, /You are signed in\./);
      await served(client, from);
    },
  },

  "a device's code for the running bridge": {
    async show(place) {
      const client = await place.client(CLIENTS.legacy, ["--device-code"]);
      assert.deepEqual(await toolsOf(client), []);
      const error = await refused(client.call("whoami"));
      const [, page, code] = /open (http:\S+) and enter the code ([\w-]+)/.exec(error.message) ?? assert.fail(error.message);
      const from = client.received.length;
      await visit(page, { code });
      await served(client, from);
      assert.equal(place.person.opened.length, 0, "no browser");
    },
  },

  "killed while a person signs in: the next start works": {
    async show(place) {
      place.person.is({ leaves: true });
      const run = bare(place, [INITIALIZE]);
      await place.person.until("opened", 1);
      run.kill();
      await run.end();
      place.person.is({});
      await place.works(["--startup-grace", "20"]);
      assert.equal(place.person.opened.length, 2);
    },
  },

  "the client leaves while a person signs in": {
    async show(place) {
      place.person.is({ leaves: true });
      const { client } = await connectedBefore(place, CLIENTS.legacy);
      const start = Date.now();
      await client.sdkClient.close();
      const { code, signal } = await client.exit;
      assert.deepEqual({ code, signal }, { code: 0, signal: null });
      assert.ok(Date.now() - start < 2_000, `ended after ${Date.now() - start} ms`);
      const { port } = new URL(new URL(place.person.opened[0].page).searchParams.get("redirect_uri"));
      await assert.rejects(fetch(`http://127.0.0.1:${port}/`), "nobody listens for the answer any more");
    },
  },

  "a probe opens no browser": {
    async show(place) {
      const run = bare(place, [DISCOVER]);
      await run.says(/"id":1/);
      await sleep(1_500);
      assert.equal(place.person.opened.length, 0);
      run.child.stdin.end();
      assert.equal((await run.end()).code, 0);
    },
  },

  "a header that is refused is no reason to sign in": {
    async show(place) {
      const error = await refused(place.client(CLIENTS.legacy, ["--header", "Authorization: Bearer wr0ng-t0ken-55"]));
      assert.match(error.message, /401/);
      assert.ok(!error.message.includes("wr0ng-t0ken-55"), "the header's value is not said");
      assert.equal(place.person.opened.length, 0);
      assert.equal(place.as.wire.exchanges.length, 1, "the authorization server is not asked");
    },
  },
};
