"""Whether what was acknowledged is kept: by four servers at once, and through `kill -9`.

    tests/clients/fresh ../perf/durability.py [--seconds 60] [--kills 200]

First, four `ctx serve` write to one file and recall from it for a while; each also changes and forgets
some of its memories. Then, servers that write as fast as they can are killed again and again, at times
that differ. After each part the file must be whole by SQLite's own checks and by `ctx memory doctor`,
and every memory that was acknowledged must be there, with its text. All of it fails what does not hold.
"""

import argparse
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from checks import BINARY, BOX, expect, expect_equal  # noqa: E402
from serve import INITIALIZE  # noqa: E402

SERVERS = 4
WORDS = [first + second for first in ["lan", "mor", "tik", "ves", "dul", "par"] for second in ["ado", "ine", "urs", "ebb", "oly"]]


class Server:
    """One `ctx serve`, asked one thing at a time or several ahead."""

    def __init__(self, project: Path) -> None:
        self.process = subprocess.Popen(
            [BINARY, "serve"], cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.sent = 0
        self.send("initialize", INITIALIZE)
        self.receive()
        self.process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')

    def send(self, method: str, params: dict) -> int:
        self.sent += 1
        request = {"jsonrpc": "2.0", "id": self.sent, "method": method, "params": params}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return self.sent

    def receive(self) -> dict | None:
        """Returns the next answer; nothing where the server is gone."""
        line = self.process.stdout.readline()
        # A line that was cut off acknowledges nothing.
        return json.loads(line) if line.endswith(b"\n") else None

    def call(self, tool: str, arguments: dict) -> dict:
        self.send("tools/call", {"name": tool, "arguments": arguments})
        answer = self.receive()
        if not answer or "result" not in answer or answer["result"].get("isError"):
            raise RuntimeError(f"{tool}: {json.dumps(answer)[:1000]}")
        return answer["result"]["structuredContent"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)


class Writer(threading.Thread):
    """One server of several, which writes and recalls until it is time to stop."""

    def __init__(self, name: str, project: Path, until: float) -> None:
        super().__init__()
        self.name_of_writer, self.project, self.until = name, project, until
        self.kept: dict[str, str] = {}
        self.forgotten: set[str] = set()
        self.took: dict[str, list[float]] = {}
        self.problem: str | None = None

    def timed(self, server: Server, tool: str, arguments: dict) -> dict:
        started = time.perf_counter()
        answer = server.call(tool, arguments)
        self.took.setdefault(tool, []).append(time.perf_counter() - started)
        return answer

    def run(self) -> None:
        try:
            self.work(Server(self.project), random.Random(self.name_of_writer))
        except Exception as error:  # reported by the main thread
            self.problem = f"{type(error).__name__}: {error}"

    def work(self, server: Server, dice: random.Random) -> None:
        count, current = 0, []
        while time.monotonic() < self.until:
            texts = []
            for _ in range(dice.choice([1, 1, 1, 5, 50])):
                count += 1
                words = " ".join(dice.choices(WORDS, k=12))
                texts.append(f"{self.name_of_writer} wrote number n{self.name_of_writer}x{count}: {words}")
            drafts = [{"text": text, "session_id": "shared"} for text in texts]
            stored = self.timed(server, "memory_store", {"memories": drafts})["stored"]
            for one, text in zip(stored, texts):
                if one["status"] != "stored":
                    raise RuntimeError(f"not stored: {one}")
                self.kept[one["id"]] = text
                current.append(one["id"])
            # What was acknowledged a moment ago is found by the next question.
            word = texts[-1].split()[3].rstrip(":")
            found = self.timed(server, "memory_recall", {"query": word, "limit": 3})["memories"]
            if not any(one["id"] == stored[-1]["id"] for one in found):
                raise RuntimeError(f"{word} is not found: {json.dumps(found)[:500]}")
            if dice.random() < 0.1:
                id = current.pop(dice.randrange(len(current)))
                text = self.kept[id] + " and more"
                changed = self.timed(server, "memory_update", {"id": id, "text": text})["memory"]
                self.kept[changed["id"]] = text
                current.append(changed["id"])
            if dice.random() < 0.05:
                id = current.pop(dice.randrange(len(current)))
                gone = self.timed(server, "memory_forget", {"ids": [id]})["forgotten"]
                for one in gone:
                    self.kept.pop(one["id"], None)
                    self.forgotten.add(one["id"])
        server.close()


def check_file(project: Path, kept: dict[str, str], forgotten: set[str] = frozenset()) -> None:
    """Checks the file, and that it holds what was acknowledged."""
    path = project / ".claude" / "data" / "memory.db"
    database = sqlite3.connect(path)
    expect_equal(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)], "the pages fit together")
    expect_equal(database.execute("PRAGMA foreign_key_check").fetchall(), [], "no row points nowhere")
    held = dict(database.execute("SELECT id, text FROM memories JOIN texts USING (number)"))
    dead = {id for (id,) in database.execute("SELECT id FROM memories WHERE forgotten_at IS NOT NULL")}
    at_one_place = "SELECT place FROM memories WHERE session_id IS NOT NULL AND superseded_at IS NULL GROUP BY place HAVING count(*) > 1"
    repeated = database.execute(at_one_place).fetchall()
    database.close()
    lost = [id for id, text in kept.items() if held.get(id) != text]
    expect(not lost, f"none of {len(kept)} acknowledged memories is lost", lost[:20])
    expect(not (set(kept) & dead), "none of them is forgotten", list(set(kept) & dead)[:20])
    expect(forgotten <= dead, f"{len(forgotten)} that were to be forgotten are", list(forgotten - dead)[:20])
    expect_equal(repeated, [], "no two memories stand at one place of a session")
    checkup = subprocess.run([BINARY, "memory", "doctor"], cwd=project, capture_output=True, text=True, timeout=120)
    expect(checkup.returncode == 0, "the doctor finds nothing", checkup.stdout + checkup.stderr)
    server = Server(project)
    for id, text in random.Random(1).sample(sorted(kept.items()), min(50, len(kept))):
        found = server.call("memory_recall", {"ids": [id]})["memories"]
        if [one["text"] for one in found] != [text]:
            expect(False, f"{id} is recalled as it was stored", found)
    print("ok: a new server recalls fifty of them as they were stored", flush=True)
    server.close()


