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
const STATE = "st.ate/with+special=chars and \"quotes\"";

const call = ({ mcpReq }) => ({
  signal: mcpReq.signal,
  progressToken: mcpReq._meta?.progressToken,
  notify: (method, params) => mcpReq.notify({ method, params }),
  log: (level, data) => mcpReq.log(level, data),
});

function ask({ method, params }, { mcpReq }) {
  const answer = mcpReq.inputResponses?.answer;
  if (answer === undefined)
    return inputRequired({ inputRequests: { answer: params ? { method, params } : { method } }, requestState: STATE });
  if (mcpReq.requestState() !== STATE) throw new Error(`requestState came back as ${mcpReq.requestState()}`);
  return text(JSON.stringify(answer));
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
