// Signing in with real parts, case by case. `node sign-in/main.js [words]` keeps the cases whose
// name contains all the words. Each case has a place of its own, and ends with a look for secrets
// in all that was said there.

import { cases as mcpRemote } from "./cases/mcp-remote.js";
import { cases as person } from "./cases/person.js";
import { cases as program } from "./cases/program.js";
import { cases as running } from "./cases/running.js";
import { makePlace } from "./place.js";

const AT_ONCE = 2;
const CASE_LIMIT_MS = 90_000;
const EVIDENCE_LINES = 12;

const words = process.argv.slice(2).map((word) => word.toLowerCase());
const all = Object.entries({ ...person, ...program, ...running, ...mcpRemote });
const wanted = all.filter(([name]) => words.every((word) => name.toLowerCase().includes(word)));

const tally = { passed: 0, failed: 0, known: 0 };
const waiting = [...wanted];
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let next; (next = waiting.shift()); ) await run(...next);
}));
console.log(`\n${tally.known} known faults (above)`);
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed === 0 && tally.passed + tally.known > 0 ? 0 : 1);

/** `known` is a fault that stays for now, in words: the case has to fail. */
async function run(name, { at, known, show }) {
  const start = performance.now();
  let place;
  try {
    place = await makePlace(at);
    await within(show(place).then(() => place.check()));
    if (known) throw new Error(`it passes: this is no longer so: ${known}`);
    tally.passed++;
    console.log(`  ok   ${name} (${Math.round(performance.now() - start)} ms)`);
  } catch (error) {
    if (known && !error.message.startsWith("it passes")) {
      tally.known++;
      return console.log(`  known ${name}: ${known}`);
    }
    tally.failed++;
    console.log(`  FAIL ${name}: ${error.message.replace(/\s*\n\s*/g, " ").slice(0, 1000)}`);
    for (const line of evidence(place, error)) console.log(`         ${line}`);
  } finally {
    await place?.close();
  }
}

function evidence(place, error) {
  const at = (error.stack ?? "").split("\n").filter((line) => line.includes("/sign-in/cases/"));
  const last = (wire) => wire.lines().filter((line) => !line.includes("/.well-known/")).slice(-EVIDENCE_LINES);
  return [...at, ...(place ? [...last(place.as.wire), ...last(place.mcp.wire)] : [])];
}

async function within(promise) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${CASE_LIMIT_MS} ms`)), CASE_LIMIT_MS);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
