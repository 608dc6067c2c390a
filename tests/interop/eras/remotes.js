// The servers that stand on the remote side, and what a client's version cannot express with them.

import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const node = (script, mode) => ({ command: process.execPath, args: [at(`servers/${script}`), "{port}", mode] });

if (!process.env.RMCP_SERVER) throw new Error("RMCP_SERVER is not set; start this with run.sh");

/** By the era of the client, the era that is spoken with the server. */
const LEGACY = { legacy: "legacy", modern: "legacy" };
const MODERN = { legacy: "modern", modern: "modern" };
const EITHER = { legacy: "legacy", modern: "modern" };

/** What a tool says that would have to ask what this client cannot be asked. */
const IN_WORDS = /Client does not support (form|url) elicitation|\(elicitation\/create\): .* did not declare the required capability/;
const IN_CODE = /-32021.*"requiredCapabilities":\{"elicitation":/;

export const remotes = [
  { name: "HTTP+SSE", path: "/sse", speaks: LEGACY, server: node("legacy.js", "sse") },
  { name: "Streamable HTTP 2025-11-25", path: "/mcp", speaks: LEGACY, server: node("legacy.js", "streamable") },
  { name: "stateless-only 2026-07-28", path: "/mcp", speaks: MODERN, server: node("modern.js", "only") },
  {
    name: "stateless-only 2026-07-28, rmcp", path: "/mcp", speaks: MODERN,
    server: { command: process.env.RMCP_SERVER, args: ["{port}"] },
  },
  // Its legacy side keeps no session, so its modern side carries more, for a legacy client too.
  { name: "dual-era", path: "/mcp", speaks: MODERN, server: node("modern.js", "dual") },
  { name: "dual-era, sessions", path: "/mcp", speaks: EITHER, server: node("modern.js", "sessions") },
];

/** Why this client cannot take part in this cell, and what it is told when it tries. */
export function cannot(local, remote, cell) {
  if (cell === "elicitation form" && !local.elicitation)
    return {
      reason: `${local.name} has no elicitation (it came with 2025-06-18): the server cannot ask`,
      tool: "elicit_form",
      told: refusal(local, remote),
    };
  if (cell === "elicitation url" && !local.elicitation?.url)
    return {
      reason: `${local.name} has no elicitation by URL (it came with 2025-11-25): the server cannot ask`,
      tool: "elicit_url",
      told: refusal(local, remote),
    };
  return undefined;
}

const refusal = (local, remote) => (remote.speaks[local.era] === "legacy" ? IN_WORDS : IN_CODE);
