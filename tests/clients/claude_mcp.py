"""Claude Code's own management of servers: `claude mcp add`, `list`, `get`."""

import os
import subprocess

from checks import BINARY, WORK, expect

CLAUDE = str(WORK / "node" / "node_modules" / ".bin" / "claude")


def claude(*arguments: str) -> str:
    """Runs `claude mcp` and returns what it printed."""
    result = subprocess.run(
        [CLAUDE, "mcp", *arguments],
        env=os.environ | {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    expect(result.returncode == 0, f"claude mcp {arguments[0]} succeeds", result.stdout + result.stderr)
    return result.stdout


if __name__ == "__main__":
    claude("add", "--scope", "user", "context-engine", "--", BINARY, "serve")
    listed = next((line for line in claude("list").splitlines() if line.startswith("context-engine:")), "no such line")
    expect("Connected" in listed, "claude mcp list shows it connected", listed)
    shown = claude("get", "context-engine")
    expect("Connected" in shown, "claude mcp get too", shown)
