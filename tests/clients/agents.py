"""Real agent programs that use our tools: `agents.py claude|codex`.

The program runs without its maker: its model is the mock. The model asks for `memory_recall`, the
program calls it through us, and the model's answer holds what it was given; so the recalled text
went the whole way. Nothing is read from the developer's own home.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from checks import BINARY, BOX, FACT, QUESTION, TOOLS, WORD, WORK, expect, expect_equal
from mock_model import Mock, Server

PROGRAMS = WORK / "node" / "node_modules" / ".bin"
TASK = "Look up the nickname of the staging database and tell me."


def run(command: list[str], extra: dict[str, str]) -> str:
    """Runs a program that must succeed, and returns what it printed."""
    result = subprocess.run(
        command, env=os.environ | extra, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    expect(result.returncode == 0, f"{Path(command[0]).name} succeeds", result.stdout + result.stderr)
    return result.stdout


def claude(server: Server) -> str:
    """Runs Claude Code and returns its answer."""
    config = BOX / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"context-engine": {"command": BINARY, "args": ["serve"]}}}))
    printed = run(
        [
            str(PROGRAMS / "claude"),
            *["--print", TASK, "--output-format", "json"],
            *["--mcp-config", str(config), "--strict-mcp-config"],
            *["--allowedTools", "mcp__context-engine__memory_recall"],
        ],
        {
            "ANTHROPIC_BASE_URL": server.address,
            "ANTHROPIC_API_KEY": "dummy",
            "ENABLE_TOOL_SEARCH": "false",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    )
    answer = json.loads(printed)
    expect(answer["is_error"] is False, "its answer is no error", answer)
    return answer["result"]


def codex(server: Server) -> str:
    """Runs Codex and returns its answer."""
    home = BOX / "home" / ".codex"
    home.mkdir()
    (home / "config.toml").write_text(
        "\n".join(
            [
                'model = "mock-model"',
                'model_provider = "mock"',
                'approval_policy = "never"',
                'sandbox_mode = "read-only"',
                "[model_providers.mock]",
                'name = "mock"',
                f'base_url = "{server.address}/v1"',
                'env_key = "MOCK_KEY"',
                'wire_api = "responses"',
                "[mcp_servers.context-engine]",
                f"command = {json.dumps(BINARY)}",
                'args = ["serve"]',
                'default_tools_approval_mode = "approve"',
                "",
            ]
        )
    )
    last = BOX / "answer.txt"
    command = ["exec", "--skip-git-repo-check", "--json", "--output-last-message", str(last), TASK]
    run([str(PROGRAMS / "codex"), *command], {"MOCK_KEY": "dummy"})
    return last.read_text()


def main(program: str) -> None:
    remembered = subprocess.run(
        [BINARY, "call", "memory_store", json.dumps({"memories": [{"text": FACT}]})], capture_output=True, text=True
    )
    expect(remembered.returncode == 0, "the command line remembers a fact", remembered.stdout + remembered.stderr)

    mock = Mock(say="I was told: {result}", tool="memory_recall", arguments={"query": QUESTION})
    with mock.serve() as server:
        answer = {"claude": claude, "codex": codex}[program](server)
    ours = {name for name in mock.offered if "context" in name and "engine" in name}
    missing = [tool for tool in TOOLS if not any(name.endswith(tool) for name in ours)]
    expect_equal(missing, [], f"{program} offers our tools to its model")
    expect(any(WORD in result for result in mock.results), "memory_recall's result reached the model", mock.results)
    expect(WORD in answer, "and with it the answer", answer)


if __name__ == "__main__":
    main(sys.argv[1])
