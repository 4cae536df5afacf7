"""The Python MCP SDK as a client: `python_mcp.py auto|legacy|2026-07-28`."""

import asyncio
import os
import sys
from pathlib import Path

from mcp import Client, MCPError, StdioServerParameters

from checks import BINARY, FACT, QUESTION, TOOLS, WORD, expect, expect_equal, official_encoding

BUDGET = 300


def client(mode: str) -> Client:
    """Returns a client that starts its own server in this folder."""
    parameters = StdioServerParameters(command=BINARY, args=["serve"], env=dict(os.environ))
    return Client(parameters, mode=mode, read_timeout_seconds=30)


async def call(session: Client, tool: str, arguments: dict) -> dict:
    """Calls a tool that must succeed and returns its structured content."""
    result = await session.call_tool(tool, arguments)
    text = "".join(block.text for block in result.content if block.type == "text")
    expect(not result.is_error, f"{tool} succeeds", text)
    expect(text != "", f"{tool} has text for clients that read only text", text)
    return result.structured_content


async def refusal(session: Client, tool: str, arguments: dict) -> str:
    """Calls a tool that must refuse and returns what it said, in whichever of MCP's two ways."""
    try:
        result = await session.call_tool(tool, arguments)
    except MCPError as error:
        return str(error)
    text = "".join(block.text for block in result.content if block.type == "text")
    expect(result.is_error is True, f"{tool} refuses {arguments}", text)
    return text


async def first_session(mode: str) -> None:
    async with client(mode) as session:
        era = session.protocol_version
        expect(era == "2026-07-28" if mode != "legacy" else era < "2026-07-28", f"{mode} agrees on {era}", era)
        if mode != "2026-07-28":  # a pinned client asks for nothing before its first request
            expect_equal(session.server_info.name, "context-engine", "the server says its name")

        listed = (await session.list_tools()).tools
        expect_equal([tool.name for tool in listed], TOOLS, "tools/list has the fourteen tools in order")
        for tool in listed:
            expect(bool(tool.description), f"{tool.name} says what it is for")
            expect(tool.output_schema is not None, f"{tool.name} has an output schema")
            expect(tool.annotations is not None, f"{tool.name} has annotations")

        stored = await call(session, "memory_store", {"memories": [{"text": FACT, "tags": ["staging"]}]})
        expect_equal(stored["stored"][0]["status"], "stored", "memory_store keeps the fact")
        recalled = await call(session, "memory_recall", {"query": QUESTION, "max_tokens": 500})
        expect(WORD in recalled["memories"][0]["text"], "memory_recall finds it first", recalled)
        expect_equal(recalled["memories"][0]["id"], stored["stored"][0]["id"], "under the id that was given")
        expect(recalled["tokens"] <= 500, "within its budget", recalled["tokens"])

        original = Path("ARCHITECTURE.md").read_text()
        encoding = official_encoding("o200k_base")
        fitted = await call(
            session,
            "context_compress",
            {"path": "ARCHITECTURE.md", "max_tokens": BUDGET, "query": "cancellation", "encoding": "o200k_base"},
        )
        tokens = len(encoding.encode_ordinary(fitted["text"]))
        expect(0 < tokens <= BUDGET, f"context_compress keeps to {BUDGET} tokens by OpenAI's own count", tokens)
        expect_equal(fitted["tokens_after"], tokens, "and says the exact number")
        expect_equal(fitted["tokens_before"], len(encoding.encode_ordinary(original)), "also of the original")

        said = await refusal(session, "memory_recall", {"query": 5})
        expect("/query" in said, "wrong params are refused with the JSON pointer", said)
        said = await refusal(session, "memory_recall", {"question": QUESTION})
        expect("/question" in said and "query" in said, "unknown fields too, with those that are known", said)
        said = await refusal(session, "context_retrieve", {"hash": "abc"})
        expect("/handle" in said and "/hash" in said, "and missing ones with them", said)
        said = await refusal(session, "no_such_tool", {})
        expect("no_such_tool" in said, "an unknown tool is refused by name", said)

        counted = await call(session, "count_tokens", {"text": original, "encoding": "o200k_base"})
        expect_equal(counted["total"], len(encoding.encode_ordinary(original)), "the next calls still work")


async def second_session(mode: str) -> None:
    async with client(mode) as session:
        recalled = await call(session, "memory_recall", {"query": QUESTION})
        expect(WORD in recalled["memories"][0]["text"], "a new server still knows the fact", recalled)


if __name__ == "__main__":
    failed = False
    try:
        asyncio.run(first_session(sys.argv[1]))
        asyncio.run(second_session(sys.argv[1]))
    except* SystemExit:  # what was expected has been said; the task groups' traces say nothing more
        failed = True
    sys.exit(failed)
