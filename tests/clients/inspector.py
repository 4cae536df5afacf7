"""The MCP Inspector's command line: `tools/list` and `tools/call`."""

import json
import subprocess

from checks import BINARY, FACT, QUESTION, TOOLS, WORD, WORK, expect, expect_equal

INSPECTOR = str(WORK / "node" / "node_modules" / ".bin" / "mcp-inspector")


def inspect(*arguments: str) -> dict:
    """Runs the inspector against a new server and returns what it printed."""
    command = [INSPECTOR, "--cli", BINARY, "serve", *arguments]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    said = result.stdout + result.stderr
    expect(result.returncode == 0, f"the inspector succeeds with {arguments[1]}", said)
    expect("unknown format" not in said, "and finds no unknown format in our schemas", said)
    return json.loads(result.stdout)


def call(tool: str, *arguments: str) -> dict:
    """Calls a tool and returns its result."""
    flags = [flag for argument in arguments for flag in ("--tool-arg", argument)]
    return inspect("--method", "tools/call", "--tool-name", tool, *flags)


if __name__ == "__main__":
    listed = inspect("--method", "tools/list")
    expect_equal([tool["name"] for tool in listed["tools"]], TOOLS, "it lists the fourteen tools in order")
    stored = call("memory_store", "memories=" + json.dumps([{"text": FACT}]))
    expect_equal(stored["structuredContent"]["stored"][0]["status"], "stored", "memory_store keeps the fact")
    recalled = call("memory_recall", f"query={QUESTION}")
    expect(WORD in recalled["structuredContent"]["memories"][0]["text"], "memory_recall finds it", recalled)
    counted = call("count_tokens", "text=hello world", "encoding=o200k_base")
    expect_equal(counted["structuredContent"]["total"], 2, "count_tokens counts")
