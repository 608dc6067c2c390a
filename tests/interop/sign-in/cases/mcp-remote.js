// Sign-ins that mcp-remote 0.15.1 made: used where they stand, and left so that it goes on.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROXY = fileURLToPath(new URL("../../node_modules/mcp-remote/dist/proxy.js", import.meta.url));
const OTHER = { peer: { command: process.execPath, args: [PROXY] } };

/** Its store, as it is on disk: {file, tokens, client}. */
function store(place) {
  const directory = join(place.home, "mcp-auth", "mcp-remote-v1");
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const file = (end) => names.filter((name) => name.endsWith(end)).map((name) => join(directory, name));
  const [tokens, ...others] = file("_tokens.json");
  assert.deepEqual(others, [], "one sign-in");
  const read = (path) => path && JSON.parse(readFileSync(path, "utf8"));
  return { file: tokens, tokens: read(tokens), client: read(file("_client_info.json")[0]), names };
}

/** Lets the stored token's time be over. */
function age(place) {
  const { file, tokens } = store(place);
  writeFileSync(file, JSON.stringify({ ...tokens, expires_at: Date.now() - 1000 }, null, 2));
}

const renewals = (place) => place.granted("refresh_token");
const attempts = (place) => place.tokenRequests.filter(({ form }) => form.grant_type === "refresh_token");

/** One program after the other with the same arguments, each on the other's tokens. */
async function takeTurns(place, args) {
  const first = await place.works(args, OTHER);
  await first.sdkClient.close();
  assert.equal(place.person.opened.length, 1, "mcp-remote signs in");
  const made = store(place);

  const bridge = await place.works(args);
  await bridge.sdkClient.close();
  assert.equal(renewals(place).length, 0, "its token is used as it is");

  age(place);
  const renewing = await place.works(args);
  assert.equal(renewals(place).length, 1, "it is renewed");
  const [{ form, answer }] = renewals(place);
  assert.equal(form.client_id, made.client.client_id);
  assert.equal(form.refresh_token, made.tokens.refresh_token);
  assert.equal(form.resource, place.state.audience);
  const { file, tokens } = store(place);
  assert.equal(tokens.refresh_token, answer.refresh_token, "the next one is where mcp-remote looks");
  assert.equal(tokens.requested_scope, made.tokens.requested_scope);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(store(place).names.filter((name) => name.includes("refresh_in_progress")), [], "no lease is left");

  const second = await place.works(args, OTHER);
  await second.sdkClient.close();
  age(place);
  const third = await place.works(args, OTHER);
  assert.equal(renewals(place).length, 2, "mcp-remote renews what the bridge has brought");
  assert.equal(await third.call("whoami"), "ada");
  // This authorization server has ended nothing: no refresh token came twice.
  age(place);
  await place.works(args);
  assert.equal(renewals(place).length, 3);
  assert.equal(attempts(place).length, 3);
  assert.equal(await renewing.call("whoami"), "ada", "the one that has run all the time");
  assert.equal(place.person.opened.length, 1, "nobody was asked again");
  assert.equal(place.kept.length, 0, "nothing is kept twice");
}

const turns = (args, at) => ({
  at: { lists: true, ...at },
  show: async (place) => takeTurns(place, await args(place)),
});

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export const cases = {
  "mcp-remote's sign-in: the URL alone": turns(() => []),
  "mcp-remote's sign-in: --header": turns(() => ["--header", "X-Team: blue", "--header", "x-a:${HOME}"]),
  "mcp-remote's sign-in: --resource": turns((place) => ["--resource", place.state.audience], { audience: (origin) => `${origin}/` }),
  "mcp-remote's sign-in: a port": turns(async () => [String(await freePort())]),
  "mcp-remote's sign-in: --authorize-param": turns(() => ["--authorize-param", "ui_locales=de en", "--transport", "http-only"]),

  "mcp-remote's sign-in: both renew at once": {
    at: { lists: true },
    async show(place) {
      await (await place.works([], OTHER)).sdkClient.close();
      age(place);
      await Promise.all([place.works([], OTHER), place.works(), place.works(), place.works([], OTHER)]);
      assert.equal(attempts(place).length, 1, "one renewal for four");
      age(place);
      await Promise.all([place.works(), place.works([], OTHER)]);
      assert.equal(attempts(place).length, 2);
      assert.equal(place.person.opened.length, 1);
    },
  },

  "mcp-remote's sign-in is over: one browser, and the bridge has its own": {
    at: { lists: true },
    async show(place) {
      await (await place.works([], OTHER)).sdkClient.close();
      await place.revoke(store(place).tokens.access_token);
      age(place);
      const before = store(place).tokens;
      const client = await place.client(undefined, ["--startup-grace", "20"]);
      assert.equal(await client.call("whoami"), "ada");
      assert.equal(place.person.opened.length, 2);
      assert.equal(place.kept.length, 1);
      assert.deepEqual(store(place).tokens.refresh_token, before.refresh_token, "mcp-remote's is left alone");
    },
  },

  "mcp-remote's sign-in, and logout": {
    at: { lists: true },
    async show(place) {
      await (await place.works([], OTHER)).sdkClient.close();
      const { said } = await place.run(["logout", place.endpoint]);
      assert.ok(said.includes(store(place).file), said);
      await place.works();
      assert.equal(place.person.opened.length, 1);
    },
  },
};
