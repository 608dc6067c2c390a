// What the servers of the era matrix offer, whichever generation of the SDK they are made with.
// `kit` hides the differences: {z, ResourceTemplate, completable, promptArguments, call, ask, grow,
// touch}. `call(context)` gives {signal, progressToken, notify, log} for the request being handled;
// `ask(rounds, context)` gives what a tool returns that puts questions to the client, those of a
// round at once.

export const INFO = { name: "interop-eras", version: "1.0.0" };
export const CAPABILITIES = {
  logging: {}, completions: {}, tools: { listChanged: true }, resources: { subscribe: true }, prompts: {},
};
export const NOTE = "interop://note";
export const text = (words) => ({ content: [{ type: "text", text: words }] });

const NAMES = ["Ada", "Alan", "Grace"];
const LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/** Whether a message of this level is wanted by someone who asked for `least`, or for nothing. */
export const admits = (least, level) => LEVELS.indexOf(level) >= LEVELS.indexOf(least ?? "debug");

const sample = (words) => ({
  method: "sampling/createMessage",
  params: { messages: [{ role: "user", content: { type: "text", text: words } }], maxTokens: 10 },
});

/** The tools that put one question to the client, and the questions. */
const QUESTIONS = {
  sample: sample("say something"),
  elicit_form: {
    method: "elicitation/create",
    params: {
      mode: "form",
      message: "Who are you?",
      requestedSchema: {
        type: "object",
        properties: { name: { type: "string" }, integer: { type: "integer" } },
        required: ["name"],
      },
    },
  },
  elicit_url: {
    method: "elicitation/create",
    params: { mode: "url", message: "Please sign in.", url: "https://interop.example/sign-in?state=a%2Fb" },
  },
  roots: { method: "roots/list" },
};

/** Registers everything. `state` lives as long as the process. */
export function offer(server, kit, state) {
  offerTools(server, kit);
  offerResourceAndPrompt(server, kit);
  offerMeeting(server, kit, state);
  offerCancellation(server, kit, state);
  for (const [name, question] of Object.entries(QUESTIONS))
    tool(server, kit, name, (context) => kit.ask([[question]], context));
  const rounds = [[QUESTIONS.roots, sample("first")], [sample("second")]];
  tool(server, kit, "two_rounds", (context) => kit.ask(rounds, context));
}

/** What everything in one process knows. */
export function freshState() {
  const state = { grown: false, meeting: 0 };
  state.cancelled = new Promise((resolve) => (state.noticed = resolve));
  state.met = new Promise((resolve) => (state.second = resolve));
  return state;
}

/** A tool without arguments. */
export function tool(server, { z }, name, handle) {
  return server.registerTool(name, { inputSchema: z.object({}) }, async (_, context) => handle(context));
}

function offerTools(server, kit) {
  const { z, call } = kit;
  server.registerTool("echo", { inputSchema: z.object({ message: z.string() }) }, async ({ message }) => text(message));
  server.registerTool("progress", { inputSchema: z.object({ steps: z.number() }) }, async ({ steps }, context) => {
    const { progressToken, notify } = call(context);
    for (let progress = 1; progress <= steps; progress++)
      await notify("notifications/progress", { progressToken, progress, total: steps });
    return text("done");
  });
  tool(server, kit, "log", async (context) => {
    const { log } = call(context);
    await log("info", "quiet");
    await log("error", "loud");
    return text("logged");
  });
  tool(server, kit, "touch", async (context) => {
    await kit.touch(context);
    return text("touched");
  });
  tool(server, kit, "grow", async () => {
    await kit.grow();
    return text("grown");
  });
}

function offerResourceAndPrompt(server, { z, ResourceTemplate, completable, promptArguments }) {
  const read = (words) => (uri) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: words(uri) }] });
  server.registerResource("note", NOTE, { mimeType: "text/plain" }, async (uri) => read(() => "a note")(uri));
  const item = new ResourceTemplate("interop://item/{id}", { list: undefined });
  server.registerResource("item", item, {}, async (uri) => read((u) => `item ${u.pathname.slice(1)}`)(uri));
  const name = completable(z.string(), (value) => NAMES.filter((n) => n.startsWith(value)));
  server.registerPrompt("greet", { argsSchema: promptArguments({ name }) }, ({ name }) => ({
    messages: [{ role: "user", content: { type: "text", text: `Greet ${name}` } }],
  }));
}

/** The first call is answered when a second one has come. */
function offerMeeting(server, kit, state) {
  tool(server, kit, "meet", async () => {
    if (++state.meeting === 2) state.second();
    await state.met;
    return text("met");
  });
}

function offerCancellation(server, kit, state) {
  tool(server, kit, "hang", async (context) => {
    const { signal, progressToken, notify } = kit.call(context);
    signal.addEventListener("abort", state.noticed);
    await notify("notifications/progress", { progressToken, progress: 0 });
    await state.cancelled;
    return text("too late");
  });
  tool(server, kit, "was_cancelled", async () => {
    await state.cancelled;
    return text("cancelled");
  });
}
