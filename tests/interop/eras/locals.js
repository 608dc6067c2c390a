// The clients that stand on the local side, each with the protocol version that it has to go by
// and the newest era that it speaks.

import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { z } from "zod";

const INFO = { name: "interop-eras-client", version: "1.0.0" };
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";

/** Elicitation came with 2025-06-18, its URL mode with 2025-11-25; older clients do not declare it. */
const legacy = (version, elicitation) => ({
  name: version,
  version,
  era: "legacy",
  elicitation,
  stdio: (parameters) => opening(new StdioV1(parameters), version),
  http: (url) => opening(url.endsWith("/sse") ? new SSEClientTransport(new URL(url)) : new HttpV1(new URL(url)), version),
  client: () => new ClientV1(INFO, { capabilities: capabilities(elicitation) }),
  answer: (client, method, reply) => client.setRequestHandler(SCHEMAS[method], reply),
  callTool: (client, call, options) => client.callTool(call, undefined, options),
  async logFrom(client, level) {
    await client.setLoggingLevel(level);
    return {};
  },
  listen: legacyListen,
});

const modern = (name, mode) => ({
  name,
  version: "2026-07-28",
  era: "modern",
  elicitation: { form: {}, url: {} },
  stdio: (parameters) => new StdioV2(parameters),
  http: (url) => new HttpV2(new URL(url)),
  client: () => new ClientV2(INFO, { capabilities: capabilities({ form: {}, url: {} }), versionNegotiation: { mode } }),
  answer: (client, method, reply) => client.setRequestHandler(method, reply),
  callTool: (client, call, options) => client.callTool(call, options),
  async logFrom(client, level) {
    if (client.getProtocolEra() === "modern") return { _meta: { [LOG_LEVEL]: level } };
    await client.setLoggingLevel(level);
    return {};
  },
  async listen(client, wanted) {
    if (client.getProtocolEra() === "legacy") return legacyListen(client, wanted);
    const filter = wanted.uri ? { resourceSubscriptions: [wanted.uri] } : { toolsListChanged: true };
    const subscription = await client.listen(filter);
    return { honoured: subscription.honoredFilter, stop: () => subscription.close() };
  },
});

export const locals = [
  legacy("2024-11-05"),
  legacy("2025-06-18", {}),
  legacy("2025-11-25", { form: {}, url: {} }),
  modern("2026-07-28", { pin: "2026-07-28" }),
  modern("dual-era", "auto"),
];

export const request = (client, method, params) => client.request({ method, params }, z.any());

const SCHEMAS = {
  "sampling/createMessage": CreateMessageRequestSchema,
  "elicitation/create": ElicitRequestSchema,
  "roots/list": ListRootsRequestSchema,
};

const capabilities = (elicitation) => ({ sampling: {}, roots: {}, ...(elicitation && { elicitation }) });

/** The SDK opens with its newest version; a client of an older one asks for that. */
function opening(transport, protocolVersion) {
  const send = transport.send.bind(transport);
  transport.send = (message, options) =>
    send(message.method === "initialize" ? { ...message, params: { ...message.params, protocolVersion } } : message, options);
  return transport;
}

/** A legacy client is told of changed lists unasked, and of a resource that it has subscribed to. */
async function legacyListen(client, { uri }) {
  if (!uri) return { stop: async () => {} };
  await client.subscribeResource({ uri });
  return { stop: () => client.unsubscribeResource({ uri }) };
}
