// One connected SDK client, whichever generation of the SDK made it, with what the cells need:
// everything it received in order, how its process ended, what that process wrote to stderr.

import { EventEmitter, once } from "node:events";

export const ROOT = { uri: "file:///interop/root", name: "the only root" };
export const ELICITED = { name: "Ada Lovelace", integer: 7 };
export const SAMPLED = "an answer made up by the client";

/** `sdk` is sdk-v1.js or sdk-v2.js. */
export async function connectClient(sdk, { command, args, env }) {
  const transport = sdk.stdio({ command, args, env, stderr: "pipe" });
  const client = new ConnectedClient(sdk, transport);
  const connecting = client.sdkClient.connect(transport, { timeout: 15_000 });
  // Both SDKs keep the process to themselves, and how it ended is part of what is tested.
  client.exit = once(transport._process, "exit").then(([code, signal]) => ({ code, signal }));
  try {
    await connecting;
  } catch (error) {
    await client.sdkClient.close();
    throw new Error(`${error.message}${client.stderr && `\nstderr: ${client.stderr}`}`);
  }
  return client;
}

class ConnectedClient {
  received = [];
  stderr = "";
  #changed = new EventEmitter();

  constructor(sdk, transport) {
    this.sdk = sdk;
    transport.stderr.on("data", (chunk) => (this.stderr += chunk));
    transport.onmessage = (message) => (this.received.push(message), this.#changed.emit("changed"));
    this.sdkClient = sdk.client(
      { name: "composio-bridge-interop", version: "1.0.0" },
      { sampling: {}, elicitation: {}, roots: { listChanged: true } },
    );
    sdk.answer(this.sdkClient, "roots/list", () => ({ roots: [ROOT] }));
    sdk.answer(this.sdkClient, "elicitation/create", () => ({ action: "accept", content: ELICITED }));
    sdk.answer(this.sdkClient, "sampling/createMessage", () => ({
      model: "interop-model", role: "assistant", content: { type: "text", text: SAMPLED },
    }));
  }

  /** Calls a tool; the text of its content, joined. */
  async call(call, options = {}) {
    const result = await this.sdk.callTool(this.sdkClient, call, options);
    const text = result.content.map((block) => block.text ?? "").join("\n");
    if (result.isError) throw new Error(`the tool failed: ${text}`);
    return text;
  }

  request(method, params) {
    return this.sdk.request(this.sdkClient, method, params);
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
