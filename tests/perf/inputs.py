"""Texts of every kind that is compressed, as large as wanted, and no two alike.

Words and code come from this project's own files, so that they are spread as in real texts; the rest
is made up, with the variety that programs have: rare lines, errors among routine, ids that never
come again. The same seed gives the same text.
"""

import html
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
QUERIES = {
    "code": "how is a budget shared between parts and what is dropped first",
    "default": "why did the connection to worker 7 fail and what was retried",
}


@cache
def sources(suffix: str) -> list[tuple[str, str]]:
    """Returns the project's files that end so, with their names."""
    found = sorted(path for folder in ["src", "tests", "docs"] for path in (ROOT / folder).rglob(f"*{suffix}"))
    found += sorted(ROOT.glob(f"*{suffix}"))
    return [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in found]


@cache
def followers() -> dict[str, list[str]]:
    """Returns which words come after each word in the project's prose."""
    comments = re.compile(r"^\s*//[/!] ?(.*)$", re.MULTILINE)
    prose = [text for _, text in sources(".md")]
    prose += ["\n".join(comments.findall(text)) for _, text in sources(".rs")]
    words = " ".join(re.sub(r"[`*#|\[\]()>]", " ", text) for text in prose).split()
    after: dict[str, list[str]] = {}
    for word, following in zip(words, words[1:]):
        after.setdefault(word, []).append(following)
    return after


