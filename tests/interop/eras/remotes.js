// The servers that stand on the remote side, each with the newest era that it speaks, and what a
// client's version cannot express.

import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const node = (script, mode) => ({ command: process.execPath, args: [at(`servers/${script}`), "{port}", mode] });

if (!process.env.RMCP_SERVER) throw new Error("RMCP_SERVER is not set; start this with run.sh");

export const remotes = [
  { name: "HTTP+SSE", server: node("legacy.js", "sse"), path: "/sse", era: "legacy" },
  { name: "Streamable HTTP 2025-11-25", server: node("legacy.js", "streamable"), path: "/mcp", era: "legacy" },
  { name: "stateless-only 2026-07-28", server: node("modern.js", "only"), path: "/mcp", era: "modern" },
  { name: "stateless-only 2026-07-28, rmcp", server: { command: process.env.RMCP_SERVER, args: ["{port}"] }, path: "/mcp", era: "modern" },
  { name: "dual-era", server: node("modern.js", "dual"), path: "/mcp", era: "modern", dual: true },
];

/** Why this client cannot take part in this cell, and what it is told when it tries. */
export function cannot(local, remote, cell) {
  if (cell === "elicitation form" && !local.elicitation)
    return {
      reason: `${local.name} has no elicitation (it came with 2025-06-18): the server cannot ask`,
      tool: "elicit_form",
      told: refusal(remote, "form"),
    };
  if (cell === "elicitation url" && !local.elicitation?.url)
    return {
      reason: `${local.name} has no elicitation by URL (it came with 2025-11-25): the server cannot ask`,
      tool: "elicit_url",
      told: refusal(remote, "url"),
    };
  return undefined;
}

/** A legacy server says it in a sentence of its own, a modern one with the code that is for it. */
const refusal = (remote, mode) =>
  remote.era === "legacy" ? new RegExp(`Client does not support ${mode} elicitation`) : /-32021.*"requiredCapabilities":\{"elicitation":/;
