// Starts a real MCP server in a process of its own, on a free port, and ends it again.

import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";

const START_LIMIT_MS = 20_000;
const KEPT_OUTPUT = 4_000;

// Whatever ends this process, no server outlives it.
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** `spec`: {command, args, env}; `{port}` in an argument or a variable becomes the port. */
export async function startServer(spec) {
  const port = await freePort();
  const fill = (text) => text.replaceAll("{port}", String(port));
  const env = Object.fromEntries(Object.entries(spec.env ?? {}).map(([k, v]) => [k, fill(v)]));
  const child = spawn(spec.command, spec.args.map(fill), {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const server = { port, child, output: "" };
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => (server.output = (server.output + chunk).slice(-KEPT_OUTPUT)));
  server.ended = new Promise((resolve) => child.once("exit", resolve));
  server.stop = () => stop(server);
  await accepting(server);
  return server;
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function accepting(server) {
  const limit = Date.now() + START_LIMIT_MS;
  while (!(await canConnect(server.port))) {
    if (server.child.exitCode !== null || Date.now() > limit) {
      await server.stop();
      throw new Error(`the server did not start:\n${server.output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

async function stop(server) {
  if (server.child.exitCode === null && server.child.signalCode === null) server.child.kill("SIGKILL");
  await server.ended;
  running.delete(server.child);
}
