// A server made with the TypeScript SDK v2, its legacy side: node servers/v2.js PORT sessions|entry
// `entry` is createMcpHandler as it comes: both eras, the legacy one without sessions.

import { createServer } from "node:http";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer, ResourceTemplate, completable, createMcpHandler } from "@modelcontextprotocol/server";
import { z } from "zod";
import { capabilities, offer } from "./behaviour.js";
import { EventStore } from "./event-store.js";
import { serveSessions } from "./sessions.js";

const [port, mode] = process.argv.slice(2);

const call = (context) => ({
  signal: context.mcpReq.signal,
  progressToken: context.mcpReq._meta?.progressToken,
  request: (method, params) => context.mcpReq.send({ method, params }),
  notify: (method, params) => context.mcpReq.notify({ method, params }),
  hangUp: () => context.http.closeSSE(),
});

function makeServer() {
  const server = new McpServer({ name: "interop-server", version: "2.0.0" }, { capabilities });
  offer(server, { z, ResourceTemplate, completable, promptArguments: z.object, call });
  server.server.setRequestHandler("resources/subscribe", async () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", async () => ({}));
  return server;
}

async function connect(options) {
  const transport = new NodeStreamableHTTPServerTransport({ ...options, eventStore: new EventStore(), retryInterval: 50 });
  await makeServer().connect(transport);
  return transport;
}

if (mode === "sessions") serveSessions(Number(port), connect);
else createServer(toNodeHandler(createMcpHandler(makeServer))).listen(Number(port), "127.0.0.1");
