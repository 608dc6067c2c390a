// A server made with the TypeScript SDK v1: node servers/v1.js PORT sessions|json|stateless

import { completable } from "@modelcontextprotocol/sdk/server/completable.js";
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { SubscribeRequestSchema, UnsubscribeRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { capabilities, offer } from "./behaviour.js";
import { EventStore } from "./event-store.js";
import { serveSessions, serveStateless } from "./sessions.js";

const [port, mode] = process.argv.slice(2);

const onResponseStream = (extra) => ({
  signal: extra.signal,
  progressToken: extra._meta?.progressToken,
  request: (method, params) => extra.sendRequest({ method, params }, z.any()),
  notify: (method, params) => extra.sendNotification({ method, params }),
  hangUp: () => extra.closeSSEStream(),
});

// A JSON answer has no stream: what the server says meanwhile goes out on the listening one.
const onListeningStream = (server) => (extra) => ({
  ...onResponseStream(extra),
  request: (method, params) => server.server.request({ method, params }, z.any()),
  notify: (method, params) => server.server.notification({ method, params }),
});

async function connect(options) {
  const server = new McpServer({ name: "interop-server", version: "1.0.0" }, { capabilities });
  const call = mode === "json" ? onListeningStream(server) : onResponseStream;
  offer(server, { z, ResourceTemplate, completable, promptArguments: (shape) => shape, call });
  server.server.setRequestHandler(SubscribeRequestSchema, async () => ({}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, async () => ({}));
  const streaming = mode === "sessions" ? { eventStore: new EventStore(), retryInterval: 50 } : {};
  const transport = new StreamableHTTPServerTransport({ ...options, ...streaming, enableJsonResponse: mode === "json" });
  await server.connect(transport);
  return transport;
}

(mode === "stateless" ? serveStateless : serveSessions)(Number(port), connect);
