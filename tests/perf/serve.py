"""What it costs to keep `ctx serve` at hand, beside a minimal server of the Python MCP SDK.

    tests/clients/fresh ../perf/serve.py [ROUNDS]

Both take turns, so that a busy machine is busy for both; look at the ratios. A report: the figures
are for reading, nothing fails because of them. Linux only, since it reads /proc.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from checks import BINARY, official_encoding  # noqa: E402

ROUNDS = 5
IDLE_SECONDS = 1.0
SERVERS = {
    "ctx serve": [BINARY, "serve"],
    "Python mcp echo": [sys.executable, str(Path(__file__).resolve().parent / "echo_server.py")],
}
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "perf", "version": "1"}}


def cpu_ms(pid: int) -> float:
    """Returns the processor time of all threads of a process so far."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e6


def memory_mib(pid: int, field: str) -> float:
    """Returns a figure of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no {field} in /proc/{pid}/status")


def measure(command: list[str]) -> tuple[dict[str, float], str]:
    """Starts a server once; returns its figures and its answer to `tools/list`."""

    def ask(id: int, method: str, params: dict) -> str:
        request = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return process.stdout.readline()

    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    ask(1, "initialize", INITIALIZE)
    figures = {"handshake ms": (time.perf_counter() - started) * 1000, "handshake CPU ms": cpu_ms(process.pid)}
    process.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    listed = ask(2, "tools/list", {})
    time.sleep(IDLE_SECONDS)
    figures["idle memory MiB"] = memory_mib(process.pid, "VmRSS")
    figures["of which its own MiB"] = memory_mib(process.pid, "RssAnon")
    before = cpu_ms(process.pid)
    time.sleep(IDLE_SECONDS)
    figures["idle CPU ms/s"] = (cpu_ms(process.pid) - before) / IDLE_SECONDS
    ended = time.perf_counter()
    process.stdin.close()
    process.wait(timeout=30)
    figures["exit ms"] = (time.perf_counter() - ended) * 1000
    return figures, listed


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in SERVERS}
    listed = {}
    for _ in range(rounds):
        for name, command in SERVERS.items():
            one, listed[name] = measure(command)
            figures[name].append(one)

    encoding = official_encoding("o200k_base")
    names = list(SERVERS)
    print(f"medians of {rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':24}{names[0]:>18}{names[1]:>18}{'ratio':>10}")
    for what in figures[names[0]][0]:
        ours, theirs = (statistics.median(one[what] for one in figures[name]) for name in names)
        print(f"{what:24}{ours:18.2f}{theirs:18.2f}{ours / theirs if theirs else 0:10.3f}")
    for name in names:
        tools = json.loads(listed[name])["result"]["tools"]
        tokens = len(encoding.encode_ordinary(json.dumps({"tools": tools}, separators=(",", ":"), ensure_ascii=False)))
        print(f"{name}: tools/list has {len(tools)} tools, {len(listed[name])} bytes, {tokens} o200k tokens")


if __name__ == "__main__":
    main()
