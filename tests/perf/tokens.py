"""What the first count of a process costs: processor time and memory, beside other counters.

    cargo bench --bench cold --no-run        # says where the program is
    tests/clients/fresh ../perf/tokens.py PROGRAM [ROUNDS]

Starts `ctx tokens FILE` and the program of `benches/cold.rs` with each counter in turn, so that a
busy machine is busy for all. A report: goals that are missed are printed as SHORT, nothing fails
but a wrong count. Linux only.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from checks import BINARY, expect_equal, official_encoding  # noqa: E402

ROUNDS = 15
TEXT = "A budget is a promise: nothing is returned that exceeds what was asked for.\n" * 40
CPU_GOALS = {"tiktoken-rs": 100, "bpe-openai": 30}
MEMORY_GOAL_MIB = 6
TABLES_GOAL_MB = 8
BUILD_GOAL_SECONDS = 30


def run(weigher: str, command: list[str]) -> tuple[float, float, str]:
    """Runs a command; returns its processor time in ms, its peak memory in MiB and its output."""
    done = subprocess.run([weigher, "weigh", *command], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"error: {command}: {done.stderr}")
    cpu, memory = done.stderr.split("\n")[-2].split()
    return float(cpu), float(memory) / 1024, done.stdout


def build_tables() -> tuple[float, float] | None:
    """Runs the build script as cargo does, into a new folder; returns seconds and MB of tables."""
    scripts = Path(BINARY).parent.glob("build/context-engine-*/build-script-main")
    newest = max(scripts, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        return None
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        root = Path(__file__).resolve().parent.parent.parent
        subprocess.run([newest], cwd=root, env={"OUT_DIR": out}, check=True, stdout=subprocess.DEVNULL, timeout=300)
        seconds = time.perf_counter() - started
        ours = {"cl100k", "o200k", "classes"}
        tables = [file for file in Path(out).iterdir() if file.name.split(".")[0] in ours]
        return seconds, sum(file.stat().st_size for file in tables) / 1e6


def verdict(holds: bool) -> str:
    return "ok" if holds else "SHORT"


def main() -> None:
    cold = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    expected = len(official_encoding("o200k_base").encode_ordinary(TEXT))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(TEXT)
        file.flush()
        commands = {"ctx tokens": [BINARY, "tokens", "--json", file.name]}
        for name in ["nothing", "ours", "bpe-openai", "tiktoken-rs", "toktok-rs", "tiktoken"]:
            commands[name] = [cold, name, file.name]
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        counts = {}
        for _ in range(rounds):
            for name, command in commands.items():
                cpu, memory, output = run(cold, command)
                figures[name].append((cpu, memory))
                counts[name] = json.loads(output)["total"] if name == "ctx tokens" else int(output)

    del counts["nothing"]
    expect_equal(counts, dict.fromkeys(counts, expected), "all count as the official tiktoken does")
    cpu = {name: statistics.median(one[0] for one in list) for name, list in figures.items()}
    memory = {name: statistics.median(one[1] for one in list) for name, list in figures.items()}
    print(f"one count of {len(TEXT)} bytes in a new process, o200k_base, medians of {rounds} rounds")
    for name in commands:
        print(f"{name:14}{cpu[name]:9.2f} ms CPU{memory[name]:9.1f} MiB{cpu[name] / cpu['ctx tokens']:8.1f} times ctx tokens")
    for name, goal in CPU_GOALS.items():
        ratio = cpu[name] / cpu["ctx tokens"]
        print(f"CPU at most 1/{goal} of {name}: 1/{ratio:.0f} {verdict(ratio >= goal)}")
    for name in ["ours", "ctx tokens"]:
        above = memory[name] - memory["nothing"]
        print(f"memory of {name} at most {MEMORY_GOAL_MIB} MiB above nothing: {above:.1f} {verdict(above <= MEMORY_GOAL_MIB)}")
    built = build_tables()
    if built is None:
        print("tables: the build script is not there; build with `cargo build --release`")
        return
    seconds, size = built
    print(f"tables at most {TABLES_GOAL_MB} MB in the binary: {size:.1f} {verdict(size <= TABLES_GOAL_MB)}")
    print(f"tables built in at most {BUILD_GOAL_SECONDS} s: {seconds:.1f} {verdict(seconds <= BUILD_GOAL_SECONDS)}")


if __name__ == "__main__":
    main()
