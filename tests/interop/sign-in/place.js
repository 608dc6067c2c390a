// Everything one case plays with: an authorization server and an MCP server, each behind a
// recording proxy; an empty home; a person at a browser; and what was said by every program that
// was started there, which has to hold no secret.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import express from "express";
import { connectClient } from "../eras/client.js";
import { locals } from "../eras/locals.js";
import { emptyHome, executable } from "../lib/executable.js";
import { Wire } from "../lib/wire.js";
import { PATH, authorizationServer } from "./authorization-server.js";
import { TOOLS, mcpServer } from "./mcp-server.js";
import { secretsOf } from "./secrets.js";

const PERSON = fileURLToPath(new URL("person.js", import.meta.url));
const WAIT_MS = 15_000;
const localNamed = (name) => locals.find((local) => local.name === name);

/** The SDK's first generation; its second, which holds out for 2026-07-28; and that as shipped, which asks first. */
export const CLIENTS = { legacy: localNamed("2025-11-25"), modern: localNamed("2026-07-28"), auto: localNamed("dual-era") };

/** The names of the tools that a client is shown. */
export const toolsOf = async (client) => (await client.sdkClient.listTools()).tools.map(({ name }) => name);

/** Starts a place; `life` and all else as in authorization-server.js. */
export async function makePlace({ life = 3600, patience = 600, offline = true, lists = false, clients = [], audience } = {}) {
  const [as, mcp] = await Promise.all([open(), open()]);
  const issuer = `${as.origin}${PATH}`;
  const endpoint = `${mcp.origin}/mcp`;
  const state = { life, patience, audience: audience?.(mcp.origin) ?? endpoint };
  const provider = authorizationServer({ issuer, offline, lists, clients, state });
  as.serve(express().use(PATH, provider.callback()));
  const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const find = async (token) => (await provider.AccessToken.find(token)) ?? provider.ClientCredentials.find(token);
  mcp.serve(mcpServer({ resource: endpoint, metadata, find, audience: () => state.audience }));
  return new Place({ as, mcp, issuer, endpoint, state, provider, metadata });
}

