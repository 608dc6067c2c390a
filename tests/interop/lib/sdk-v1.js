// The official TypeScript SDK, first generation (@modelcontextprotocol/sdk).

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";

const schemas = {
  "sampling/createMessage": CreateMessageRequestSchema,
  "elicitation/create": ElicitRequestSchema,
  "roots/list": ListRootsRequestSchema,
};

export const name = "TypeScript SDK v1 client";
export const stdio = (parameters) => new StdioClientTransport(parameters);
export const client = (info, capabilities) => new Client(info, { capabilities });
export const answer = (client, method, reply) => client.setRequestHandler(schemas[method], async () => reply());
export const callTool = (client, call, options) => client.callTool(call, undefined, options);
export const request = (client, method, params) => client.request({ method, params }, z.any());
