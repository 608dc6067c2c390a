// One connected client of the matrix: what it received, in order, what it was asked, how its
// process ended, and what that process wrote to stderr.

import { EventEmitter, once } from "node:events";
import { request } from "./locals.js";

export const ROOT = { uri: "file:///interop/root", name: "the only root" };
export const ELICITED = { name: "Ada Lovelace", integer: 7 };
export const SAMPLED = "an answer made up by the client";

/** `local` is one of locals.js; `peer` is {command, args, env}, or {url} for no bridge at all. */
export async function connectClient(local, peer) {
  const transport = peer.url ? local.http(peer.url) : local.stdio({ ...peer, stderr: "pipe" });
  const client = new ConnectedClient(local, transport);
  try {
    await client.sdkClient.connect(transport, { timeout: 15_000 });
  } catch (error) {
    await client.sdkClient.close();
    throw new Error(`${error.message}${client.stderr && `\nstderr: ${client.stderr}`}`);
  }
  // The SDKs keep the process to themselves, and how it ended is part of what is tested.
  if (!peer.url) client.exit = once(transport._process, "exit").then(([code, signal]) => ({ code, signal }));
  return client;
}

class ConnectedClient {
  received = [];
  asked = [];
  stderr = "";
  #changed = new EventEmitter();

  constructor(local, transport) {
    this.local = local;
    this.sdkClient = local.client();
    transport.stderr?.on("data", (chunk) => (this.stderr += chunk));
    transport.onmessage = (message) => (this.received.push(message), this.#changed.emit("changed"));
    this.#answer("roots/list", () => ({ roots: [ROOT] }));
    this.#answer("sampling/createMessage", () => ({
      model: "interop-model", role: "assistant", content: { type: "text", text: SAMPLED },
    }));
    if (local.elicitation)
      this.#answer("elicitation/create", ({ mode }) => ({ action: "accept", ...(mode !== "url" && { content: ELICITED }) }));
  }

  #answer(method, reply) {
    this.local.answer(this.sdkClient, method, async ({ params = {} }) => {
      this.asked.push({ method, params });
      return reply(params);
    });
  }

  /** The version that the client goes by. */
  get version() {
    return this.sdkClient.getNegotiatedProtocolVersion?.() ?? this.received.find((m) => m.result?.protocolVersion)?.result.protocolVersion;
  }

  /** Calls a tool; the text of its content, joined. */
  async call(name, args = {}, { _meta, ...options } = {}) {
    const result = await this.local.callTool(this.sdkClient, { name, arguments: args, ...(_meta && { _meta }) }, options);
    const text = result.content.map((block) => block.text ?? "").join("\n");
    if (result.isError) throw new Error(`the tool failed: ${text}`);
    return text;
  }

  request(method, params) {
    return request(this.sdkClient, method, params);
  }

  /** Waits until a message that satisfies `test` has arrived, at or after position `from`. */
  async until(test, what, from = 0, limitMs = 4_000) {
    const signal = AbortSignal.timeout(limitMs);
    for (;;) {
      const found = this.received.slice(from).find(test);
      if (found) return found;
      await once(this.#changed, "changed", { signal }).catch(() => {
        throw new Error(`not received within ${limitMs} ms: ${what}`);
      });
    }
  }
}
