// A server of the modern era, made with the TypeScript SDK v2: node modern.js PORT only|dual|sessions
// `only` refuses every legacy request; `dual` is createMcpHandler as it comes, whose legacy side
// keeps no session; `sessions` has a legacy side beside it that does. It asks the client by
// `input_required` results, which the SDK turns into requests on that legacy side.

import { text as bodyOf } from "node:stream/consumers";
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from "@modelcontextprotocol/node";
import {
  McpServer, ResourceTemplate, completable, createMcpHandler, inputRequired, isLegacyRequest,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { listen, sessions } from "../../servers/sessions.js";
import { CAPABILITIES, INFO, NOTE, freshState, offer, text, tool } from "./behaviour.js";

const [port, mode] = process.argv.slice(2);
const state = freshState();
// Has to come back as it is, so it holds what a careless way through JSON or HTTP would change.
const MARK = "st.ate/with+special=chars and \"quotes\"";

const call = ({ mcpReq }) => ({
  signal: mcpReq.signal,
  progressToken: mcpReq._meta?.progressToken,
  notify: (method, params) => mcpReq.notify({ method, params }),
  log: (level, data) => mcpReq.log(level, data),
});

/** Keeps between the rounds nothing but what the client brings back. */
function ask(rounds, { mcpReq }) {
  const before = JSON.parse(mcpReq.requestState() ?? JSON.stringify({ mark: MARK, round: -1, answers: [] }));
  if (before.mark !== MARK) throw new Error(`requestState came back as ${mcpReq.requestState()}`);
  const key = (index) => `question ${index}`;
  const answered = rounds[before.round] ?? [];
  const answers = [...before.answers, ...answered.map((_, index) => mcpReq.inputResponses[key(index)])];
  const round = before.round + 1;
  if (round === rounds.length) return text(JSON.stringify(answers));
  return inputRequired({
    inputRequests: Object.fromEntries(rounds[round].map((question, index) => [key(index), question])),
    requestState: JSON.stringify({ mark: MARK, round, answers }),
  });
}

function makeServer({ era } = { era: "legacy" }) {
  const server = new McpServer(INFO, { capabilities: CAPABILITIES });
  const kit = {
    z, ResourceTemplate, completable, promptArguments: z.object, call, ask,
    ...(era === "legacy" ? changesOfSession(server, () => kit) : changes),
  };
  offer(server, kit, state);
  if (state.grown) tool(server, kit, "grown", () => text("grown"));
  return server;
}

/** How those are told who listen. */
const changes = {
  grow: () => {
    state.grown = true;
    handler.notify.toolsChanged();
  },
  touch: () => handler.notify.resourceUpdated(NOTE),
};

/** How the client of a legacy session is told. */
function changesOfSession(server, kit) {
  const subscribed = new Set();
  server.server.setRequestHandler("resources/subscribe", async ({ params }) => (subscribed.add(params.uri), {}));
  server.server.setRequestHandler("resources/unsubscribe", async ({ params }) => (subscribed.delete(params.uri), {}));
  return {
    grow: () => tool(server, kit(), "grown", () => text("grown")),
    touch: async () => {
      if (subscribed.has(NOTE)) await server.server.sendResourceUpdated({ uri: NOTE });
    },
  };
}

/** Sends legacy requests to servers with sessions, and the others to the modern one. */
function beside(modern) {
  const legacy = sessions(async (options) => {
    const transport = new NodeStreamableHTTPServerTransport(options);
    await makeServer().connect(transport);
    return transport;
  });
  return async (request, response) => {
    const sent = await bodyOf(request);
    const body = sent === "" ? undefined : JSON.parse(sent);
    const goes = (await isLegacyRequest(await toWebRequest(request, body))) ? legacy : modern;
    await goes(request, response, body);
  };
}

const handler = createMcpHandler(makeServer, mode === "dual" ? {} : { legacy: "reject" });
const modern = toNodeHandler(handler);
listen(Number(port), mode === "sessions" ? beside(modern) : modern);
