// Every client of locals.js with every server of remotes.js, cell by cell, and one table a client.
//
//   node eras/main.js [--direct] [words]   only the pairs whose name contains all the words
//
// --direct leaves the bridge out, where both are of one era: for telling a fault of a client or a
// server from one of the bridge.

import { emptyHome, executable } from "../lib/executable.js";
import { startServer } from "../lib/server-process.js";
import { Wire } from "../lib/wire.js";
import { attempt, cells } from "./cells.js";
import { connectClient } from "./client.js";
import { locals } from "./locals.js";
import { cannot, remotes } from "./remotes.js";

const AT_ONCE = 3;
const CELL_LIMIT_MS = 10_000;
const EVIDENCE_LINES = 12;

const words = process.argv.slice(2).map((word) => word.toLowerCase());
const direct = words.includes("--direct");
const bridge = direct ? {} : executable();
const pairs = locals.flatMap((local) => remotes.map((remote) => ({ local, remote, name: `${local.name} → ${remote.name}`, cells: {} })));
const wanted = pairs
  .filter(({ local, remote }) => !direct || local.era === remote.speaks.modern)
  .filter(({ name }) => words.every((word) => word === "--direct" || name.toLowerCase().includes(word)));

const waiting = [...wanted];
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let pair; (pair = waiting.shift()); ) await runPair(pair);
}));
process.exit(report() ? 0 : 1);

async function runPair(pair) {
  const home = emptyHome();
  let server, wire;
  try {
    server = await startServer(pair.remote.server);
    wire = await Wire.before(server.port);
    const url = `http://127.0.0.1:${wire.port}${pair.remote.path}`;
    const peer = direct ? { url } : { command: bridge.command, args: [...bridge.args, url], env: home.env };
    const client = await connectClient(pair.local, peer);
    await runCells(pair, { client, wire, local: pair.local, remote: pair.remote, direct });
  } catch (error) {
    for (const name of Object.keys(cells)) pair.cells[name] = { verdict: "FAIL" };
    const says = `${error.message}; not being connected, every other cell fails too`;
    pair.cells.connect = { verdict: "FAIL", says, evidence: wire?.lines() };
  } finally {
    await wire?.close();
    await server?.stop();
    home.remove();
  }
}

async function runCells(pair, context) {
  for (const [name, cell] of Object.entries(cells)) {
    const from = context.wire.exchanges.length;
    const impossible = cannot(pair.local, pair.remote, name);
    try {
      pair.cells[name] = await within(impossible ? tellsWhy(context, impossible) : passes(cell, context));
    } catch (error) {
      pair.cells[name] = { verdict: "FAIL", says: error.message, evidence: context.wire.lines(from) };
    }
  }
}

async function passes(cell, context) {
  await cell(context);
  return { verdict: "pass" };
}

async function tellsWhy(context, { reason, tool, told }) {
  const says = await attempt(context, tool);
  if (!told.test(says)) throw new Error(`the client is told ${JSON.stringify(says)}, which does not match ${told}`);
  return { verdict: "n/a", reason, says };
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

/** Prints everything; whether all is well. */
function report() {
  for (const local of locals) table(local, wanted.filter((pair) => pair.local === local));
  const every = wanted.flatMap((pair) =>
    Object.entries(pair.cells).map(([cell, result]) => ({ pair: pair.name, cell, ...result })));
  const of = (verdict) => every.filter((result) => result.verdict === verdict);
  impossible(of("n/a"));
  failures(of("FAIL"));
  console.log(`\n${of("n/a").length} cells that the client's protocol version cannot express (reasons above)`);
  console.log(`${of("pass").length} passed, ${of("FAIL").length} failed`);
  return of("FAIL").length === 0 && of("pass").length > 0;
}

function table(local, row) {
  if (row.length === 0) return;
  const left = Math.max(...Object.keys(cells).map((name) => name.length));
  const line = (first, rest) => console.log(`  ${first.padEnd(left)}  ${rest.join("  ")}`);
  console.log(`\nlocal client: ${local.name}`);
  line("", row.map(({ remote }) => remote.name));
  for (const name of Object.keys(cells))
    line(name, row.map(({ remote, cells }) => (cells[name]?.verdict ?? "-").padEnd(remote.name.length)));
}

function impossible(results) {
  const reasons = new Set(results.map(({ reason }) => reason));
  for (const reason of reasons) {
    console.log(`\nn/a: ${reason}`);
    for (const { pair, says } of results.filter((result) => result.reason === reason))
      console.log(`  ${pair}: the client is told ${JSON.stringify(oneLine(says))}`);
  }
}

function failures(results) {
  for (const { pair, cell, says, evidence = [] } of results.filter(({ says }) => says !== undefined)) {
    console.log(`\nFAIL ${pair}, ${cell}: ${oneLine(says)}`);
    for (const line of evidence.slice(-EVIDENCE_LINES)) console.log(`       ${line}`);
  }
}

function oneLine(text) {
  return text.replace(/\s*\n\s*/g, " ").slice(0, 400);
}
