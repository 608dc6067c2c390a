// Who is put together with whom, and what a server cannot show, with the reason.

import { fileURLToPath } from "node:url";
import { everything, everythingCannot } from "../dialects/everything.js";
import { own } from "../dialects/own.js";
import * as v1 from "./sdk-v1.js";
import * as v2 from "./sdk-v2.js";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const node = (script, ...args) => ({ command: process.execPath, args: [at(script), ...args] });
const python = (generation, transport) => ({
  command: at(`.venv/${generation}/bin/python`),
  args: [at(generation === "v1" ? "servers/fastmcp.py" : "servers/mcpserver.py"), "{port}", transport],
  env: { PYTHONDONTWRITEBYTECODE: "1" },
});
const reference = (mode) => ({
  ...node("node_modules/@modelcontextprotocol/server-everything/dist/index.js", mode),
  env: { PORT: "{port}" },
});

const fail = (reason, ...names) => Object.fromEntries(names.map((name) => [name, reason]));
const noSession = { session: false };
const noResume = { resume: "HTTP+SSE has no resumption" };

// A server that forgets the client after each request has nobody to ask or to notify later.
const withoutSession = fail(
  "the server keeps no session: it cannot relate a second request to the first",
  "subscribe", "logging", "sampling", "elicitation", "roots", "ping from the server", "list_changed", "cancellation", "resume",
);
const asJson = { ...fail("a JSON answer leaves no stream to resume", "resume") };
const listeningOnly = (feature) => ({ ...feature, onResponseStream: false });
const jsonDialect = {
  ...own,
  // Another stream than the answer's, so nothing orders the two.
  progress: { ...own.progress, onListeningStream: true },
  sampling: listeningOnly(own.sampling),
  elicitation: listeningOnly(own.elicitation),
  pinged: listeningOnly(own.pinged),
};
const pythonDialect = {
  ...own,
  sampling: listeningOnly(own.sampling),
  pinged: listeningOnly(own.pinged),
  logging: { ...own.logging, onResponseStream: true },
};
// What the first generation answers to a method it doesn't know.
const pythonV1Dialect = { ...pythonDialect, unknownMethod: -32602 };
const pythonCannot = { resume: "the Python server has no event store unless one is written for it" };

const pair = (sdk, peer, server, path, dialect, cannot = {}) => ({
  name: `${sdk.name} → ${peer}`, sdk, server, path, dialect, cannot,
});

export const pairs = [
  ...[v1, v2].flatMap((sdk) => [
    pair(sdk, "server-everything, Streamable HTTP", reference("streamableHttp"), "/mcp", everything, everythingCannot),
    pair(sdk, "server-everything, HTTP+SSE", reference("sse"), "/sse", { ...everything, ...noSession }, { ...everythingCannot, ...noResume }),
    pair(sdk, "TypeScript SDK v1 server, sessions", node("servers/v1.js", "{port}", "sessions"), "/mcp", own),
    pair(sdk, "TypeScript SDK v2 server, sessions", node("servers/v2.js", "{port}", "sessions"), "/mcp", own),
  ]),
  pair(v1, "TypeScript SDK v1 server, JSON answers", node("servers/v1.js", "{port}", "json"), "/mcp", jsonDialect, asJson),
  pair(v1, "TypeScript SDK v1 server, stateless", node("servers/v1.js", "{port}", "stateless"), "/mcp", { ...own, ...noSession }, withoutSession),
  {
    ...pair(v1, "TypeScript SDK v2 server, createMcpHandler, legacy side", node("servers/v2.js", "{port}", "entry"), "/mcp", { ...own, ...noSession }, withoutSession),
    // This server has a modern side too, which carries more and would be preferred.
    env: { COMPOSIO_BRIDGE_PROTOCOL: "legacy" },
  },
  pair(v1, "Python SDK v1 server, Streamable HTTP", python("v1", "streamable-http"), "/mcp", pythonV1Dialect, pythonCannot),
  pair(v1, "Python SDK v1 server, HTTP+SSE", python("v1", "sse"), "/sse", { ...pythonV1Dialect, ...noSession }, noResume),
  pair(v1, "Python SDK v2 server, Streamable HTTP", python("v2", "streamable-http"), "/mcp", pythonDialect, pythonCannot),
  pair(v1, "Python SDK v2 server, HTTP+SSE", python("v2", "sse"), "/sse", { ...pythonDialect, ...noSession }, noResume),
];
