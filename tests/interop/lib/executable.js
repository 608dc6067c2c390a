// Which executable stands between client and server, and the environment it starts in.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** COMPOSIO_BRIDGE is a command line: a path, or a program with arguments, split at spaces. */
export function executable() {
  const [command, ...args] = (process.env.COMPOSIO_BRIDGE ?? "").split(" ").filter(Boolean);
  if (!command) throw new Error("COMPOSIO_BRIDGE is not set; start this with run.sh");
  return { command, args };
}

/** An empty home: nothing remembered or configured on this machine may change a run. */
export function emptyHome() {
  const home = mkdtempSync(join(tmpdir(), "interop-home-"));
  return { env: { HOME: home }, remove: () => rmSync(home, { recursive: true, force: true }) };
}