def together(seconds: float) -> None:
    print(f"{SERVERS} servers on one file for {seconds:g} s", flush=True)
    with tempfile.TemporaryDirectory(dir=BOX) as folder:
        project = Path(folder)
        (project / ".claude").mkdir()
        until = time.monotonic() + seconds
        writers = [Writer(name, project, until) for name in "abcdefgh"[:SERVERS]]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        problems = [f"{writer.name_of_writer}: {writer.problem}" for writer in writers if writer.problem]
        expect(not problems, "no server has a problem", problems)
        for tool in ["memory_store", "memory_recall"]:
            took = sorted(one for writer in writers for one in writer.took.get(tool, []))
            print(
                f"    {tool}: {len(took)} calls, p50 {statistics.median(took) * 1000:.1f} ms, "
                f"p99 {took[int(0.99 * len(took))] * 1000:.0f} ms, longest {took[-1] * 1000:.0f} ms"
            )
        kept = {id: text for writer in writers for id, text in writer.kept.items()}
        check_file(project, kept, {id for writer in writers for id in writer.forgotten})


def killed(kills: int) -> None:
    print(f"{kills} kills", flush=True)
    dice = random.Random(7)
    with tempfile.TemporaryDirectory(dir=BOX) as folder:
        project = Path(folder)
        (project / ".claude").mkdir()
        kept: dict[str, str] = {}
        count = interrupted = 0
        for _ in range(kills):
            server = Server(project)
            sent: dict[int, list[str]] = {}
            # One in ten is killed while it starts, the others after their first acknowledgement.
            waits = dice.random() < 0.9
            killer = threading.Timer(dice.uniform(0.0, 0.1), server.process.kill)
            if not waits:
                killer.start()
            try:
                # Three calls ahead, so that it is always writing when it is killed.
                while True:
                    while len(sent) < 3:
                        texts = []
                        for _ in range(dice.choice([1, 3, 20])):
                            count += 1
                            texts.append(f"number n{count} " + " ".join(dice.choices(WORDS, k=10)))
                        drafts = [{"text": text} for text in texts]
                        sent[server.send("tools/call", {"name": "memory_store", "arguments": {"memories": drafts}})] = texts
                    answer = server.receive()
                    if answer is None:
                        break
                    if waits:
                        killer.start()
                        waits = False
                    texts = sent.pop(answer["id"])
                    for one, text in zip(answer["result"]["structuredContent"]["stored"], texts):
                        kept[one["id"]] = text
            except BrokenPipeError:
                pass
            interrupted += bool(sent)
            if waits:
                expect(False, "a server lives until it is killed", {"kills": interrupted})
            killer.join()
            server.process.wait(timeout=60)
            server.process.stdout.close()
            try:
                server.process.stdin.close()
            except BrokenPipeError:
                pass
        expect(interrupted == kills, "each kill came during a write", {"kills": kills, "writing": interrupted})
        print(f"    {len(kept)} memories were acknowledged", flush=True)
        check_file(project, kept)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=200)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    if chosen.seconds > 0:
        together(chosen.seconds)
    if chosen.kills > 0:
        killed(chosen.kills)


if __name__ == "__main__":
    main()
