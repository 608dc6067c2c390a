// The usual HTTP front of a server with sessions: one transport a session, made at `initialize`.

import { createServer } from "node:http";
import { randomUUID } from "node:crypto";

/** `connect(options)` makes a transport with a server behind it and resolves to that transport. */
export function serveSessions(port, connect) {
  listen(port, sessions(connect));
}

/** What serves one request: (request, response, its body where that has been read and parsed). */
export function sessions(connect) {
  const transports = new Map();
  const fresh = () => {
    const made = connect({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: async (id) => transports.set(id, await made),
      onsessionclosed: (id) => transports.delete(id),
    });
    return made;
  };
  return async (request, response, body) => {
    const id = request.headers["mcp-session-id"];
    if (id && !transports.has(id)) return refuse(response, 404, "Session not found");
    await (id ? transports.get(id) : await fresh()).handleRequest(request, response, body);
  };
}

/** One transport a request, no sessions; there is nothing to GET and nothing to DELETE. */
export function serveStateless(port, connect) {
  listen(port, async (request, response) => {
    if (request.method !== "POST") return refuse(response, 405, "Method not allowed");
    const transport = await connect({ sessionIdGenerator: undefined });
    response.on("close", () => transport.close());
    await transport.handleRequest(request, response);
  });
}

export function listen(port, handle) {
  createServer((request, response) => {
    handle(request, response).catch((error) => {
      console.error(error);
      response.headersSent ? response.destroy() : refuse(response, 500, error.message);
    });
  }).listen(port, "127.0.0.1");
}

function refuse(response, status, message) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32000, message }, id: null }));
}
