"""What it costs to compress, kind by kind, beside headroom-ai 0.42.

    tests/clients/fresh ../perf/compress.py [KIND...]

Gives each text to one `ctx serve` and to headroom in turn, so that a busy machine is busy for both.
No text is given twice: nothing is answered from a cache. Every result is counted with the official
tokenizer, and one that is over its budget fails; goals that are missed are printed as SHORT and
fail nothing, since machines differ. Linux only: it reads /proc.

A quarter of the tokens is asked for. What headroom gives back as it was it did not compress, and its
speed is that of looking: such a row says "unchanged".
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from select import select

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]
import asked  # noqa: E402
import inputs  # noqa: E402
from checks import WORK, expect, official_encoding  # noqa: E402
from serve import memory_mib  # noqa: E402

SMALL, MIDDLE, LARGE = 100_000, 1_000_000, 10_000_000
CALLS = 20  # of small texts, with a query and without
PEER_CALLS = 4
PEER_SECONDS = 20  # for all of its texts of a kind

PEER_GOAL = 5
# MB a CPU-second, at 1 MB; prose and what is written like it with a query.
SPEED_GOALS = {"code": 5, "JSON": 10, "messages": 10, "prose": 3, "Markdown": 3, "dialogue": 3}
SPEED_GOAL = 20
P50_GOAL_MS, P99_GOAL_MS = 15, 100
LARGE_GOAL_SECONDS, LARGE_GOAL_MEMORY = 2, 10
GROWTH_GOAL = 1.4  # n log n from 100 kB to 10 MB


class Server(asked.Server):
    """One `ctx serve`, which compresses."""

    def compress(self, text: str, query: str | None) -> tuple[float, float, dict]:
        """Returns seconds, processor seconds and the result."""
        arguments = {"text": text, "max_tokens": len(text) // 16} | ({"query": query} if query else {})
        before = self.cpu_seconds()
        answer = self.ask("tools/call", {"name": "context_compress", "arguments": arguments})
        spent = self.cpu_seconds() - before
        result = answer.get("result", {})
        if "structuredContent" not in result or result.get("isError"):
            expect(False, "a text is compressed", answer)
        return self.took, spent, result["structuredContent"]


class Peer:
    """headroom, in a process of its own; one that takes too long is ended and not asked again."""

    def __init__(self) -> None:
        python = WORK / "peers" / "bin" / "python"
        if not python.exists():
            expect(False, "headroom is there: `tests/run clients` installs it", str(python))
        self.command = [str(python), str(HERE / "headroom_peer.py"), str(WORK / "vocabularies")]
        self.process: subprocess.Popen | None = None

    def compress(self, text: str, query: str | None, seconds: float) -> dict | None:
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            # What it loads at first is not a cost of the text.
            self.compress("Nothing yet.", None, 120)
        self.process.stdin.write(json.dumps({"text": text, "query": query}) + "\n")
        self.process.stdin.flush()
        if not select([self.process.stdout], [], [], seconds)[0]:
            self.close()
            return None
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def quantile(values: list[float], share: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def goal_of(kind: str) -> float:
    return next((goal for name, goal in SPEED_GOALS.items() if kind.startswith(name)), SPEED_GOAL)


class Report:
    """Counts what holds and what is short."""

    def __init__(self, encoding) -> None:
        self.encoding = encoding
        self.kind = ""
        self.short: list[str] = []
        self.bounds = 0

    def bound(self, what: str, found: float, limit: float, at_least: bool = False) -> None:
        """Prints a bound, what was found, and how many times better than the bound that is."""
        ratio = found / limit if at_least else limit / max(found, 1e-9)
        self.bounds += 1
        verdict = "ok" if ratio >= 1 else "SHORT"
        if ratio < 1:
            self.short.append(f"{self.kind}: {what}, {ratio:.2f}")
        print(f"    {what:58}{found:9.2f}, {'at least' if at_least else 'at most'} {limit:<6} {ratio:6.2f} {verdict}", flush=True)

    def check(self, text: str, result: dict) -> None:
        """A budget is a promise."""
        budget, found = len(text) // 16, result["text"]
        tokens = len(self.encoding.encode_ordinary(found))
        if tokens > budget or tokens != result["tokens_after"]:
            expect(False, f"{self.kind}: a result of {budget} tokens", {"counted": tokens, "said": result["tokens_after"]})


def peer_speed(peer: Peer, texts: list[str], query: str) -> tuple[float, float, bool]:
    """Returns the peer's MB a CPU-second, how much of the text it leaves, and whether it leaves all."""
    seconds, size, left, same, deadline = 0.0, 0, 0, True, time.monotonic() + PEER_SECONDS
    for text in texts:
        answer = peer.compress(text, query, max(deadline - time.monotonic(), 1))
        if answer is None:
            # Not less than this, so its speed is no more.
            return len(text) / 1e6 / PEER_SECONDS if size == 0 else size / 1e6 / seconds, left / max(size, 1), False
        seconds, size, left = seconds + answer["seconds"], size + len(text), left + answer["length"]
        same &= answer["same"]
    return size / 1e6 / max(seconds, 1e-9), left / size, same


