"""What it costs to remember and to recall, beside SQLite FTS5 alone.

    tests/clients/fresh ../perf/memory.py [SIZE...] [--quick]

For each number of memories (by default 10,000 and 100,000; `1000000` takes some ten minutes), the same
made-up memories go into a new `ctx serve` and into a table of FTS5, and both are asked the same
questions in turn, so that a busy machine is busy for both. Then a new process is asked its first
question. A memory from which a question was made must be among the ten best. `--quick` asks fewer.

Bounds that do not hold are printed as SHORT. One that is missed by more than noise explains (half as
much again where it is a ratio to FTS5 in the same run; three times where it is a time, of which that on
the processor counts) fails. Linux only: it reads /proc.
"""

import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
import asked  # noqa: E402
from checks import BOX, expect  # noqa: E402
from serve import memory_mib  # noqa: E402

SIZES = [10_000, 100_000]
BATCH = 500
BEST = 10

RATIO_GOAL = 2.0  # the median recall in that of FTS5, up to a hundred thousand
MILLION_P50_GOAL_MS, MILLION_MEMORY_GOAL_MIB = 150, 600
FIRST_GOAL_MS = 300  # of a new process over a hundred thousand
STORED_GOAL = 3_000  # a second, embeddings included
STORED_PLAIN_GOAL = 5_000  # a second, without embeddings
RATIO_SLACK, TIME_SLACK = 1.5, 3.0

STOP_WORDS = {"a", "an", "and", "did", "do", "in", "is", "it", "of", "on", "the", "to", "was", "what", "when", "who"}
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


class MadeUp:
    """Memories of 12 to 40 words, of which few are common and most are rare, in sessions of fifty."""

    def __init__(self, size: int) -> None:
        self.random = random.Random(size)
        words: dict[str, None] = {}
        while len(words) < 20_000:
            words["".join(self.random.choices(SYLLABLES, k=self.random.randint(2, 4)))] = None
        self.words = list(words)
        self.ranks = {word: rank for rank, word in enumerate(self.words)}
        self.weights, sum_so_far = [], 0.0
        for rank in range(len(self.words)):
            sum_so_far += 1 / (rank + 10)
            self.weights.append(sum_so_far)
        self.questions: list[tuple[str, str]] = []
        self.size = size

    def batches(self, questions: int):
        """Yields the memories; keeps a question to some of them."""
        asked_of = set(self.random.sample(range(self.size), questions))
        at = datetime(2024, 1, 1, tzinfo=timezone.utc)
        batch = []
        for number in range(self.size):
            words = self.random.choices(self.words, cum_weights=self.weights, k=self.random.randint(12, 40))
            at += timedelta(seconds=self.random.randint(1, 600))
            text = " ".join(words)
            batch.append(
                {
                    "text": text,
                    "session_id": f"session {number // 50}",
                    "actor": ["Ann", "Bo", "Cem"][number % 3],
                    "occurred_at": at.isoformat(),
                    "metadata": {"ref": str(number)},
                }
            )
            if number in asked_of:
                rare = sorted(set(words), key=lambda word: -self.ranks[word])[:4]
                asked = rare + self.random.sample(self.words[:50], 2)
                self.random.shuffle(asked)
                self.questions.append((" ".join(asked), str(number)))
            if len(batch) == BATCH or number + 1 == self.size:
                yield batch
                batch = []
        self.random.shuffle(self.questions)


class Memories(asked.Server):
    """One `ctx serve` over a project, which remembers."""

    def call(self, tool: str, arguments: dict) -> dict:
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        expect_quietly("result" in answer and not answer["result"].get("isError"), tool, answer)
        return answer["result"]["structuredContent"]

    def store(self, batch: list[dict]) -> None:
        stored = self.call("memory_store", {"memories": batch})["stored"]
        expect_quietly(all(one["status"] == "stored" for one in stored), "everything is stored", stored)

    def recall(self, question: str) -> list[str]:
        found = self.call("memory_recall", {"query": question, "limit": BEST})
        return [one["metadata"]["ref"] for one in found["memories"]]


class Fts5:
    """A table of FTS5, which also stems and whose questions have no stop words."""

    def __init__(self, folder: Path) -> None:
        self.database = sqlite3.connect(folder / "fts5.db")
        self.database.execute("PRAGMA journal_mode = wal")
        self.database.execute("PRAGMA synchronous = normal")
        self.database.execute("CREATE TABLE memories (number INTEGER PRIMARY KEY, ref TEXT UNIQUE, text TEXT)")
        self.database.execute("CREATE VIRTUAL TABLE words USING fts5 (text, content = '', tokenize = 'porter unicode61')")

    def store(self, batch: list[dict]) -> None:
        started = time.perf_counter()
        with self.database:
            for one in batch:
                row = (one["metadata"]["ref"], one["text"])
                number = self.database.execute("INSERT INTO memories (ref, text) VALUES (?, ?)", row).lastrowid
                self.database.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (number, one["text"]))
        self.took = time.perf_counter() - started

    def recall(self, question: str) -> list[str]:
        started = time.perf_counter()
        words = [word for word in question.split() if word not in STOP_WORDS]
        query = " OR ".join(f'"{word}"' for word in words)
        found = self.database.execute(
            "SELECT ref FROM words JOIN memories ON memories.number = words.rowid WHERE words MATCH ? "
            "ORDER BY bm25(words) LIMIT ?",
            (query, BEST),
        ).fetchall()
        self.took = time.perf_counter() - started
        return [ref for (ref,) in found]


