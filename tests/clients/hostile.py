"""Texts of five megabytes that no kind is made for, given to the command line as each kind.

One line of 5 MB and a million lines, of what each kind looks for: every answer comes in time, and the
official tokenizer finds it within its budget. `tests/it/compress_hostile.rs` asks the library the same
with small texts and many more patterns.
"""

import json
import subprocess
import time
from pathlib import Path

from checks import BINARY, expect, official_encoding

SIZE, LINES, BUDGET, LONG_SECONDS = 5_000_000, 1_000_000, 800, 30

# What a kind looks for, once; repeated on one line, or once a line.
PATTERNS = {
    "prose": "It rained. ",
    "markdown": "# a *b* `c` ",
    "dialog": "Ann: and you? ",
    "code": "fn f(){g();} ",
    "log": "2026-01-02 03:04:05 ERROR a 17 ",
    "test": "--- FAIL: a (0.0s) ",
    "json": '{"id":17,"v":[1,{"a":"b"}]},',
    "diff": "+a -b @@ ",
    "search": "a.rs:1:x ",
    "table": '1,"2,3",',
    "html": "<p><b>a</b> ",
}


def main() -> None:
    encoding = official_encoding("o200k_base")
    folder = Path.cwd()
    for kind, pattern in PATTERNS.items():
        texts = {
            "one line of 5 MB": pattern * (SIZE // len(pattern)),
            "a million lines": (pattern + "\n") * LINES,
            "one line of 5 MB that never ends what it begins": "[{<(\"'`" + pattern.strip("}>)]") * (SIZE // len(pattern)),
        }
        for name, text in texts.items():
            file = folder / "hostile.txt"
            file.write_text(text, encoding="utf-8")
            started = time.monotonic()
            done = subprocess.run(
                [BINARY, "compress", "--json", "--kind", kind, "--max-tokens", str(BUDGET), str(file)],
                capture_output=True,
                text=True,
                timeout=LONG_SECONDS * 4,
                cwd=folder,
            )
            seconds = time.monotonic() - started
            what = f"{name} as {kind}"
            expect(done.returncode == 0, f"{what} is answered", done.stderr[-2000:])
            answer = json.loads(done.stdout)
            tokens = len(encoding.encode(answer["text"], disallowed_special=()))
            expect(tokens <= BUDGET, f"{what}: {tokens} of {BUDGET} tokens", tokens)
            expect(seconds < LONG_SECONDS, f"{what}: {seconds:.1f} s", seconds)


if __name__ == "__main__":
    main()
