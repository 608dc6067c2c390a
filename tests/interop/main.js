// Runs every pair and prints what each showed. `node main.js [words]` keeps the pairs whose name
// contains all the words.

import { cells } from "./lib/cells.js";
import { connectClient } from "./lib/client.js";
import { emptyHome, executable } from "./lib/executable.js";
import { pairs } from "./lib/pairs.js";
import { startServer } from "./lib/server-process.js";
import { Wire } from "./lib/wire.js";

const CELL_LIMIT_MS = 8_000;
const EVIDENCE_LINES = 12;
const { command, args } = executable();
const tally = { passed: 0, failed: 0, impossible: 0 };

const wanted = process.argv.slice(2).map((word) => word.toLowerCase());
for (const pair of pairs)
  if (wanted.every((word) => pair.name.toLowerCase().includes(word))) await runPair(pair);

console.log(`\n${tally.impossible} cells that a server cannot show (reasons above)`);
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed === 0 && tally.passed > 0 ? 0 : 1);

async function runPair(pair) {
  console.log(`\n${pair.name}`);
  const home = emptyHome();
  let server, wire;
  try {
    server = await startServer(pair.server);
    wire = await Wire.before(server.port);
    const url = `http://127.0.0.1:${wire.port}${pair.path}`;
    const client = await connectClient(pair.sdk, { command, args: [...args, url], env: { ...home.env, ...pair.env } });
    await runCells(pair, { client, wire, path: pair.path, dialect: pair.dialect });
  } catch (error) {
    report("FAIL", "connect", error.message, wire?.lines());
    const rest = Object.keys(cells).slice(1).filter((name) => !pair.cannot[name]);
    tally.failed += rest.length;
    console.log(`       and, not being connected, ${rest.join(", ")}`);
  } finally {
    await wire?.close();
    await server?.stop();
    home.remove();
  }
}

async function runCells(pair, context) {
  for (const [name, cell] of Object.entries(cells)) {
    if (pair.cannot[name]) {
      report("n/a", name, pair.cannot[name]);
      continue;
    }
    const from = context.wire.exchanges.length;
    try {
      await within(cell(context));
      report("ok", name);
    } catch (error) {
      report("FAIL", name, error.message, context.wire.lines(from));
    }
  }
}

async function within(promise) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${CELL_LIMIT_MS} ms`)), CELL_LIMIT_MS);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function report(verdict, name, reason, evidence = []) {
  tally[{ ok: "passed", FAIL: "failed", "n/a": "impossible" }[verdict]]++;
  console.log(`  ${verdict.padEnd(4)} ${name}${reason ? `: ${oneLine(reason)}` : ""}`);
  for (const line of evidence.slice(-EVIDENCE_LINES)) console.log(`         ${line}`);
}

function oneLine(text) {
  return text.replace(/\s*\n\s*/g, " ").slice(0, 400);
}
