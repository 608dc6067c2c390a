// What the servers of this directory offer, whichever generation of the SDK they are made with.
// `kit` hides the differences: {z, ResourceTemplate, completable, promptArguments, call}, where
// `call(context)` gives {signal, progressToken, request, notify, hangUp} for the request being handled.

const text = (words) => ({ content: [{ type: "text", text: words }] });
const NAMES = ["Ada", "Alan", "Grace"];

/** Registers everything on an McpServer made for one session. */
export function offer(server, kit) {
  offerResources(server, kit);
  offerPrompt(server, kit);
  offerPlainTools(server, kit);
  offerRequestsToTheClient(server, kit);
  offerNotifications(server, kit);
  offerCancellation(server, kit);
}

export const capabilities = { logging: {}, resources: { subscribe: true, listChanged: true }, tools: { listChanged: true } };

function offerResources(server, { ResourceTemplate }) {
  const read = (words) => (uri) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: words(uri) }] });
  server.registerResource("note", "interop://note", { mimeType: "text/plain" }, async (uri) => read(() => "a note")(uri));
  const item = new ResourceTemplate("interop://item/{id}", { list: undefined });
  server.registerResource("item", item, {}, async (uri) => read((u) => `item ${u.pathname.slice(1)}`)(uri));
}

function offerPrompt(server, { z, completable, promptArguments }) {
  const name = completable(z.string(), (value) => NAMES.filter((n) => n.startsWith(value)));
  server.registerPrompt("greet", { argsSchema: promptArguments({ name }) }, ({ name }) => ({
    messages: [{ role: "user", content: { type: "text", text: `Greet ${name}` } }],
  }));
}

function offerPlainTools(server, { z, call }) {
  server.registerTool("echo", { inputSchema: z.object({ message: z.string() }) }, async ({ message }) => text(message));
  server.registerTool("progress", { inputSchema: z.object({ steps: z.number() }) }, async ({ steps }, context) => {
    const { progressToken, notify } = call(context);
    for (let progress = 1; progress <= steps; progress++)
      await notify("notifications/progress", { progressToken, progress, total: steps });
    return text("done");
  });
  server.registerTool("hang_up", { inputSchema: z.object({}) }, async (_, context) => {
    call(context).hangUp();
    return text("after the hang-up");
  });
}

function offerRequestsToTheClient(server, { z, call }) {
  const asking = (name, method, params, words) =>
    server.registerTool(name, { inputSchema: z.object({}) }, async (_, context) =>
      text(words(await call(context).request(method, params))));
  asking("sample", "sampling/createMessage", {
    messages: [{ role: "user", content: { type: "text", text: "say something" } }], maxTokens: 10,
  }, (result) => result.content.text);
  asking("elicit", "elicitation/create", {
    message: "Who are you?",
    requestedSchema: { type: "object", properties: { name: { type: "string" }, integer: { type: "integer" } } },
  }, (result) => JSON.stringify(result));
  asking("ping_client", "ping", undefined, () => "pong");
  // Asked outside of any request, so it goes out on the stream the client keeps open for listening.
  server.registerTool("roots", { inputSchema: z.object({}) }, async () => text(JSON.stringify(await server.server.listRoots())));
}

function offerNotifications(server, { z }) {
  const telling = (name, tell) =>
    server.registerTool(name, { inputSchema: z.object({}) }, async (_, context) => {
      await tell(context.sessionId);
      return text("told");
    });
  telling("touch", () => server.server.sendResourceUpdated({ uri: "interop://note" }));
  telling("log", (session) => server.sendLoggingMessage({ level: "error", data: "logged" }, session));
  telling("grow", () => server.registerTool("grown", { inputSchema: z.object({}) }, async () => text("grown")));
}

function offerCancellation(server, { z, call }) {
  let noticed;
  const cancelled = new Promise((resolve) => (noticed = resolve));
  server.registerTool("hang", { inputSchema: z.object({}) }, async (_, context) => {
    const { signal, progressToken, notify } = call(context);
    signal.addEventListener("abort", noticed);
    await notify("notifications/progress", { progressToken, progress: 0 });
    await cancelled;
    return text("too late");
  });
  server.registerTool("was_cancelled", { inputSchema: z.object({}) }, async () => {
    await cancelled;
    return text("cancelled");
  });
}
