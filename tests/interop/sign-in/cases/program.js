// A program signs in as itself.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROGRAMS } from "../authorization-server.js";

/** The options of a program, its secret from the environment. */
function options(place, method) {
  const { client_id, client_secret } = PROGRAMS[method];
  place.env.PROGRAM_SECRET = client_secret;
  const info = JSON.stringify({ client_id, client_secret: "${PROGRAM_SECRET}", token_endpoint_auth_method: method });
  return ["--client-credentials", "--static-oauth-client-info", info];
}

const withSecret = (method) => ({
  async show(place) {
    const args = options(place, method);
    await place.login(...args);
    const [{ form, headers }] = place.granted("client_credentials");
    assert.equal(/^Basic /.test(headers.authorization ?? ""), method === "client_secret_basic");
    assert.equal("client_secret" in form, method === "client_secret_post");
    assert.equal(form.resource, place.endpoint);
    const who = PROGRAMS[method].client_id;
    await place.works(args, { who });
    assert.equal(place.person.opened.length, 0, "no browser");
    place.age();
    await place.works(args, { who });
    assert.equal(place.granted("client_credentials").length, 2, "asked again when its time was over");
  },
});

export const cases = {
  "a program, client_secret_basic": withSecret("client_secret_basic"),
  "a program, client_secret_post": withSecret("client_secret_post"),

  "a program, from a file, at a token endpoint that is named": {
    async show(place) {
      const file = join(place.home, "client.json");
      writeFileSync(file, JSON.stringify({ ...PROGRAMS.client_secret_post, token_endpoint_auth_method: "client_secret_post" }), { mode: 0o600 });
      const args = ["--client-credentials", "--static-oauth-client-info", `@${file}`, "--token-endpoint", place.metadata.token_endpoint];
      // Nothing is discovered then, so that what to ask for has to be said too.
      await place.login(...args, "--resource", place.endpoint, "--static-oauth-client-metadata", '{"scope":"mcp:read"}');
      await place.works([...args, "--resource", place.endpoint], { who: PROGRAMS.client_secret_post.client_id });
    },
  },

  "a program with a wrong secret": {
    async show(place) {
      const info = JSON.stringify({ client_id: PROGRAMS.client_secret_post.client_id, client_secret: "wr0ng-s3cret-91", token_endpoint_auth_method: "client_secret_post" });
      const { code, said } = await place.run(["login", place.endpoint, "--client-credentials", "--static-oauth-client-info", info]);
      assert.equal(code, 4, said);
      assert.match(said, /invalid_client/);
    },
  },
};
