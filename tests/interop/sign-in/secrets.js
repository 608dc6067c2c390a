// The secrets that went between a client and an authorization server, as its proxy recorded them.

const IN_FORMS = ["code", "code_verifier", "refresh_token", "client_secret", "device_code", "client_assertion"];
const IN_ANSWERS = ["access_token", "refresh_token", "id_token", "device_code", "client_secret", "registration_access_token"];

/** [{kind, secret}], each once. */
export function secretsOf(wire) {
  const found = new Map();
  const note = (kind, secret) => secret && !found.has(secret) && found.set(secret, kind);
  for (const exchange of wire.exchanges) {
    const type = exchange.response["content-type"] ?? "";
    if (exchange.method === "POST") {
      const form = new URLSearchParams(exchange.sent);
      for (const name of IN_FORMS) note(name, form.get(name));
      note("credentials", /^Basic (.+)$/i.exec(exchange.request.authorization ?? "")?.[1]);
    }
    if (type.includes("json")) {
      const answer = parsed(exchange.received);
      for (const name of IN_ANSWERS) note(name, answer?.[name]);
    }
    note("code", code(exchange.response.location));
  }
  return [...found].map(([secret, kind]) => ({ kind, secret }));
}

function code(location) {
  return location && URL.canParse(location) ? new URL(location).searchParams.get("code") : undefined;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
