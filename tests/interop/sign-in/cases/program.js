// A program signs in as itself.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
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

/** The key of a client, the part that is the server's, and the client. */
function keyed(type, options, how) {
  const { privateKey, publicKey } = generateKeyPairSync(type, options);
  const client = {
    client_id: `program-${how.alg}`, token_endpoint_auth_method: "private_key_jwt", token_endpoint_auth_signing_alg: how.alg,
    grant_types: ["client_credentials"], redirect_uris: [], response_types: [],
    jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "the-key", use: "sig", alg: how.alg }] },
  };
  return {
    at: { clients: [client] },
    async show(place) {
      const file = join(place.home, "key");
      const text = how.jwk ? JSON.stringify(privateKey.export({ format: "jwk" })) : privateKey.export({ type: "pkcs8", format: "pem" });
      place.secrets.push(how.jwk ? privateKey.export({ format: "jwk" }).d : text.split("\n")[1]);
      writeFileSync(file, text, { mode: 0o600 });
      const info = JSON.stringify({ client_id: client.client_id, private_key_file: file, kid: "the-key", alg: how.alg });
      const args = ["--client-credentials", "--static-oauth-client-info", info];
      await place.login(...args);
      await place.works(args, { who: client.client_id });
      place.age();
      await place.works(args, { who: client.client_id });
      const [first, second, ...others] = place.granted("client_credentials").map(({ form }) => form.client_assertion);
      assert.ok(first && second && first !== second, "an assertion is good once");
      assert.deepEqual(others, []);
    },
  };
}

export const cases = {
  "a program, client_secret_basic": withSecret("client_secret_basic"),
  "a program, client_secret_post": withSecret("client_secret_post"),

  "a program with a private key, ES256": keyed("ec", { namedCurve: "P-256" }, { alg: "ES256" }),
  "a program with a private key, RS256": keyed("rsa", { modulusLength: 2048 }, { alg: "RS256" }),
  "a program with a private key, PS256, as a JWK": keyed("rsa", { modulusLength: 2048 }, { alg: "PS256", jwk: true }),
  "a program with a private key, EdDSA": keyed("ed25519", {}, { alg: "EdDSA" }),

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
