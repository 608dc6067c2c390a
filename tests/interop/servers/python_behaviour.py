"""What the Python servers offer: the same as behaviour.js, on either generation of the SDK."""

import asyncio
import json

from mcp.types import Completion, SamplingMessage, TextContent
from pydantic import AnyUrl, BaseModel

NOTE = AnyUrl("interop://note")
NAMES = ["Ada", "Alan", "Grace"]


class Person(BaseModel):
    name: str
    integer: int


def offer(server, Context, log):
    """Registers everything; `Context` is the SDK's class, `log(ctx)` writes one log message."""
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

    @server.tool()
    def echo(message: str) -> str:
        return message

    @server.tool()
    async def progress(steps: int, ctx: Context) -> str:
        for step in range(1, steps + 1):
            await ctx.report_progress(step, steps)
        return "done"

    @server.tool(name="log")
    async def log_something(ctx: Context) -> str:
        await log(ctx)
        return "told"

    @server.tool()
    async def touch(ctx: Context) -> str:
        await ctx.session.send_resource_updated(NOTE)
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
