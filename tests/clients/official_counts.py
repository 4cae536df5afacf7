"""Our token counts against OpenAI's own `tiktoken`: made-up texts, through `ctx rpc`.

The Rust tests compare more texts with more libraries; this is the same question asked from outside.
"""

import json
import random
import subprocess
from pathlib import Path

from checks import BINARY, expect, expect_equal, official_encoding

ENCODINGS = ["cl100k_base", "o200k_base", "o200k_harmony"]
SEED = 20260728
LISTED_TOKENS_MAX = 3000
RANDOM_TEXTS = 30_000
BATCH = 5_000
BUDGETS = [1, 5, 17, 60, 250, 1000]

ALPHABETS = {
    "words": ["the", " budget", " of", " a", " promise", "'s", " isn't", " I'LL", ".", ",", "\n", " 'tis"],
    "code": ["fn ", "main", "()", " {\n", "    ", "\t", "let x = ", "0xFF", ";\n", "}\n\n", "// ", "==", "::<", ">>"],
    "digits": list("0123456789") + [" ", ",", ".", "-", "٣", "Ⅷ", "½"],
    "blanks": [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "x", "\n\n\n", " \n"],
    "letters": list("abcXYZ") + ["é", "e\u0301", "ß", "İ", "ſ", "Ж", "я", "ا", "ह", "ि", "ǅ", "ʰ", "ª"],
    "east": ["東", "京", "は", "カ", "한", "국", "，", "。", "繁", "體", "𠮷", " ", "ー"],
    "pictures": ["😀", "👩‍👩‍👧", "🏳️‍🌈", "❤️", "🇫🇷", "¯\\_(ツ)_/¯", "\u200d", "\ufe0f", " "],
    "odd": ["<|endoftext|>", "<|endofprompt|>", "<|start|>", "\x00", "\x7f", "\ufeff", "\ufffd", "\U0010ffff", "\u0301", "/", "\\"],
}


def texts() -> list[str]:
    """Returns texts from each alphabet, from all at once, long runs of one piece, and files."""
    random.seed(SEED)
    made = ["", "a" * 3000, " " * 3000, "\n" * 1000, "1" * 1000, "😀" * 300, "ab" * 1500, "-" * 999 + "\n"]
    everything = [piece for pieces in ALPHABETS.values() for piece in pieces]
    for pieces in [*ALPHABETS.values(), everything]:
        made += ["".join(random.choices(pieces, k=length)) for length in [1, 2, 3, 5, 10, 30, 100, 1000]]
    return made + [Path(name).read_text() for name in ["ARCHITECTURE.md", "README.md"] if Path(name).exists()]


def random_texts(count: int) -> list[str]:
    """Returns short texts of the pieces of all alphabets, of letters, and of any characters at all."""
    pieces = [piece for pieces in ALPHABETS.values() for piece in pieces]
    pieces += ["'S", "'ſ", "'LL", "'Ve", "'d", "'x", "don't", "ʰAB", "\u0300\u0301", "\u200b", "\u2003", "\x85", "\x0b", "\x1c"]
    pieces += ["HTTPServer", "camelCase", "👍🏽", "क्षि", "ไทย", "/*", "*/\n", "--", "=>", "<|fim_prefix|>"]

    def piece() -> str:
        kind = random.randrange(10)
        if kind == 0:
            return "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randrange(12)))
        if kind == 1:
            return chr(random.randrange(128))
        if kind == 2:
            point = random.randrange(0x110000 - 0x800)
            return chr(point if point < 0xD800 else point + 0x800)
        if kind == 3:
            return random.choice(pieces) * random.randrange(1, 6)
        return random.choice(pieces)

    return ["".join(piece() for _ in range(random.randrange(1, 40))) for _ in range(count)]


def ask(requests: list[tuple[str, dict]]) -> list[dict]:
    """Sends all requests to one `ctx rpc` and returns the results in the order of the requests."""
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        for number, (method, params) in enumerate(requests)
    ]
    done = subprocess.run([BINARY, "rpc"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, "ctx rpc leaves with 0", done.stderr)
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.strip("\n").split("\n"))}
    expect_equal(len(answers), len(requests), "every request is answered")
    for answer in answers.values():
        if "result" not in answer:
            expect(False, f"{requests[answer['id']][0]} succeeds", [answer, str(requests[answer["id"]][1])[:300]])
    return [answers[number]["result"] for number in range(len(requests))]


def listed_tools() -> str:
    """Returns what a model is shown of us: the tools, as `tools/list` has them on the wire."""
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "counts", "version": "1"}}
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    sent = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([BINARY, "serve"], input=sent, capture_output=True, text=True, timeout=60)
    return next(line for line in done.stdout.strip("\n").split("\n") if json.loads(line).get("id") == 2)


def main() -> None:
    listed = len(official_encoding("o200k_base").encode_ordinary(listed_tools()))
    expect(listed <= LISTED_TOKENS_MAX, f"tools/list has at most {LISTED_TOKENS_MAX} tokens", listed)

    made = texts()
    many = random_texts(RANDOM_TEXTS)
    for name in ENCODINGS:
        official = official_encoding(name)
        for start in range(0, RANDOM_TEXTS, BATCH):
            batch = many[start : start + BATCH]
            results = ask([("count_tokens", {"text": text, "encoding": name}) for text in batch])
            counts = [len(official.encode_ordinary(text)) for text in batch]
            wrong = [
                {"text": text, "official": count, "ours": result["total"]}
                for text, count, result in zip(batch, counts, results)
                if result["total"] != count
            ]
            expect_equal(wrong, [], f"{name}: random texts {start} to {start + len(batch)} count as officially")

        counts = [len(official.encode_ordinary(text)) for text in made]
        results = ask([("count_tokens", {"text": text, "encoding": name}) for text in made])
        wrong = [
            {"text": text[:200], "official": count, "ours": result["total"]}
            for text, count, result in zip(made, counts, results)
            if result["total"] != count or result["exact"] is not True
        ]
        expect_equal(wrong, [], f"{name}: all {len(made)} counts are the official ones")

        # What is cut is what the promise is about: the count of the text that came back.
        long = [(text, budget) for text, count in zip(made, counts) for budget in BUDGETS if budget < count]
        asked = [
            ("context_compress", {"text": text, "max_tokens": budget, "encoding": name, "kind": "prose"})
            for text, budget in long
        ]
        over = []
        for (text, budget), result in zip(long, ask(asked)):
            count = len(official.encode_ordinary(result["text"]))
            if count > budget or count != result["tokens_after"]:
                over.append({"budget": budget, "official": count, "ours": result["tokens_after"], "text": text[:200]})
        expect_equal(over, [], f"{name}: all {len(long)} compressed texts keep to their budget by the official count")


if __name__ == "__main__":
    main()
