"""What the Python clients share: where things are, what must be true, and the fourteen tools."""

import json
import os
import re
import sys
from pathlib import Path

BINARY = os.environ["CLIENTS_BINARY"]
WORK = Path(os.environ["CLIENTS_WORK"])
BOX = Path(os.environ["CLIENTS_BOX"])

TOOLS = [
    "delegate_task",
    "run_workflow",
    "get_run",
    "cancel_run",
    "list_agents",
    "memory_store",
    "memory_recall",
    "memory_update",
    "memory_forget",
    "context_compress",
    "context_retrieve",
    "context_pack",
    "count_tokens",
    "server_health",
]

# What a client tells us and asks for again. The word is found nowhere else.
FACT = "The staging database listens on port 6543; its nickname is zanzibar."
QUESTION = "What is the nickname of the staging database?"
WORD = "zanzibar"


def expect(holds: bool, what: str, found: object = None) -> None:
    """Says that `what` holds, or ends the script with what was found instead."""
    if holds:
        print(f"ok: {what}", flush=True)
        return
    text = found if isinstance(found, str) else json.dumps(found, indent=1, default=str)
    print(f"error: {what}: found {text[:4000]}", flush=True)
    sys.exit(1)


def expect_equal(found: object, expected: object, what: str) -> None:
    """Says that the two are equal, or ends the script."""
    expect(found == expected, what, {"found": found, "expected": expected})


def official_encoding(name: str):
    """Returns OpenAI's own encoding, with its rank file taken from the installed vocabularies.

    `tiktoken` would fetch the file; here its loader is handed the file of the same name, and its own
    constant says whether that is the right one.
    """
    import tiktoken
    import tiktoken.load

    def read(address: str, expected_hash: str | None = None) -> bytes:
        data = (WORK / "vocabularies" / re.split("[/]", address)[-1]).read_bytes()
        if expected_hash is None or not tiktoken.load.check_hash(data, expected_hash):
            raise ValueError(f"{name}: not the official rank file")
        return data

    tiktoken.load.read_file_cached = read
    return tiktoken.get_encoding(name)
