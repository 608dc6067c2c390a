// A server of the legacy era, made with the TypeScript SDK v1: node legacy.js PORT sse|streamable
// It asks the client by requests of its own, which belong to the call that made it ask.

import { createServer } from "node:http";
import { randomUUID } from "node:crypto";
import { completable } from "@modelcontextprotocol/sdk/server/completable.js";
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { SetLevelRequestSchema, SubscribeRequestSchema, UnsubscribeRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { CAPABILITIES, INFO, NOTE, admits, freshState, offer, text } from "./behaviour.js";
import { serveSessions } from "../../servers/sessions.js";

const [port, mode] = process.argv.slice(2);
const state = freshState();

function makeServer() {
  const server = new McpServer(INFO, { capabilities: CAPABILITIES });
  const subscribed = new Set();
  let level;
  const call = (extra) => ({
    signal: extra.signal,
    progressToken: extra._meta?.progressToken,
    notify: (method, params) => extra.sendNotification({ method, params }),
    log: async (of, data) => {
      if (admits(level, of)) await extra.sendNotification({ method: "notifications/message", params: { level: of, data } });
    },
  });
  offer(server, {
    z, ResourceTemplate, completable, promptArguments: (shape) => shape, call, ask: ask(server.server),
    grow: () => server.registerTool("grown", { inputSchema: z.object({}) }, async () => text("grown")),
    touch: async () => {
      if (subscribed.has(NOTE)) await server.server.sendResourceUpdated({ uri: NOTE });
    },
  }, state);
  const handle = (schema, act) => server.server.setRequestHandler(schema, async ({ params }) => (act(params), {}));
  handle(SetLevelRequestSchema, (params) => (level = params.level));
  handle(SubscribeRequestSchema, ({ uri }) => subscribed.add(uri));
  handle(UnsubscribeRequestSchema, ({ uri }) => subscribed.delete(uri));
  return server;
}

/** Asks by the SDK's own functions: they know what this client has declared. */
const ask = (server) => async (rounds, extra) => {
  const belongs = { relatedRequestId: extra.requestId };
  const put = {
    "sampling/createMessage": (params) => server.createMessage(params, belongs),
    "roots/list": (params) => server.listRoots(params, belongs),
    "elicitation/create": (params) =>
      server.elicitInput(params.mode === "url" ? { ...params, elicitationId: randomUUID() } : params, belongs),
  };
  const answers = [];
  for (const round of rounds)
    answers.push(...(await Promise.all(round.map(({ method, params }) => put[method](params)))));
  return text(JSON.stringify(answers));
};

function serveSse() {
  const transports = new Map();
  createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    if (request.method === "GET" && pathname === "/sse") {
      const transport = new SSEServerTransport("/messages", response);
      transports.set(transport.sessionId, transport);
      response.on("close", () => transports.delete(transport.sessionId));
      return makeServer().connect(transport);
    }
    const transport = request.method === "POST" && transports.get(searchParams.get("sessionId"));
    return transport ? transport.handlePostMessage(request, response) : response.writeHead(404).end();
  }).listen(Number(port), "127.0.0.1");
}

if (mode === "sse") serveSse();
else
  serveSessions(Number(port), async (options) => {
    const transport = new StreamableHTTPServerTransport(options);
    await makeServer().connect(transport);
    return transport;
  });