def measure(kind: str, report: Report, peer: Peer) -> None:
    print(kind, flush=True)
    report.kind = kind
    query = inputs.query(kind)
    seed = iter(range(10**6))
    new = lambda size: inputs.text(kind, size, next(seed))  # noqa: E731
    server = Server()
    server.compress(inputs.text("prose", 2000, -1), "why")  # opens the store
    idle = memory_mib(server.process.pid, "VmHWM")

    spent: dict[bool, list[float]] = {False: [], True: []}
    sizes: dict[bool, int] = {False: 0, True: 0}
    kinds: dict[str, int] = {}
    for asked in [False, True]:
        took = []
        for _ in range(CALLS):
            text = new(SMALL)
            seconds, cpu, result = server.compress(text, query if asked else None)
            report.check(text, result)
            took.append(seconds * 1000)
            spent[asked].append(cpu)
            sizes[asked] += len(text)
            kinds[result["kind"]] = kinds.get(result["kind"], 0) + 1
        with_query = "with a query" if asked else "without a query"
        report.bound(f"100 kB {with_query}, p50 ms", quantile(took, 0.5), P50_GOAL_MS)
        report.bound(f"100 kB {with_query}, p99 ms", quantile(took, 0.99), P99_GOAL_MS)
        processor = [seconds * 1000 for seconds in spent[asked]]
        print(f"    of which on the processor {quantile(processor, 0.5):.1f} and {quantile(processor, 0.99):.1f} ms")
    speeds = {asked: sizes[asked] / 1e6 / sum(spent[asked]) for asked in spent}

    theirs, left, same = peer_speed(peer, [new(SMALL) for _ in range(PEER_CALLS)], query)
    unchanged = ", which leaves it unchanged" if same else f", which leaves {left:.0%}"
    print(f"    100 kB: {speeds[False]:.1f} MB a CPU-second, {speeds[True]:.1f} with a query; headroom {theirs:.2f}{unchanged}")
    report.bound("100 kB with a query, speed in that of headroom", speeds[True] / theirs, PEER_GOAL, True)

    for asked in [False, True]:
        text = new(MIDDLE)
        _, cpu, result = server.compress(text, query if asked else None)
        report.check(text, result)
        with_query = "with a query" if asked else "without a query"
        report.bound(f"1 MB {with_query}, MB a CPU-second", len(text) / 1e6 / cpu, goal_of(kind), True)

    text = new(LARGE)
    seconds, cpu, result = server.compress(text, None)
    report.check(text, result)
    peak = (memory_mib(server.process.pid, "VmHWM") - idle) * (1 << 20) / len(text)
    report.bound("10 MB, seconds", seconds, LARGE_GOAL_SECONDS)
    report.bound("10 MB, peak memory above idle in its size", peak, LARGE_GOAL_MEMORY)
    growth = cpu / len(text) / (sum(spent[False]) / sizes[False])
    report.bound("10 MB, cost of a byte in that at 100 kB", growth, GROWTH_GOAL)
    print(f"    taken for: {', '.join(f'{name} {count}' for name, count in kinds.items())}")
    server.close()


def main() -> None:
    chosen = sys.argv[1:] or list(inputs.KINDS)
    report, peer = Report(official_encoding("o200k_base")), Peer()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; a quarter of the tokens is asked for")
    for kind in chosen:
        measure(kind, report, peer)
    peer.close()
    print(f"\n{report.bounds - len(report.short)} of {report.bounds} bounds hold")
    for what in report.short:
        print(f"    SHORT: {what}")


if __name__ == "__main__":
    main()
