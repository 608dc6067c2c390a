// A server of the modern era, made with the TypeScript SDK v2: node modern.js PORT only|dual
// `only` refuses every legacy request; `dual` is createMcpHandler as it comes, whose legacy side
// keeps no session. It asks the client by `input_required` results.

import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer, ResourceTemplate, completable, createMcpHandler, inputRequired } from "@modelcontextprotocol/server";
import { z } from "zod";
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

function makeServer() {
  const server = new McpServer(INFO, { capabilities: CAPABILITIES });
  const kit = {
    z, ResourceTemplate, completable, promptArguments: z.object, call, ask,
    grow: () => {
      state.grown = true;
      handler.notify.toolsChanged();
    },
    touch: () => handler.notify.resourceUpdated(NOTE),
  };
  offer(server, kit, state);
  if (state.grown) tool(server, kit, "grown", () => text("grown"));
  return server;
}

const handler = createMcpHandler(makeServer, mode === "only" ? { legacy: "reject" } : {});
createServer(toNodeHandler(handler)).listen(Number(port), "127.0.0.1");
