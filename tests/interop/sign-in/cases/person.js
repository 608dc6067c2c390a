// A person signs in: in the browser, or with a device's code.

import assert from "node:assert/strict";
import { DOCUMENT, NAMED } from "../authorization-server.js";
import { ask, visit } from "../person.js";
import { CLIENTS } from "../place.js";

const PAGE = /^(http:\S+)$/m;

async function get(url, headers = {}, method = "GET") {
  const { answer, text } = await ask(url, { method, headers });
  return { status: answer.statusCode, text };
}

/** A `login` whose page stays open: {run, page, back}, where `back` is what the consent leads to. */
async function consented(place, habits = {}, args = []) {
  place.person.is({ leaves: true });
  const before = place.person.opened.length;
  const run = place.start(["login", place.endpoint, ...args]);
  const { page } = (await place.person.until("opened", before + 1)).at(-1);
  const { leads } = await visit(page, { stays: true, ...habits }, place.person.jar);
  return { run, page, back: new URL(leads) };
}

const changed = (url, name, value) => {
  const other = new URL(url);
  if (value === undefined) other.searchParams.delete(name);
  else other.searchParams.set(name, value);
  return other;
};

export const cases = {
  "sign in, list, call": {
    async show(place) {
      const said = await place.login();
      assert.match(said, /Signed in to/);
      const [{ text }] = await place.person.until("ended", 1);
      assert.match(text, /You are signed in\./);
      await place.works();
      const [{ form, answer }] = place.granted("authorization_code");
      assert.equal(form.resource, place.endpoint, "RFC 8707, at the token endpoint");
      const page = new URL(place.person.opened[0].page).searchParams;
      assert.equal(page.get("resource"), place.endpoint, "RFC 8707, at the sign-in page");
      assert.equal(page.get("scope"), "mcp:read offline_access");
      assert.equal(page.get("code_challenge_method"), "S256");
      assert.ok(answer.refresh_token, "the sign-in stays");
      assert.equal(place.person.opened.length, 1, "one browser, once");
    },
  },

  "sign in, list, call: a client of 2026-07-28": {
    async show(place) {
      await place.login();
      await place.works([], { local: CLIENTS.modern });
    },
  },

  "sign in where staying signed in is no scope": {
    at: { offline: false },
    async show(place) {
      await place.login();
      assert.equal(new URL(place.person.opened[0].page).searchParams.get("prompt"), null);
      await place.works();
      assert.ok(place.kept[0].refresh_token);
    },
  },

  "a client that was registered beforehand, with a secret": {
    async show(place) {
      const info = JSON.stringify({ client_id: NAMED.client_id, client_secret: "${NAMED_SECRET}" });
      place.env.NAMED_SECRET = NAMED.client_secret;
      await place.login("--static-oauth-client-info", info);
      const [{ headers }] = place.granted("authorization_code");
      assert.match(headers.authorization ?? "", /^Basic /);
      assert.equal(place.as.wire.exchanges.filter(({ path }) => path.endsWith("/reg")).length, 0, "nothing is registered");
      await place.works(["--static-oauth-client-info", info]);
      place.age();
      await place.works(["--static-oauth-client-info", info]);
      assert.equal(place.granted("refresh_token").length, 1);
    },
  },

  "a client with a metadata document of its own": {
    async show(place) {
      const args = ["--client-metadata-url", DOCUMENT.client_id];
      await place.login(...args);
      assert.equal(new URL(place.person.opened[0].page).searchParams.get("client_id"), DOCUMENT.client_id);
      assert.equal(place.as.wire.exchanges.filter(({ path }) => path.endsWith("/reg")).length, 0, "nothing is registered");
      place.age();
      await place.works(args);
      assert.equal(place.granted("refresh_token")[0].form.client_id, DOCUMENT.client_id);
    },
  },

  "renewed when its time is over, with rotation": {
    at: { life: 4 },
    async show(place) {
      await place.login();
      const client = await place.works();
      for (let round = 1; round <= 3; round++) {
        const { expires_at } = place.kept[0];
        while (Date.now() / 1000 < expires_at) await new Promise((resolve) => setTimeout(resolve, 50));
        assert.equal(await client.call("whoami"), "ada", `round ${round}`);
      }
      const renewals = place.granted("refresh_token");
      assert.ok(renewals.length >= 3, `${renewals.length} renewals`);
      const used = [place.granted("authorization_code")[0], ...renewals].map(({ answer }) => answer.refresh_token);
      assert.deepEqual(renewals.map(({ form }) => form.refresh_token), used.slice(0, -1), "each is used once");
      assert.equal(place.kept[0].refresh_token, used.at(-1), "the last one is kept");
      assert.equal(place.person.opened.length, 1, "nobody was asked again");
      const refused = place.mcp.wire.exchanges.filter(({ status, request }) => status === 401 && request.authorization);
      assert.equal(refused.length, 0, "no token that was over was sent");
    },
  },

  "renewed when the server refuses it early": {
    async show(place) {
      await place.login();
      const client = await place.works();
      const token = await place.provider.AccessToken.find(place.kept[0].access_token);
      await token.destroy();
      assert.equal(await client.call("whoami"), "ada");
      assert.equal(place.granted("refresh_token").length, 1);
      assert.equal(place.person.opened.length, 1);
    },
  },

  "two bridges on an expired token: one renewal": {
    async show(place) {
      await place.login();
      place.age();
      await Promise.all([place.works(), place.works([], { local: CLIENTS.modern })]);
      // This authorization server ends the whole sign-in when a refresh token comes twice.
      assert.equal(place.tokenRequests.filter(({ form }) => form.grant_type === "refresh_token").length, 1);
      await place.works();
    },
  },

  "a client that the authorization server has forgotten is registered anew": {
    async show(place) {
      await place.login();
      const { client_id } = place.kept[0];
      await place.provider.Client.adapter.destroy(client_id);
      place.person.forgets();
      const { code, said } = await place.run(["login", place.endpoint, "--auth-timeout", "8"]);
      assert.equal(code, 0, said);
      await place.works();
    },
  },

  "the person says no": {
    async show(place) {
      place.person.is({ denies: true });
      const { code, said } = await place.run(["login", place.endpoint]);
      assert.equal(code, 4, said);
      assert.match(said, /access_denied/);
      const [{ text }] = await place.person.until("ended", 1);
      assert.match(text, /You are not signed in\./);
      assert.equal(place.tokenRequests.length, 0);
      assert.equal(place.kept.length, 0);
    },
  },

  "what is no answer is not heard: state, path, host, method": {
    async show(place) {
      const { run, back } = await consented(place);
      const evil = new URL(back);
      evil.searchParams.set("code", "not-the-code");
      const deny = changed(changed(changed(evil, "code"), "error", "access_denied"), "state", "guessed");
      const paths = ["/", "/favicon.ico", "/oauth/callback/", "/oauth"].map((path) => Object.assign(new URL(back), { pathname: path }));
      for (const [what, url, status, headers, method] of [
        ["another state", changed(evil, "state", "x8BlFw4T3b"), 400],
        ["no state", changed(evil, "state"), 400],
        ["a denial with another state", deny, 400],
        ["a foreign Host", evil, 421, { host: `evil.example:${back.port}` }],
        ["a Host without the port", evil, 421, { host: "localhost" }],
        ["a POST", evil, 405, {}, "POST"],
        ...paths.map((url) => [url.pathname, url, 404]),
      ]) {
        const answer = await get(url, headers, method);
        assert.equal(answer.status, status, what);
        assert.ok(!answer.text.includes("not-the-code"), `${what}: the page repeats it`);
      }
      const good = await get(back);
      assert.equal(good.status, 200);
      assert.match(good.text, /You are signed in\./);
      assert.equal((await run.end()).code, 0);
      assert.equal(place.tokenRequests.length, 1, "no other code went to the token endpoint");
      await place.works();
    },
  },

  "an answer of another issuer is not used": {
    async show(place) {
      for (const iss of ["https://evil.example", `${place.issuer}/`, undefined]) {
        place.person.forgets();
        const { run, back } = await consented(place);
        assert.equal(back.searchParams.get("iss"), place.issuer, "RFC 9207");
        const page = await get(changed(back, "iss", iss));
        assert.match(page.text, /did not work/);
        const { code, said } = await run.end();
        assert.equal(code, 4, said);
        assert.equal(place.tokenRequests.length, 0, "its code went nowhere");
      }
    },
  },

  "a code is good once: the second browser changes nothing": {
    async show(place) {
      const { run, back } = await consented(place);
      assert.equal((await get(back)).status, 200);
      assert.equal((await run.end()).code, 0);
      await assert.rejects(get(back), /ECONNREFUSED/, "nobody listens any more");
      await place.works();
    },
  },

  "a code that the authorization server refuses": {
    async show(place) {
      const { run, back } = await consented(place);
      const page = await get(changed(back, "code", "made-up"));
      assert.equal(page.status, 502);
      const { code, said } = await run.end();
      assert.equal(code, 4, said);
      assert.match(said, /invalid_grant/);
      assert.equal(place.kept.length, 0);
    },
  },

  "instant redirect: somebody is signed in there already": {
    at: { offline: false },
    async show(place) {
      await place.login();
      await place.run(["logout", place.endpoint]);
      await place.person.until("ended", 1);
      await place.login();
      // The registration went with the sign-in, so that consent is asked for once more.
      const [, { trail }] = await place.person.until("ended", 2);
      assert.equal(trail.filter(({ method }) => method === "POST").length, 1, "no login form, but a consent");
      await place.login();
      const [, , third] = await place.person.until("ended", 3);
      assert.deepEqual(third.trail.map(({ status }) => status), [303, 200], "straight to the callback");
      await place.works();
    },
  },

  "a slow person": {
    async show(place) {
      place.person.is({ delay: 8_000 });
      const { code, said } = await place.run(["login", place.endpoint, "--auth-timeout", "30"]);
      assert.equal(code, 0, said);
      await place.works();
    },
  },

  "a person who never comes back": {
    async show(place) {
      place.person.is({ leaves: true });
      const start = Date.now();
      const { code, said } = await place.run(["login", place.endpoint, "--auth-timeout", "2"]);
      assert.equal(code, 4, said);
      assert.match(said, /2 s/);
      assert.ok(Date.now() - start < 6_000, "the limit is kept");
    },
  },

  "no browser: the URL is printed, and opened by hand": {
    async show(place) {
      const env = { BROWSER: "/no/such/browser", PATH: "/nowhere" };
      const run = place.start(["login", place.endpoint], env);
      await run.says(/No browser could be opened/);
      const [, page] = await run.says(PAGE);
      const { status, text } = await visit(page);
      assert.equal(status, 200);
      assert.match(text, /You are signed in\./);
      assert.equal((await run.end()).code, 0);
      await place.works();
    },
  },

  "the callback's host, path and port": {
    async show(place) {
      const probe = await import("node:net").then(({ createServer }) => new Promise((resolve) => {
        const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
      }));
      const { port } = probe.address();
      await new Promise((resolve) => probe.close(resolve));
      await place.login(String(port), "--host", "127.0.0.1", "--callback-path", "/back/here", "--auth-success-url", place.metadata.jwks_uri);
      const page = new URL(place.person.opened[0].page).searchParams;
      assert.equal(page.get("redirect_uri"), `http://127.0.0.1:${port}/back/here`);
      const [{ trail }] = await place.person.until("ended", 1);
      assert.equal(trail.at(-1).at, place.metadata.jwks_uri, "the page to show afterwards");
      await place.works();
    },
  },

  "two people, two sign-ins, one endpoint each": {
    async show(place) {
      await place.login();
      await place.login("--authorize-param", "ui_locales=de");
      assert.equal(place.kept.length, 2);
      await place.works();
      await place.works(["--authorize-param", "ui_locales=de"]);
    },
  },

  "auth status, and logout": {
    async show(place) {
      await place.login();
      const [{ access_token, refresh_token }] = place.kept;
      const { said } = await place.run(["auth", "status"]);
      for (const part of [place.endpoint, place.issuer, "mcp:read", "renewed by itself"]) assert.ok(said.includes(part), `${part} in ${said}`);
      const { said: json } = await place.run(["auth", "status", "--json"]);
      const [listed] = JSON.parse(json);
      assert.equal(listed.issuer, place.issuer);
      assert.equal(listed.scope, "mcp:read");
      for (const token of [access_token, refresh_token]) assert.ok(!said.includes(token) && !json.includes(token));
      const out = await place.run(["logout", place.endpoint]);
      assert.match(out.said, /Signed out/);
      assert.equal(place.kept.length, 0);
      assert.match((await place.run(["auth", "status"])).said, /Nobody/);
    },
  },

  "a device's code": {
    async show(place) {
      const run = place.start(["login", place.endpoint, "--device-code"]);
      const [, code] = await run.says(/and enter: (\S+)/);
      const [, page] = await run.says(PAGE);
      const { text } = await visit(page, { code });
      assert.match(text, /Sign-in Success/);
      const { code: exit, said } = await run.end();
      assert.equal(exit, 0, said);
      assert.equal(place.person.opened.length, 0, "no browser");
      await place.works(["--device-code"]);
      place.age();
      await place.works(["--device-code"]);
      assert.equal(place.granted("refresh_token").length, 1);
    },
  },

  "a device's code, and the person says no": {
    async show(place) {
      const run = place.start(["login", place.endpoint, "--device-code"]);
      const [, code] = await run.says(/and enter: (\S+)/);
      const [, page] = await run.says(PAGE);
      await visit(page, { code, denies: true });
      const { code: exit, said } = await run.end();
      assert.equal(exit, 4, said);
      assert.match(said, /access_denied/);
    },
  },

  "a device's code that nobody enters": {
    at: { patience: 4 },
    async show(place) {
      const { code, said } = await place.run(["login", place.endpoint, "--device-code"]);
      assert.equal(code, 4, said);
      assert.match(said, /in time|expired_token/);
    },
  },
};