/** A server whose application comes later, as it has to know its own address. */
async function open() {
  let application = (_, response) => response.writeHead(503).end();
  const server = createServer((request, response) => application(request, response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const wire = await Wire.before(server.address().port);
  const close = async () => {
    await wire.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { wire, origin: `http://127.0.0.1:${wire.port}`, serve: (other) => (application = other), close };
}

class Place {
  /** What must be said nowhere beside what goes over the wire. */
  secrets = [];
  #said = [];
  #clients = [];
  #runs = [];
  #home = emptyHome();

  constructor(parts) {
    Object.assign(this, parts);
    this.home = this.#home.env.HOME;
    this.person = new Person(join(this.home, "person"));
    this.env = {
      HOME: this.home,
      PATH: process.env.PATH,
      BROWSER: PERSON,
      PERSON: this.person.directory,
      MCP_REMOTE_CONFIG_DIR: join(this.home, "mcp-auth"),
      COMPOSIO_BRIDGE_STATE_DIR: join(this.home, "state"),
      COMPOSIO_BRIDGE_LOG_LEVEL: "trace",
      COMPOSIO_BRIDGE_LOG_FILE: join(this.home, "log"),
    };
  }

  /** Starts the executable: a command of its own, or a bridge whose other end is left alone. */
  start(args, env = {}) {
    const { command, args: first } = executable();
    return this.startOther(command, [...first, ...args], env);
  }

  startOther(command, args, env = {}) {
    const run = new Run(spawn(command, args, { env: { ...this.env, ...env }, stdio: ["pipe", "pipe", "pipe"] }));
    this.#runs.push(run);
    this.#said.push(() => run.said);
    return run;
  }

  /** Runs a command to its end. */
  run(args, env) {
    return this.start(args, env).end();
  }

  /** Signs in, which has to succeed. */
  async login(...args) {
    const { code, said } = await this.run(["login", this.endpoint, ...args]);
    assert.equal(code, 0, `login: ${said}`);
    return said;
  }

  /** An SDK client, one of CLIENTS, connected through the executable, or through what `peer` starts. */
  async client(local = CLIENTS.legacy, args = [], { peer, env } = {}) {
    const { command, args: first } = peer ?? executable();
    const client = await connectClient(local, {
      command, args: [...first, this.endpoint, ...args], env: { ...this.env, ...env },
    });
    this.#clients.push(client);
    // What others say is theirs.
    if (!peer) this.#said.push(() => client.stderr + JSON.stringify(client.received));
    return client;
  }

  /** The same, and whatever else a case is about, this is what a sign-in is for. */
  async works(args = [], { local = CLIENTS.legacy, who = "ada", ...options } = {}) {
    const client = await this.client(local, args, options);
    assert.deepEqual(await toolsOf(client), TOOLS);
    assert.equal(await client.call("whoami"), who);
    return client;
  }

  /** The requests that came to the token endpoint, as {form, answer, at}. */
  get tokenRequests() {
    const path = new URL(this.metadata.token_endpoint).pathname;
    return this.as.wire.exchanges.filter((x) => x.path === path).map((x) => ({
      form: Object.fromEntries(new URLSearchParams(x.sent)), status: x.status, headers: x.request,
      answer: x.received && JSON.parse(x.received),
    }));
  }

  /** Those of one grant that were granted. */
  granted(type) {
    return this.tokenRequests.filter(({ form, status }) => form.grant_type === type && status === 200);
  }

  /** What the executable keeps, read as text. */
  get kept() {
    const directory = join(this.home, "state", "sign-ins");
    const files = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".json")) : [];
    return files.map((name) => ({ file: join(directory, name), ...JSON.parse(readFileSync(join(directory, name), "utf8")) }));
  }

  /** Makes the stored tokens look as if their time were over; {end} in seconds since 1970. */
  age(end = Math.floor(Date.now() / 1000) - 1) {
    for (const { file, ...sign_in } of this.kept)
      writeFileSync(file, JSON.stringify({ ...sign_in, given_at: end - 3600, expires_at: end }));
  }

  /** The authorization server ends the sign-in that this token belongs to. */
  async revoke(accessToken) {
    const { AccessToken, RefreshToken, Grant } = this.provider;
    const { grantId } = await AccessToken.find(accessToken);
    await (await Grant.find(grantId)).destroy();
    for (const model of [AccessToken, RefreshToken]) await model.revokeByGrantId(grantId);
  }

  /** No secret in anything that was said, none sent to where it does not belong, no file for others. */
  check() {
    const secrets = [...secretsOf(this.as.wire), ...this.secrets.map((secret) => ({ kind: "a secret of the test", secret }))];
    const log = this.env.COMPOSIO_BRIDGE_LOG_FILE;
    const said = [...this.#said.map((say) => say()), existsSync(log) ? readFileSync(log, "utf8") : ""].join("\n");
    for (const { secret, kind } of secrets) {
      const line = said.split("\n").find((text) => text.includes(secret));
      assert.ok(!line, `${kind} is said: ${line?.slice(0, 300)}`);
    }
    strangers(this.mcp.wire, secrets.filter(({ kind }) => kind !== "access_token"), "MCP server");
    strangers(this.as.wire, secrets.filter(({ kind }) => kind === "access_token"), "authorization server");
    privateBelow(join(this.home, "state"));
    return secrets.length;
  }

  async close() {
    await Promise.all(this.#clients.map((client) => client.sdkClient.close()));
    for (const run of this.#runs) run.kill();
    await Promise.all(this.#runs.map((run) => run.end()));
    await Promise.all([this.as.close(), this.mcp.close()]);
    this.#home.remove();
  }
}

function strangers(wire, secrets, whose) {
  for (const exchange of wire.exchanges) {
    const sent = `${exchange.path}\n${JSON.stringify(exchange.request)}\n${exchange.sent}`;
    const found = secrets.find(({ secret }) => sent.includes(secret));
    assert.ok(!found, `the ${whose} was sent ${found?.kind}: ${exchange.method} ${exchange.path}`);
  }
}

function privateBelow(path) {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { recursive: true })) {
    const { mode } = statSync(join(path, entry));
    assert.equal(mode & 0o077, 0, `others may read or write ${entry}: ${(mode & 0o777).toString(8)}`);
  }
}

/** A program that was started: what it says, and how it ends. */
class Run {
  said = "";
  #changed = new EventEmitter();
  #ended;

  constructor(child) {
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => ((this.said += chunk), this.#changed.emit("changed")));
    this.#ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal, said: this.said }));
    });
    this.#ended.catch(() => {});
  }

  /** Waits until something was said; the match. */
  async says(pattern, limitMs = WAIT_MS) {
    const signal = AbortSignal.timeout(limitMs);
    for (;;) {
      const found = pattern.exec(this.said);
      if (found) return found;
      await once(this.#changed, "changed", { signal }).catch(() => {
        throw new Error(`not said within ${limitMs} ms: ${pattern}; but ${JSON.stringify(this.said)}`);
      });
    }
  }

  async end(limitMs = WAIT_MS) {
    const limit = new AbortController();
    const late = sleep(limitMs, undefined, { signal: limit.signal }).then(() => {
      throw new Error(`still running after ${limitMs} ms: ${JSON.stringify(this.said)}`);
    });
    return Promise.race([this.#ended, late]).finally(() => (late.catch(() => {}), limit.abort()));
  }

  kill() {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
  }
}

/** Who sits at the browser. */
class Person {
  constructor(directory) {
    this.directory = directory;
    mkdirSync(directory);
  }

  /** {denies}, {delay} in ms, {leaves}: opens pages and does nothing there. */
  is(habits) {
    writeFileSync(join(this.directory, "habits.json"), JSON.stringify(habits));
  }

  forgets() {
    rmSync(join(this.directory, "cookies.json"), { force: true });
  }

  get jar() {
    const file = join(this.directory, "cookies.json");
    return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  }

  /** What the browser did, in order. */
  get visits() {
    const file = join(this.directory, "visits");
    if (!existsSync(file)) return [];
    return readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  get opened() {
    return this.visits.filter(({ opened }) => opened);
  }

  /** The ends of visits. */
  get ended() {
    return this.visits.filter(({ ended, failed }) => ended || failed);
  }

  /** Waits until so many visits have begun, or ended. */
  async until(what, count, limitMs = WAIT_MS) {
    const limit = Date.now() + limitMs;
    while (this[what].length < count) {
      if (Date.now() > limit) throw new Error(`${this[what].length} visits ${what} within ${limitMs} ms, and not ${count}`);
      await sleep(20);
    }
    return this[what];
  }
}