def sentence(random: random.Random, words: int) -> str:
    """Returns words that follow one another as they do in the project's prose, with a fact now and then."""
    after = followers()
    word = random.choice(starts())
    said = [word]
    while len(said) < words:
        word = random.choice(after.get(word) or starts())
        said.append(word.rstrip(".:;"))
    if random.random() < 0.3:
        said.insert(len(said) // 2, f"{name(random).title()} {random.randrange(2, 9000)}")
    text = " ".join(said)
    return text[:1].upper() + text[1:] + "."


@cache
def starts() -> list[str]:
    return sorted(word for word in followers() if word[:1].isupper() and word[1:].islower())


SYLLABLES = "ba co di fer gun hal ik jo ka lim mor ne os pra qui ras sol ti ul var wen xi yor zed".split()


def name(random: random.Random) -> str:
    return "".join(random.choice(SYLLABLES) for _ in range(random.randrange(2, 4)))


def address(random: random.Random) -> str:
    return ".".join(str(random.randrange(1, 255)) for _ in range(4))


def prose(random: random.Random) -> Iterator[str]:
    while True:
        yield " ".join(sentence(random, random.randrange(6, 28)) for _ in range(random.randrange(2, 7))) + "\n\n"


def markdown(random: random.Random) -> Iterator[str]:
    while True:
        yield f"{'#' * random.randrange(1, 4)} {sentence(random, 4)[:-1]}\n\n"
        for _ in range(random.randrange(1, 4)):
            yield " ".join(sentence(random, random.randrange(6, 24)) for _ in range(random.randrange(1, 5))) + "\n\n"
        if random.random() < 0.5:
            yield "".join(f"- {sentence(random, random.randrange(4, 14))}\n" for _ in range(5)) + "\n"
        if random.random() < 0.3:
            yield f"```sh\nctx {name(random)} --{name(random)} {random.randrange(999)}\n```\n\n"


def dialogue(random: random.Random) -> Iterator[str]:
    people = [name(random).title() for _ in range(4)]
    minute = 0
    while True:
        minute += random.randrange(1, 9)
        said = " ".join(sentence(random, random.randrange(3, 18)) for _ in range(random.randrange(1, 4)))
        yield f"[2026-03-{minute // 1440 % 28 + 1:02} {minute // 60 % 24:02}:{minute % 60:02}] {random.choice(people)}: {said}\n"


def messages(random: random.Random) -> Iterator[str]:
    yield "["
    comma = ""
    kinds = [prose, log, search, code_in("rs")]
    while True:
        call = f"call_{random.randrange(16**8):08x}"
        output = take(random.choice(kinds)(random), random.randrange(500, 4000))
        turns = [
            {"role": "user", "content": sentence(random, random.randrange(5, 40))},
            {
                "role": "assistant",
                "content": sentence(random, random.randrange(5, 40)),
                "tool_calls": [{"id": call, "type": "function", "function": {"name": "run", "arguments": json.dumps({"command": name(random)})}}],
            },
            {"role": "tool", "tool_call_id": call, "content": output},
            {"role": "assistant", "content": " ".join(sentence(random, 15) for _ in range(3))},
        ]
        for turn in turns:
            yield comma + json.dumps(turn)
            comma = ",\n"


def code_in(suffix: str) -> Callable[[random.Random], Iterator[str]]:
    return lambda random: renamed(random, suffix)


def renamed(random: random.Random, suffix: str) -> Iterator[str]:
    """The project's own files, with other names in them."""
    files = [text for _, text in sources(f".{suffix}")]
    words = re.compile(r"\b[a-z_]{5,}\b")
    while True:
        text = random.choice(files)
        common = sorted({word for word in words.findall(text) if "_" in word})
        new = {word: name(random) + "_" + word.split("_", 1)[1] for word in common if random.random() < 0.4}
        yield words.sub(lambda found: new.get(found[0], found[0]), text)


def rust(random: random.Random) -> Iterator[str]:
    return renamed(random, "rs")


def python(random: random.Random) -> Iterator[str]:
    return renamed(random, "py")


def braces(random: random.Random, function: str, line: Callable[[str, str, int], str]) -> Iterator[str]:
    """Functions of a language with braces, with comments, branches and loops of various length."""
    while True:
        one, two, three = name(random), name(random), name(random)
        yield f"/** {sentence(random, random.randrange(5, 20))} */\n" + function.format(one, two, three.title())
        depth = 1
        for _ in range(random.randrange(3, 25)):
            word, other, number = name(random), random.choice([two, name(random)]), random.randrange(500)
            if depth > 1 and random.random() < 0.25:
                depth -= 1
                yield "    " * depth + "}\n"
            elif random.random() < 0.2:
                yield "    " * depth + f"if ({other}.{word}({number})) {{\n"
                depth += 1
            elif random.random() < 0.1:
                yield "    " * depth + f"// {sentence(random, 9)}\n"
            else:
                yield "    " * depth + line(word, other, number)
        while depth > 0:
            depth -= 1
            yield "    " * depth + "}\n"
        yield "\n"


def typescript(random: random.Random) -> Iterator[str]:
    def line(word: str, other: str, number: int) -> str:
        return f"const {word} = await this.{other}.fetch(`{word}/${{{number}}}`, {{ retries: {number % 5} }});\n"

    return braces(random, "export async function {0}({1}: {2}Options, limit = 10): Promise<{2}> {{\n", line)


def java(random: random.Random) -> Iterator[str]:
    yield "package example.orders;\n\nimport java.util.List;\n\n/** All of it. */\npublic class Orders {\n"

    def line(word: str, other: str, number: int) -> str:
        return f"List<String> {word} = {other}.find(\"{word}\", {number});\n"

    yield from braces(random, "public static List<{2}> {0}(Repository {1}, int limit) {{\n", line)


def c(random: random.Random) -> Iterator[str]:
    yield "#include <stdio.h>\n#include <string.h>\n\n"

    def line(word: str, other: str, number: int) -> str:
        return f"int {word} = {other}_read(&buffer[{number}], sizeof(buffer) - {number});\n"

    yield from braces(random, "static int {0}(struct {2} *{1}, size_t limit) {{\n", line)


def log(random: random.Random) -> Iterator[str]:
    services = [name(random) for _ in range(6)]
    routine = [
        lambda: f"INFO  request {random.randrange(16**12):012x} GET /v1/{name(random)}/{random.randrange(9999)} 200 {random.randrange(900)}ms",
        lambda: f"INFO  cache hit key={name(random)}:{random.randrange(16**6):06x} size={random.randrange(99999)}",
        lambda: f"DEBUG connection from {address(random)}:{random.randrange(1024, 65535)} accepted",
        lambda: f"INFO  worker-{random.randrange(32)} picked job {random.randrange(10**7)} from queue {random.choice(services)}",
        lambda: f"DEBUG gc pause {random.random() * 40:.2f} ms, heap {random.randrange(100, 4000)} MiB",
        lambda: f"INFO  user {name(random)} ({random.randrange(10**6)}) logged in from {address(random)}",
        lambda: f"INFO  wrote /var/lib/{random.choice(services)}/segment-{random.randrange(9999):04}.dat in {random.randrange(200)} ms",
    ]
    trouble = [
        lambda: f"ERROR connect to {address(random)}:5432 refused, attempt {random.randrange(1, 6)}",
        lambda: f"WARN  slow query took {random.randrange(1000, 20000)} ms: select * from {name(random)} where id = {random.randrange(10**6)}",
        lambda: f"ERROR job {random.randrange(10**7)} failed: {sentence(random, 8)}",
        lambda: f"WARN  disk /dev/sd{random.choice('abcd')} at {random.randrange(85, 99)}%",
    ]
    milliseconds = 0
    while True:
        milliseconds += random.randrange(1, 400)
        seconds = milliseconds // 1000
        chance = random.random()
        said = random.choice(routine)() if chance < 0.97 else random.choice(trouble)() if chance < 0.998 else f"INFO  {sentence(random, 9)}"
        clock = f"2026-02-{seconds // 86400 % 28 + 1:02}T{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds % 1000:03}Z"
        yield f"{clock} [{random.choice(services)}] {said}\n"


def pytest(random: random.Random) -> Iterator[str]:
    yield "============================= test session starts ==============================\n"
    while True:
        file = f"tests/test_{name(random)}.py"
        for _ in range(random.randrange(5, 60)):
            yield f"{file}::test_{name(random)}_{name(random)} PASSED                    [ {random.randrange(100):2}%]\n"
        if random.random() < 0.3:
            test, line, left, right = name(random), random.randrange(400), random.randrange(99), random.randrange(99)
            yield f"{file}::test_{test} FAILED\n____________________ test_{test} ____________________\n\n"
            yield f"    def test_{test}():\n        found = {name(random)}({left})\n>       assert found == {right}\n"
            yield f"E       assert {left} == {right}\nE        +  where {left} = {name(random)}({left})\n\n{file}:{line}: AssertionError\n"


def cargo_test(random: random.Random) -> Iterator[str]:
    while True:
        yield f"     Running unittests src/lib.rs (target/debug/deps/{name(random)}-{random.randrange(16**16):016x})\n\n"
        count, failed = random.randrange(40, 300), []
        yield f"running {count} tests\n"
        for _ in range(count):
            bad = random.random() < 0.02
            test = f"{name(random)}::tests::{name(random)}_{name(random)}"
            failed += [test] * bad
            yield f"test {test} ... {'FAILED' if bad else 'ok'}\n"
        yield "\nfailures:\n\n"
        for test in failed:
            yield f"---- {test} stdout ----\n\nthread '{test}' panicked at src/{name(random)}.rs:{random.randrange(400)}:9:\n"
            yield f"assertion `left == right` failed\n  left: {random.randrange(99)}\n right: {random.randrange(99)}\n\n"
        yield f"test result: FAILED. {count - len(failed)} passed; {len(failed)} failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.2s\n\n"


def row(random: random.Random) -> dict:
    return {
        "id": random.randrange(10**9),
        "name": f"{name(random).title()} {name(random).title()}",
        "email": f"{name(random)}@{name(random)}.example",
        "status": random.choice(["active"] * 30 + ["paused"] * 4 + ["failed"]),
        "amount": round(random.random() * 5000, 2),
        "country": random.choice(["DE", "FR", "US", "JP", "BR"]),
        "note": sentence(random, 7) if random.random() < 0.1 else None,
    }


def json_rows(random: random.Random) -> Iterator[str]:
    yield "["
    comma = ""
    while True:
        yield comma + json.dumps(row(random))
        comma = ","


def json_lines(random: random.Random) -> Iterator[str]:
    while True:
        yield json.dumps(row(random)) + "\n"


def json_nested(random: random.Random) -> Iterator[str]:
    def value(depth: int) -> object:
        chance = random.random()
        if depth and chance < 0.35:
            return {name(random): value(depth - 1) for _ in range(random.randrange(2, 7))}
        if depth and chance < 0.5:
            return [value(depth - 1) for _ in range(random.randrange(1, 6))]
        choices = [name(random), random.randrange(10**6), random.random(), True, None, sentence(random, 8)]
        return random.choice(choices)

    yield "{"
    comma = ""
    for number in range(10**9):
        yield comma + json.dumps(f"{name(random)}_{number}") + ": " + json.dumps(value(4), indent=1)
        comma = ",\n"


def diff(random: random.Random) -> Iterator[str]:
    files = [(path, text.splitlines()) for path, text in sources(".rs")]
    while True:
        yield f"commit {random.randrange(16**40):040x}\nAuthor: {name(random).title()} <{name(random)}@localhost>\n"
        yield f"Date:   Mon Feb 2 10:{random.randrange(60):02}:00 2026 +0000\n\n    {sentence(random, 8)}\n\n"
        for _ in range(random.randrange(1, 5)):
            path, lines = random.choice(files)
            yield f"diff --git a/{path} b/{path}\nindex {random.randrange(16**7):07x}..{random.randrange(16**7):07x} 100644\n"
            yield f"--- a/{path}\n+++ b/{path}\n"
            for _ in range(random.randrange(1, 4)):
                at, body, old, new = random.randrange(len(lines)), [], 0, 0
                for line in lines[at : at + random.randrange(6, 30)]:
                    sign = random.choice("      +-")
                    old, new = old + (sign != "+"), new + (sign != "-")
                    body.append(f"{sign}{line.replace('self', name(random)) if sign == '+' else line}\n")
                yield f"@@ -{at + 1},{old} +{at + 1},{new} @@ fn {name(random)}()\n" + "".join(body)


def search(random: random.Random) -> Iterator[str]:
    files = [(path, text.splitlines()) for path, text in sources(".rs")]
    while True:
        path, lines = random.choice(files)
        folder = name(random)
        for number in sorted(random.sample(range(len(lines)), min(len(lines), random.randrange(1, 25)))):
            if lines[number].strip():
                yield f"{folder}/{path}:{number + 1}:{lines[number]}\n"


def stacks(random: random.Random) -> Iterator[str]:
    packages = ["org.springframework.web", "java.base/java.util", "io.netty.channel", "com.example.orders", "com.example.billing"]
    while True:
        yield f"Exception in thread \"worker-{random.randrange(99)}\" com.example.{name(random).title()}Exception: {sentence(random, 8)}\n"
        for _ in range(random.randrange(1, 4)):
            for _ in range(random.randrange(8, 40)):
                owner = name(random).title()
                yield f"\tat {random.choice(packages)}.{owner}.{name(random)}({owner}.java:{random.randrange(900)})\n"
            yield f"Caused by: java.io.IOException: {sentence(random, 6)}\n"
        yield f"\tat com.example.{name(random)}.Main.run(Main.java:{random.randrange(99)})\n\n"


def table(random: random.Random) -> Iterator[str]:
    yield ",".join(row(random)) + "\n"
    while True:
        yield ",".join("" if value is None else str(value) for value in row(random).values()) + "\n"


def page(random: random.Random) -> Iterator[str]:
    yield f"<!DOCTYPE html>\n<html><head><title>{name(random)}</title><style>p {{ margin: 0 }}</style></head>\n<body>\n"
    while True:
        yield f"<div class=\"{name(random)} {name(random)}\" id=\"{name(random)}\"><h2>{html.escape(sentence(random, 4))}</h2>\n"
        for _ in range(random.randrange(1, 5)):
            said = html.escape(" ".join(sentence(random, random.randrange(6, 24)) for _ in range(3)))
            yield f"<p data-id=\"{random.randrange(10**6)}\">{said} <a href=\"/{name(random)}?{name(random)}=1\">{name(random)}</a></p>\n"
        yield "<ul>" + "".join(f"<li>{html.escape(sentence(random, 6))}</li>" for _ in range(4)) + "</ul></div>\n"


# By name: what makes it, and what closes it where it is cut.
KINDS: dict[str, tuple[Callable[[random.Random], Iterator[str]], str]] = {
    "prose": (prose, ""),
    "Markdown": (markdown, ""),
    "dialogue": (dialogue, ""),
    "messages": (messages, "]"),
    "code, Rust": (rust, ""),
    "code, Python": (python, ""),
    "code, TypeScript": (typescript, ""),
    "code, Java": (java, "}\n"),
    "code, C": (c, ""),
    "log": (log, ""),
    "tests, pytest": (pytest, ""),
    "tests, cargo": (cargo_test, ""),
    "JSON rows": (json_rows, "]"),
    "JSON nested": (json_nested, "}"),
    "JSON Lines": (json_lines, ""),
    "diff": (diff, ""),
    "search": (search, ""),
    "stack traces": (stacks, ""),
    "CSV": (table, ""),
    "HTML": (page, "</body></html>\n"),
}


def take(parts: Iterator[str], size: int) -> str:
    """Returns whole parts, as many as reach the size."""
    taken, length = [], 0
    for part in parts:
        taken.append(part)
        length += len(part)
        if length >= size:
            break
    return "".join(taken)


def text(kind: str, size: int, seed: int) -> str:
    """Returns a text of a kind with about so many bytes."""
    make, close = KINDS[kind]
    return take(make(random.Random(f"{kind} {seed}")), size) + close


def query(kind: str) -> str:
    return QUERIES["code" if kind.startswith("code") else "default"]
