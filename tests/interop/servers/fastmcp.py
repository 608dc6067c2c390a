"""A server made with the Python SDK (FastMCP): fastmcp.py PORT streamable-http|sse"""

import asyncio
import json
import sys

from mcp.server.fastmcp import Context, FastMCP
from mcp.types import Completion, SamplingMessage, TextContent
from pydantic import AnyUrl, BaseModel

PORT, TRANSPORT = sys.argv[1:]
NAMES = ["Ada", "Alan", "Grace"]

server = FastMCP("interop-server", host="127.0.0.1", port=int(PORT), log_level="ERROR")
cancelled = asyncio.Event()


@server.resource("interop://note")
def note() -> str:
    return "a note"


@server.resource("interop://item/{id}")
def item(id: str) -> str:
    return f"item {id}"


@server.prompt()
def greet(name: str) -> str:
    return f"Greet {name}"


@server.completion()
async def complete(ref, argument, context):
    return Completion(values=[name for name in NAMES if name.startswith(argument.value)])


# FastMCP has no handlers for these two; the server below it has.
@server._mcp_server.subscribe_resource()
async def subscribe(uri: AnyUrl) -> None:
    pass


@server._mcp_server.unsubscribe_resource()
async def unsubscribe(uri: AnyUrl) -> None:
    pass


@server._mcp_server.set_logging_level()
async def set_level(level) -> None:
    pass


@server.tool()
def echo(message: str) -> str:
    return message


@server.tool()
async def progress(steps: int, ctx: Context) -> str:
    for step in range(1, steps + 1):
        await ctx.report_progress(step, steps)
    return "done"


@server.tool()
async def log(ctx: Context) -> str:
    await ctx.error("logged")
    return "told"


@server.tool()
async def touch(ctx: Context) -> str:
    await ctx.session.send_resource_updated(AnyUrl("interop://note"))
    return "told"


@server.tool()
async def grow(ctx: Context) -> str:
    await ctx.session.send_tool_list_changed()
    return "told"


@server.tool()
async def sample(ctx: Context) -> str:
    question = SamplingMessage(role="user", content=TextContent(type="text", text="say something"))
    answer = await ctx.session.create_message([question], max_tokens=10)
    return answer.content.text


class Person(BaseModel):
    name: str
    integer: int


@server.tool()
async def elicit(ctx: Context) -> str:
    answer = await ctx.elicit("Who are you?", Person)
    return answer.data.model_dump_json()


@server.tool()
async def roots(ctx: Context) -> str:
    listed = await ctx.session.list_roots()
    return json.dumps([str(root.uri) for root in listed.roots])


@server.tool()
async def ping_client(ctx: Context) -> str:
    await ctx.session.send_ping()
    return "pong"


@server.tool()
async def hang(ctx: Context) -> str:
    await ctx.report_progress(0)
    try:
        await asyncio.Event().wait()
    finally:
        cancelled.set()
    return "never"


@server.tool()
async def was_cancelled() -> str:
    await cancelled.wait()
    return "cancelled"


server.run(TRANSPORT)
