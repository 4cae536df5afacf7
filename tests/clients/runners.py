"""Delegation to real agent programs: `runners.py claude|codex`.

`ctx delegate` starts Claude Code or Codex in the sandbox, where it reaches only the mock as its
model; the task and the agent's instructions must arrive there, and the answer must come back.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from checks import BINARY, BOX, WORK, expect, expect_equal
from mock_model import Mock

PROGRAMS = WORK / "node" / "node_modules" / ".bin"
TASK = "Say which animal has stripes."
INSTRUCTIONS = "You answer in one sentence about quaggas."
ANSWER = "The zebra has stripes, and so had the quagga."
SECRET = "not-for-agents"


def codex_config(address: str) -> None:
    """Writes the settings that make the mock the user's own choice of model."""
    home = BOX / "home" / ".codex"
    home.mkdir()
    (home / "config.toml").write_text(
        "\n".join(
            [
                'model = "mock-model"',
                'model_provider = "mock"',
                "[model_providers.mock]",
                'name = "mock"',
                f'base_url = "{address}/v1"',
                'env_key = "MOCK_KEY"',
                'wire_api = "responses"',
                "",
            ]
        )
    )


def main(runner: str) -> None:
    agents = Path(".claude/agents")
    agents.mkdir(parents=True)
    (agents / "zoologist.md").write_text(
        f"---\nname: zoologist\ndescription: Knows animals.\nrunner: {runner}\n---\n{INSTRUCTIONS}\n"
    )
    mock = Mock(say=ANSWER)
    with mock.serve() as server:
        codex_config(server.address)
        done = subprocess.run(
            [BINARY, "delegate", "zoologist", TASK, "--json"],
            env=os.environ
            | {
                "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
                "ANTHROPIC_BASE_URL": server.address,
                "ANTHROPIC_API_KEY": "dummy",
                "MOCK_KEY": "dummy",
                "UNRELATED_TOKEN": SECRET,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )
    said = done.stdout + done.stderr
    expect(done.returncode == 0, "ctx delegate succeeds", said)
    run = json.loads(done.stdout)
    expect(run["run_id"] != "", "the run has an id", run)
    expect_equal(run["status"], "succeeded", "and has succeeded")
    expect(ANSWER in run["result"], "the agent's answer is the result", run)
    expect(bool(run["sandbox"]), "which boundary held is said", run)
    print("    " + json.dumps({"sandbox": run["sandbox"], "usage": run["usage"]})[:600])

    sent = json.dumps(mock.requests)
    expect(TASK in sent, "the task reached the model", sent[-4000:])
    expect(INSTRUCTIONS in sent, "and the agent's instructions", sent[-4000:])
    expect(SECRET not in sent, "no variable that nobody named did", "it is in a request")
    foreign = sorted(name for name in mock.offered if "context" in name and "engine" in name)
    expect_equal(foreign, [], "a child starts without MCP servers")

    runs = subprocess.run([BINARY, "runs", "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    expect(run["run_id"] in runs.stdout, "ctx runs lists it afterwards", runs.stdout + runs.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
