// The official TypeScript SDK, second generation (@modelcontextprotocol/client). Left to its
// default, it opens with `initialize` as every client of the legacy era does.

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { z } from "zod";

export const name = "TypeScript SDK v2 client";
export const stdio = (parameters) => new StdioClientTransport(parameters);
export const client = (info, capabilities) => new Client(info, { capabilities });
export const answer = (client, method, reply) => client.setRequestHandler(method, async () => reply());
export const callTool = (client, call, options) => client.callTool(call, options);
export const request = (client, method, params) => client.request({ method, params }, z.any());
