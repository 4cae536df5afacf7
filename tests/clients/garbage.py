"""Garbage on standard input, seen from outside: `garbage.py serve|rpc`.

Whatever a line is, its sender gets one answer, with the id where one can be recovered; and the next
request works. Uses nothing of any client library.
"""

import json
import queue
import subprocess
import sys
import threading

from checks import BINARY, expect, expect_equal

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
SILENCE_SECONDS = 60


class Peer:
    """A server as its client sees it: lines go in, lines come out."""

    def __init__(self, command: str):
        self.command = command
        self.process = subprocess.Popen(
            [BINARY, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.lines: queue.Queue = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.next_id = 1000
        if command == "serve":
            client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "garbage", "version": "1"}}
            self.send(json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": client}).encode())
            expect_equal(self.answer("initialize")["id"], 0, "serve: initialize is answered")
            self.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

    def read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def send(self, line: bytes, newline: bytes = b"\n") -> None:
        self.process.stdin.write(line + newline)
        self.process.stdin.flush()

    def answer(self, what: str) -> dict:
        """Returns the next line, which must be one JSON object and come in time."""
        try:
            line = self.lines.get(timeout=SILENCE_SECONDS)
        except queue.Empty:
            expect(False, f"{self.command}: {what} is answered", f"silence for {SILENCE_SECONDS} s")
        expect_quietly(line is not None, f"{self.command}: {what} leaves the server alive", "it left")
        try:
            return json.loads(line)
        except ValueError:
            expect(False, f"{self.command}: {what} is answered in JSON", line.decode(errors="replace"))

    def request(self, id: object, text: object = "hello world") -> bytes:
        """Returns a good request: count the tokens of a text."""
        arguments = {"text": text, "encoding": "o200k_base"}
        if self.command == "rpc":
            return json.dumps({"jsonrpc": "2.0", "id": id, "method": "count_tokens", "params": arguments}).encode()
        params = {"name": "count_tokens", "arguments": arguments}
        return json.dumps({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).encode()

    def total(self, answer: dict, what: str) -> int:
        """Returns the count in an answer to `request`."""
        expect_quietly("result" in answer, f"{self.command}: {what}", answer)
        result = answer["result"]
        return (result["structuredContent"] if self.command == "serve" else result)["total"]

    def still_works(self, what: str) -> None:
        """The next request has the next answer, and it is right."""
        self.next_id += 1
        self.send(self.request(self.next_id))
        answer = self.answer(f"the request after {what}")
        expect_quietly(answer.get("id") == self.next_id, f"{self.command}: one answer to {what}", answer)
        expect_quietly(self.total(answer, f"the request after {what} works") == 2, "two tokens", answer)

    def refuses(self, what: str, line: bytes, id: object, *codes: int) -> None:
        """The line gets an error with the id and one of the codes, and the next request works."""
        self.send(line)
        answer = self.answer(what)
        good = answer.get("jsonrpc") == "2.0" and "result" not in answer and answer.get("id", "none") == id
        good = good and answer["error"]["code"] in codes and bool(answer["error"]["message"])
        expect_quietly(good, f"{self.command}: {what} gets {codes} with the id {id!r}", answer)
        expect_quietly(len(json.dumps(answer)) < 8192, "what was sent is not sent back whole", answer)
        self.still_works(what)
        print(f"ok: {self.command}: {what}", flush=True)

    def answers(self, what: str, line: bytes, id: object) -> None:
        """The line gets one answer with the id, good or bad, and the next request works."""
        self.send(line)
        answer = self.answer(what)
        expect_quietly(answer.get("id", "none") == id, f"{self.command}: {what} is answered with its id", str(answer)[:500])
        self.still_works(what)
        print(f"ok: {self.command}: {what}", flush=True)

    def ignores(self, what: str, line: bytes) -> None:
        """The line gets no answer at all."""
        self.send(line)
        self.still_works(what)
        print(f"ok: {self.command}: {what}", flush=True)

    def leave(self) -> list[dict]:
        """Ends the input; returns what was still answered. The server must leave by itself, with 0."""
        self.process.stdin.close()
        status = self.process.wait(timeout=SILENCE_SECONDS)
        expect_quietly(status == 0, f"{self.command}: it leaves with 0 at the end of its input", status)
        rest = []
        while (line := self.lines.get(timeout=SILENCE_SECONDS)) is not None:
            rest.append(json.loads(line))
        return rest


def expect_quietly(holds: bool, what: str, found: object) -> None:
    """Says something only if it does not hold."""
    if not holds:
        expect(holds, what, found)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def garbage(command: str) -> None:
    peer = Peer(command)
    peer.still_works("nothing at all")
    good = peer.request(7)
    method = b'"tools/call"' if command == "serve" else b'"count_tokens"'

    # Not JSON.
    peer.refuses("a word", b"hello", None, PARSE_ERROR)
    peer.refuses("an open brace", b"{", None, PARSE_ERROR)
    peer.refuses("a request without its end", good[:-1], 7, PARSE_ERROR)
    peer.refuses("a request with more behind it", good + b"}", 7, PARSE_ERROR)
    peer.refuses("invalid UTF-8", good.replace(b"hello", b"h\xff\xfello"), 7, PARSE_ERROR, INVALID_REQUEST)
    peer.refuses("UTF-16", "{}".encode("utf-16"), None, PARSE_ERROR)
    peer.refuses("a NUL byte in a string", good.replace(b"hello", b"h\0llo"), 7, PARSE_ERROR, INVALID_REQUEST)
    peer.refuses("a number beyond all bounds", good.replace(b'"hello world"', b"1e999"), 7, PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS)

    # JSON that Rust's strings cannot hold: JavaScript writes it when it cuts inside an emoji.
    peer.answers("the first half of an emoji", good.replace(b"hello", b"hello \\ud83d"), 7)
    peer.answers("the second half of an emoji", good.replace(b"hello", b"\\ude00 hello"), 7)
    peer.answers("two halves the wrong way round", good.replace(b"hello", b"\\ude00\\ud83d"), 7)
    peer.refuses("half an emoji in the method", b'{"jsonrpc":"2.0","id":7,"method":"x\\ud83d"}', 7, METHOD_NOT_FOUND)

    # Too much.
    much = b"a " * (32 << 20)
    peer.answers("64 MiB of text", good.replace(b"hello", much), 7)
    backwards = b'{"params":{"text":"' + much + b'"},"method":' + method + b',"id":"at the end","jsonrpc":"2.0"}'
    peer.answers("64 MiB before the id", backwards, "at the end")
    peer.answers("64 MiB of garbage", b"x" * (64 << 20), None)
    del much, backwards
    for depth in [1_000, 100_000]:
        peer.refuses(f"{depth}-deep nesting", good.replace(b'"hello world"', nested(depth)), 7, PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS)
        peer.refuses(f"{depth}-deep nesting and nothing else", nested(depth), None, PARSE_ERROR, INVALID_REQUEST)

    # JSON that is no request.
    for text in [b"5", b"null", b'"text"', b"true"]:
        peer.refuses(f"the value {text.decode()}", text, None, INVALID_REQUEST)
    peer.refuses("an empty object", b"{}", None, INVALID_REQUEST)
    peer.refuses("another version", good.replace(b'"2.0"', b'"1.0"'), 7, INVALID_REQUEST)
    peer.refuses("a method that is a number", b'{"jsonrpc":"2.0","id":7,"method":5}', 7, INVALID_REQUEST)
    peer.refuses("an id that is an object", peer.request({"a": 1}), None, INVALID_REQUEST)
    peer.refuses("an empty batch", b"[]", None, INVALID_REQUEST)

    # Requests that ask for what is not there.
    peer.refuses("an unknown method", b'{"jsonrpc":"2.0","id":7,"method":"no/such"}', 7, METHOD_NOT_FOUND)
    peer.refuses("a method of 1 MiB", b'{"jsonrpc":"2.0","id":"a","method":"' + b"m" * (1 << 20) + b'"}', "a", METHOD_NOT_FOUND)
    peer.refuses("params that are a number", b'{"jsonrpc":"2.0","id":7,"method":' + method + b',"params":5}', 7, INVALID_REQUEST, INVALID_PARAMS)
    if command == "serve":
        for what, params in [
            ("a call without params", None),
            ("a call without a name", {}),
            ("a name that is a number", {"name": 5}),
            ("arguments that are a list", {"name": "count_tokens", "arguments": []}),
        ]:
            line = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"} | ({} if params is None else {"params": params})
            peer.refuses(what, json.dumps(line).encode(), 7, INVALID_PARAMS)
    else:
        peer.refuses("a text that is a number", peer.request(7, 5), 7, INVALID_PARAMS)

    # What needs no answer.
    peer.ignores("an empty line", b"")
    peer.ignores("a line of blanks", b"  \t ")
    peer.ignores("an answer to nothing", b'{"jsonrpc":"2.0","id":999,"result":{}}' if command == "serve" else b"")
    peer.ignores("an unknown notification", b'{"jsonrpc":"2.0","method":"no/such"}')
    if command == "serve":
        peer.ignores("cancelling what never was", b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":999}}')

    # Ids come back as they were sent.
    for id in ["", "ünï", 0, -1, 2**53, "a" * 500]:
        peer.answers(f"the id {str(id)[:20]!r}", peer.request(id), id)
    peer.send(good + b"\r")
    expect_quietly(peer.answer("a line that ends in CR LF")["id"] == 7, "answered", "")
    peer.send(peer.request(7, "one"))
    peer.send(peer.request(7, "one two"))
    both = sorted(peer.total(peer.answer("two requests with one id"), "both are answered") for _ in range(2))
    expect_equal(both, [1, 2], f"{command}: two requests with one id are both answered")
    expect_equal(peer.leave(), [], f"{command}: nothing more was said")

    # The end of the input, wherever it comes.
    peer = Peer(command)
    peer.send(peer.request(8), newline=b"")
    rest = peer.leave()
    expect_equal([answer.get("id") for answer in rest], [8], f"{command}: a last line without a newline is answered")
    peer = Peer(command)
    peer.send(peer.request(9)[:-10], newline=b"")
    rest = peer.leave()
    expect_equal([answer.get("id") for answer in rest], [9], f"{command}: half a request before the end is refused with its id")
    expect_equal(rest[0]["error"]["code"], PARSE_ERROR, f"{command}: as not being JSON")
    silent = subprocess.run([BINARY, command], stdin=subprocess.DEVNULL, capture_output=True, timeout=SILENCE_SECONDS)
    expect_equal((silent.returncode, silent.stdout), (0, b""), f"{command}: no input at all is no error")


if __name__ == "__main__":
    garbage(sys.argv[1])
