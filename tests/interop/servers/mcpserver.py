"""A server made with the Python SDK v2, its legacy side: mcpserver.py PORT streamable-http|sse"""

import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import EmptyResult, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams
from python_behaviour import offer

PORT, TRANSPORT = sys.argv[1:]

server = MCPServer("interop-server", log_level="ERROR")
offer(server, Context, lambda ctx: ctx.log("error", "logged"))


async def accept(ctx, params) -> EmptyResult:
    return EmptyResult()


# MCPServer has no handlers for these; the server below it has.
low = server._lowlevel_server
low.add_request_handler("resources/subscribe", SubscribeRequestParams, accept)
low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, accept)
low.add_request_handler("logging/setLevel", SetLevelRequestParams, accept)
server.run(TRANSPORT, host="127.0.0.1", port=int(PORT))
