"""What the weights of ranking ought to be, as labelled meetings have it.

    python3 tests/perf/fusion.py QMSUM.jsonl [QUERIES]

QMSUM.jsonl is a file of the QMSum data set (MIT licence): meetings with questions, and for each the
turns that answer it. Every meeting goes into a store of its own; each question is recalled with
`explain`, and a listwise softmax fits by how much each part of the scores ought to be multiplied. 1
is what `src/memory/rank/` has. One meeting is one session, so nothing is learned of sessions.

This is a tool for whoever changes the ranking and no test: it compares with nothing.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = os.environ.get("CONTEXT_ENGINE", str(HERE.parents[1] / "target/release/ctx"))
FOCUSED = 10  # questions with more turns than this ask for a summary
STEPS, RATE, SHRINK = 400, 0.05, 1e-3


class Server:
    """One `ctx rpc` with a store of its own."""

    def __init__(self, folder: str) -> None:
        self.process = subprocess.Popen(
            [BINARY, "rpc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={"HOME": folder, "XDG_DATA_HOME": folder, "PATH": os.environ["PATH"]},
        )

    def call(self, method: str, params: dict) -> dict:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["result"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def questions(meeting: dict) -> list[tuple[str, set[int]]]:
    """Returns the focused questions of a meeting with the numbers of the turns that answer them."""
    found = []
    for asked in meeting["specific_query_list"]:
        spans = [(int(first), int(last)) for first, last in asked["relevant_text_span"]]
        gold = {turn for first, last in spans for turn in range(first, last + 1)}
        if 0 < len(gold) <= FOCUSED:
            found.append((asked["query"], gold))
    return found


def recalled(meeting: dict) -> list[tuple[list[dict], list[bool]]]:
    """Returns for each question the parts of the recalled scores, and which of them are wanted."""
    lists = []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        turns = [
            {
                "text": f"{turn['speaker']}: {turn['content'].strip()}",
                "actor": turn["speaker"],
                "session_id": "meeting",
                "metadata": {"turn": number},
            }
            for number, turn in enumerate(meeting["meeting_transcripts"])
            if turn["content"].strip()
        ]
        for start in range(0, len(turns), 500):
            server.call("memory_store", {"memories": turns[start : start + 500]})
        for query, gold in questions(meeting):
            asked = {"query": query, "limit": 100, "max_tokens": 200_000, "explain": True}
            memories = server.call("memory_recall", asked)["memories"]
            wanted = [memory["metadata"]["turn"] in gold for memory in memories]
            if any(wanted):
                lists.append(([memory["explained"] for memory in memories], wanted))
        server.close()
    return lists


def fitted(lists: list, names: list[str]) -> list[float]:
    """Returns the factors for which the wanted memories are likeliest to be drawn first (Adam)."""
    factors, first, second = [1.0] * len(names), [0.0] * len(names), [0.0] * len(names)
    tables = [([[parts.get(name, 0.0) for name in names] for parts in rows], wanted) for rows, wanted in lists]
    for step in range(1, STEPS + 1):
        slope = [SHRINK * (factor - 1) for factor in factors]
        for rows, wanted in tables:
            scores = [sum(f * x for f, x in zip(factors, row)) for row in rows]
            top = max(scores)
            weights = [math.exp(score - top) for score in scores]
            total, share = sum(weights), 1 / sum(wanted)
            for row, weight, gold in zip(rows, weights, wanted):
                excess = (weight / total - share * gold) / len(tables)
                for at, value in enumerate(row):
                    slope[at] += excess * value
        for at, one in enumerate(slope):
            first[at] = 0.9 * first[at] + 0.1 * one
            second[at] = 0.999 * second[at] + 0.001 * one * one
            ahead = first[at] / (1 - 0.9**step)
            factors[at] -= RATE * ahead / (math.sqrt(second[at] / (1 - 0.999**step)) + 1e-9)
    return factors


def main() -> None:
    meetings = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    most = int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize
    lists = []
    for meeting in meetings:
        lists += recalled(meeting)
        if len(lists) >= most:
            break
    names = sorted({name for rows, _ in lists for parts in rows for name in parts})
    print(f"{len(lists)} questions")
    for name, factor in zip(names, fitted(lists, names)):
        print(f"{name:<12} {factor:6.2f}")


if __name__ == "__main__":
    main()
