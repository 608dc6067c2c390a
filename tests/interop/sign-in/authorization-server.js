// A real authorization server: `oidc-provider`, with its own sign-in and consent pages. The issuer
// has a path, so that its metadata is at the third of the places where a client has to look.

import { randomUUID } from "node:crypto";

// It tells whoever runs it what is not for production, a line each.
Object.assign(console, { info() {}, warn() {} });
const { Provider, errors, interactionPolicy } = await import("oidc-provider");

export const PATH = "/tenant/one";
export const SCOPES = ["mcp:read", "mcp:write"];

/** Programs that are registered beforehand, by how they prove who they are. */
export const PROGRAMS = {
  client_secret_basic: { client_id: "program: basic", client_secret: "s3cret-of-basic/+ %&=:" },
  client_secret_post: { client_id: "program-post", client_secret: "s3cret-of-post-b7c1" },
};

/** A client's own metadata document, which the server finds at its `client_id`. */
export const DOCUMENT = {
  client_id: "https://client.example/composio-bridge.json",
  client_name: "a client with a document",
  application_type: "native",
  redirect_uris: ["http://localhost/oauth/callback"],
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: "none",
};

/** A client that a person's program is given beforehand, with a secret. */
export const NAMED = { client_id: "named-client", client_secret: "s3cret-of-named-77fe", redirect_uris: ["http://localhost/oauth/callback"] };

/**
 * `state` may change while it runs: {life, patience} in seconds, {audience}: what tokens may be for.
 * `offline`: whether leave to stay signed in is a scope, as OpenID has it. `lists`: whether it knows
 * the scopes of the server behind it as its own, so that clients may register with them, and may
 * then ask for no other. `clients`: those that are registered beforehand, beside the usual.
 */
export function authorizationServer({ issuer, offline, lists, clients, state }) {
  const getResourceServerInfo = (_, asked) => {
    if (asked !== state.audience) throw new errors.InvalidTarget();
    return { audience: asked, scope: SCOPES.join(" "), accessTokenFormat: "opaque" };
  };
  return new Provider(issuer, {
    clients: [...programs(), ...clients, { ...NAMED, application_type: "native", grant_types: ["authorization_code", "refresh_token"] }],
    clientAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
    cookies: { keys: [randomUUID()] },
    scopes: ["openid", ...(offline ? ["offline_access"] : []), ...(lists ? SCOPES : [])],
    features: {
      clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
      devInteractions: { enabled: true },
      registration: { enabled: true },
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo,
        // For clients that name none.
        defaultResource: (_, __, among) => among ?? state.audience,
        useGrantedResource: () => true,
      },
    },
    findAccount: (_, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
    fetch: async (url) => (String(url) === DOCUMENT.client_id ? Response.json(DOCUMENT) : Response.error()),
    interactions: { policy: policy() },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    issueRefreshToken: (_, client, code) => client.grantTypeAllowed("refresh_token") && (!offline || code.scopes.has("offline_access")),
    expiresWithSession: () => false,
    ttl: { AccessToken: () => state.life, ClientCredentials: () => state.life, DeviceCode: () => state.patience },
    clockTolerance: 0,
  });
}

/** As it comes, but that whoever has consented once is not asked again by a program on his machine. */
function policy() {
  const policy = interactionPolicy.base();
  policy.get("consent").checks.remove("native_client_prompt");
  return policy;
}

function programs() {
  return Object.entries(PROGRAMS).map(([method, program]) => ({
    ...program, token_endpoint_auth_method: method,
    grant_types: ["client_credentials"], redirect_uris: [], response_types: [],
  }));
}
