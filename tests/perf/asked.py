"""A `ctx serve` that is asked one thing at a time, and what each answer takes. Linux only: it reads clocks of processes."""

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))
from checks import BINARY  # noqa: E402
from serve import INITIALIZE  # noqa: E402


class Server:
    """One `ctx serve` with these settings, in this folder."""

    def __init__(self, folder: Path | None = None, *settings: str) -> None:
        self.process = subprocess.Popen(
            [BINARY, *settings, "serve"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.asked = 0
        self.ask("initialize", INITIALIZE)
        self.process.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')

    def ask(self, method: str, params: dict) -> dict:
        """Returns the whole answer; `took` is then how many seconds it took."""
        self.asked += 1
        request = json.dumps({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}) + "\n"
        started = time.perf_counter()
        self.process.stdin.write(request)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.took = time.perf_counter() - started
        return json.loads(line)

    def cpu_seconds(self) -> float:
        """Returns the processor time so far, with that of threads that have ended."""
        return time.clock_gettime((~self.process.pid) << 3 | 2)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=60)
