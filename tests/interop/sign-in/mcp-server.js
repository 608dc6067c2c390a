// An MCP server behind a bearer check, both of the official SDK: 401 without a token that is good,
// 403 where the token does not cover the tool that is called.

import express from "express";
import { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";
import { sessions } from "../servers/sessions.js";

export const TOOLS = ["whoami", "scopes", "write"];

/** The scope that each tool needs; everything else needs the first. */
const NEEDS = { write: ["mcp:write"] };
const USUAL = ["mcp:read"];

/** `metadata` is the authorization server's; `find(token)` its record of a token; `audience()` what tokens must be for. */
export function mcpServer({ resource, metadata, find, audience }) {
  const url = new URL(resource);
  const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(url);
  const verifier = { verifyAccessToken: (token) => verified(token, find) };
  const guard = (requiredScopes) =>
    requireBearerAuth({ verifier, requiredScopes, resourceMetadataUrl, expectedResource: audience() });
  const serve = sessions(connect);
  const app = express();
  app.use(mcpAuthMetadataRouter({ oauthMetadata: metadata, resourceServerUrl: url, scopesSupported: USUAL }));
  app.use(express.json());
  app.all(url.pathname, (request, response, next) => guard(needed(request.body))(request, response, next));
  app.all(url.pathname, (request, response) => serve(request, response, request.body));
  return app;
}

function needed(body) {
  const called = [body].flat().find((message) => message?.method === "tools/call")?.params?.name;
  return NEEDS[called] ?? USUAL;
}

async function verified(token, find) {
  const known = await find(token);
  if (!known) throw new InvalidTokenError("The token is not known");
  return {
    token, clientId: known.clientId, scopes: known.scope?.split(" ") ?? [], expiresAt: known.exp,
    resource: new URL(known.aud), extra: { account: known.accountId },
  };
}

async function connect(options) {
  const server = new McpServer({ name: "signed-in", version: "1.0.0" }, { capabilities: { tools: { listChanged: true } } });
  const tool = (name, says) =>
    server.registerTool(name, { inputSchema: z.object({}) }, async (_, extra) => ({ content: [{ type: "text", text: says(extra) }] }));
  tool("whoami", ({ authInfo }) => authInfo.extra.account ?? authInfo.clientId);
  tool("scopes", ({ authInfo }) => authInfo.scopes.join(" "));
  tool("write", () => "written");
  const transport = new StreamableHTTPServerTransport(options);
  await server.connect(transport);
  return transport;
}