class Report:
    """Counts what holds, what is short and what is far too short."""

    def __init__(self) -> None:
        self.bounds = 0
        self.short: list[str] = []
        self.failed: list[str] = []

    def bound(
        self, what: str, found: float, limit: float, slack: float, at_least: bool = False, cpu: float | None = None
    ) -> None:
        """Prints a bound and what was found; where `cpu` is the same by processor time, only that fails."""
        ratio_of = lambda value: value / limit if at_least else limit / max(value, 1e-9)  # noqa: E731
        ratio = ratio_of(found)
        self.bounds += 1
        far = ratio_of(found if cpu is None else cpu) * slack < 1
        verdict = "ok" if ratio >= 1 else "FAILED" if far else "SHORT"
        if verdict != "ok":
            (self.short if verdict == "SHORT" else self.failed).append(f"{what}: {found:.2f} for {limit}")
        kind = "at least" if at_least else "at most"
        print(f"    {what:58}{found:9.2f}, {kind} {limit:<6} {verdict}", flush=True)


def expect_quietly(holds: bool, what: str, found: object) -> None:
    if not holds:
        expect(False, what, found)


def median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def late_ms(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.95 * len(seconds))] * 1000


def new_project(folder: str) -> Path:
    project = Path(folder)
    (project / ".claude").mkdir(exist_ok=True)
    return project


def measure(size: int, questions: int, report: Report) -> None:
    print(f"{size} memories", flush=True)
    made_up = MadeUp(size)
    with tempfile.TemporaryDirectory(dir=BOX) as folder:
        project = new_project(folder)
        ours, plain = Memories(project), Fts5(project)
        spent_ours = spent_plain = 0.0
        cpu = ours.cpu_seconds()
        for batch in made_up.batches(questions):
            ours.store(batch)
            spent_ours += ours.took
            plain.store(batch)
            spent_plain += plain.took
        cpu = ours.cpu_seconds() - cpu
        print(f"    stored a second: {size / spent_ours:.0f} ({size / cpu:.0f} a CPU-second); FTS5 {size / spent_plain:.0f}")
        report.bound("stored a second, with embeddings", size / spent_ours, STORED_GOAL, TIME_SLACK, True, size / cpu)

        ours.recall(made_up.questions[0][0])
        print(f"    first recall after storing: {ours.took * 1000:.1f} ms")
        took: dict[str, list[float]] = {"ours": [], "plain": []}
        missed = 0
        cpu = ours.cpu_seconds()
        for question, ref in made_up.questions:
            missed += ref not in ours.recall(question)
            took["ours"].append(ours.took)
            plain.recall(question)
            took["plain"].append(plain.took)
        cpu = (ours.cpu_seconds() - cpu) / len(made_up.questions) * 1000
        p50, plain_p50 = median_ms(took["ours"]), median_ms(took["plain"])
        print(f"    recall p50 {p50:.2f} ms, p95 {late_ms(took['ours']):.2f} ms, {cpu:.2f} ms on the processor;", end=" ")
        print(f"FTS5 p50 {plain_p50:.2f} ms, p95 {late_ms(took['plain']):.2f} ms; {missed} of {questions} not found")
        if size < 10_000:
            print("    too few for a bound: the fixed part of a call is more than the search")
        elif size <= 100_000:
            report.bound("recall, p50 in that of FTS5", p50 / plain_p50, RATIO_GOAL, RATIO_SLACK)
        else:
            report.bound("recall, p50 ms", p50, MILLION_P50_GOAL_MS, TIME_SLACK, False, cpu)
            report.bound("memory at most, MiB", memory_mib(ours.process.pid, "VmHWM"), MILLION_MEMORY_GOAL_MIB, RATIO_SLACK)
        report.bound("share of the memories found", 1 - missed / questions, 0.95, 1.0, True)
        ours.close()

        firsts, spent = [], []
        for question, _ in made_up.questions[:5]:
            fresh = Memories(project)
            cpu = fresh.cpu_seconds()
            fresh.recall(question)
            firsts.append(fresh.took)
            spent.append(fresh.cpu_seconds() - cpu)
            peak = memory_mib(fresh.process.pid, "VmHWM")
            fresh.close()
        print(f"    a new process: first recall {median_ms(firsts):.1f} ms, {median_ms(spent):.1f} ms on the", end=" ")
        print(f"processor, {peak:.0f} MiB at most")
        if size == 100_000:
            report.bound("first recall of a new process, ms", median_ms(firsts), FIRST_GOAL_MS, TIME_SLACK, False, median_ms(spent))
        if size > 100_000:
            report.bound("memory of a new process at most, MiB", peak, MILLION_MEMORY_GOAL_MIB, RATIO_SLACK)


def measure_without_embeddings(size: int, report: Report) -> None:
    """Stores memories of which only the words are kept."""
    with tempfile.TemporaryDirectory(dir=BOX) as folder:
        server = Memories(new_project(folder), "--set", "embedding.enabled=false")
        spent, cpu = 0.0, server.cpu_seconds()
        for batch in MadeUp(size).batches(1):
            server.store(batch)
            spent += server.took
        cpu = server.cpu_seconds() - cpu
        report.bound("stored a second, without embeddings", size / spent, STORED_PLAIN_GOAL, TIME_SLACK, True, size / cpu)
        server.close()


def main() -> None:
    quick = "--quick" in sys.argv
    sizes = [int(size) for size in sys.argv[1:] if size != "--quick"] or SIZES
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; SQLite {sqlite3.sqlite_version} for FTS5 alone")
    report = Report()
    for size in sizes:
        measure(size, 30 if quick else 100, report)
        measure_without_embeddings(size, report)
    print(f"\n{report.bounds - len(report.short) - len(report.failed)} of {report.bounds} bounds hold")
    for what in report.short:
        print(f"    SHORT: {what}")
    expect(not report.failed, "no bound is missed by more than noise", report.failed)


if __name__ == "__main__":
    main()
