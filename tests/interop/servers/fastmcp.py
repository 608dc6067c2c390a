"""A server made with the Python SDK v1: fastmcp.py PORT streamable-http|sse"""

import sys

from mcp.server.fastmcp import Context, FastMCP
from python_behaviour import offer

PORT, TRANSPORT = sys.argv[1:]

server = FastMCP("interop-server", host="127.0.0.1", port=int(PORT), log_level="ERROR")
offer(server, Context, lambda ctx: ctx.error("logged"))


async def accept(_) -> None:
    pass


# FastMCP has no handlers for these; the server below it has.
server._mcp_server.subscribe_resource()(accept)
server._mcp_server.unsubscribe_resource()(accept)
server._mcp_server.set_logging_level()(accept)
server.run(TRANSPORT)
