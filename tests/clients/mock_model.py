"""A model endpoint on the loopback interface that says what a test wants said.

It speaks enough of two protocols for real agent programs to take it for their model: Anthropic's
`/v1/messages` (Claude Code) and OpenAI's `/v1/responses` (Codex), both also as event streams.

It asks for a tool if the test named one and the agent offers it, and then answers with the text of
the test, in which `{result}` stands for what the tool returned. A request that cannot use tools,
such as one for a title, is answered with plain text. Everything it was sent is kept for the test.

As a program: `mock_model.py --port-file FILE [--tool SUFFIX --arguments JSON] [--say TEXT]` writes
its port to FILE, and what it was sent, a JSON document a line, to standard output, until it is ended.
"""

import argparse
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

USAGE_ANTHROPIC = {"input_tokens": 100, "output_tokens": 20}
USAGE_OPENAI = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 120,
}


@dataclass
class Mock:
    """What the model does, and what it has seen."""

    say: str = "It is done."
    tool: str | None = None
    """The end of the name of the tool to ask for, such as `memory_recall`."""
    arguments: dict = field(default_factory=dict)

    requests: list[dict] = field(default_factory=list)
    """Bodies of all model requests, in order."""
    offered: set[str] = field(default_factory=set)
    """Names of the tools that the agent offered, as the agent names them."""
    results: list[str] = field(default_factory=list)
    """What came back from the tool, as the model read it."""

    def text(self, results: list[str]) -> str:
        """Returns the final answer."""
        return self.say.replace("{result}", "\n".join(results))

    def serve(self) -> "Server":
        """Starts to answer on a free port, in threads of its own."""
        return Server(self)


class Server:
    """A running mock: `with mock.serve() as server: server.address`."""

    def __init__(self, mock: Mock):
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.mock = mock
        self.http.lock = threading.Lock()
        self.port = self.http.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)

    def __enter__(self) -> "Server":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()


def text_of(content: object) -> str:
    """Returns the text of a message's content: a string, or a list of blocks."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(block.get("text", block.get("content", ""))) for block in content)
    return json.dumps(content)


# Anthropic's messages.


def anthropic_tools(body: dict) -> dict[str, dict]:
    return {tool["name"]: {"name": tool["name"]} for tool in body.get("tools", [])}


def anthropic_results(body: dict) -> list[str]:
    found = []
    for message in body.get("messages", []):
        if isinstance(message["content"], list):
            found += [text_of(block.get("content", "")) for block in message["content"] if block["type"] == "tool_result"]
    return found


def anthropic_events(block: dict) -> list[tuple[str, dict]]:
    """Returns the events that carry one content block."""
    stop = "tool_use" if block["type"] == "tool_use" else "end_turn"
    if block["type"] == "tool_use":
        empty = block | {"input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        empty = block | {"text": ""}
        delta = {"type": "text_delta", "text": block["text"]}
    message = anthropic_message(block) | {"content": [], "stop_reason": None}
    return [
        ("message_start", {"message": message}),
        ("content_block_start", {"index": 0, "content_block": empty}),
        ("content_block_delta", {"index": 0, "delta": delta}),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 20}}),
        ("message_stop", {}),
    ]


def anthropic_message(block: dict) -> dict:
    return {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": "mock-model",
        "content": [block],
        "stop_reason": "tool_use" if block["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": USAGE_ANTHROPIC,
    }


# OpenAI's responses.


def openai_tools(body: dict) -> dict[str, dict]:
    """Returns the tools by full name; a tool of a namespace is called by both parts."""
    found = {}
    for tool in body.get("tools", []):
        if tool.get("type") == "namespace":
            for inner in tool.get("tools", []):
                found[f"{tool['name']}__{inner['name']}"] = {"name": inner["name"], "namespace": tool["name"]}
        elif "name" in tool:
            found[tool["name"]] = {"name": tool["name"]}
    return found


def openai_results(body: dict) -> list[str]:
    return [text_of(item["output"]) for item in body.get("input", []) if item.get("type") == "function_call_output"]


def openai_events(item: dict) -> list[tuple[str, dict]]:
    """Returns the events that carry one output item."""
    response = openai_response(item)
    return [
        ("response.created", {"response": response | {"status": "in_progress", "output": []}}),
        ("response.output_item.added", {"output_index": 0, "item": item}),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": response}),
    ]


def openai_response(item: dict) -> dict:
    return {
        "id": "resp_mock",
        "object": "response",
        "status": "completed",
        "model": "mock-model",
        "output": [item],
        "usage": USAGE_OPENAI,
    }


class Handler(BaseHTTPRequestHandler):
    """Answers both protocols."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing; what was sent is in the mock."""

    def do_HEAD(self) -> None:
        self.reply(200, b"", "text/plain")

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/models"):
            self.reply_json({"object": "list", "data": [{"id": "mock-model", "type": "model", "object": "model"}], "models": []})
        else:
            self.reply(404, b"{}", "application/json")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        path = self.path.partition("?")[0]
        if path.endswith("/messages/count_tokens"):
            self.reply_json({"input_tokens": 100})
        elif path.endswith("/messages"):
            chosen, results = self.choose(body, anthropic_tools(body), anthropic_results(body))
            if chosen:
                block = {"type": "tool_use", "id": "toolu_mock", "name": chosen["name"], "input": self.server.mock.arguments}
            else:
                block = {"type": "text", "text": self.server.mock.text(results)}
            if body.get("stream"):
                self.reply_events(anthropic_events(block))
            else:
                self.reply_json(anthropic_message(block))
        elif path.endswith("/responses"):
            chosen, results = self.choose(body, openai_tools(body), openai_results(body))
            if chosen:
                arguments = json.dumps(self.server.mock.arguments)
                item = {"type": "function_call", "id": "fc_mock", "call_id": "call_mock", "arguments": arguments} | chosen
            else:
                content = [{"type": "output_text", "text": self.server.mock.text(results), "annotations": []}]
                item = {"type": "message", "id": "msg_mock", "role": "assistant", "status": "completed", "content": content}
            if body.get("stream"):
                self.reply_events(openai_events(item))
            else:
                self.reply_json(openai_response(item))
        else:
            self.reply(404, b"{}", "application/json")

    def choose(self, body: dict, tools: dict[str, dict], results: list[str]) -> tuple[dict | None, list[str]]:
        """Keeps what was sent; returns the tool to ask for, or None when it is time to answer."""
        mock = self.server.mock
        with self.server.lock:
            mock.requests.append(body)
            mock.offered |= tools.keys()
            if len(results) > len(mock.results):
                mock.results = results
        if mock.tool is None or results:
            return None, results
        return next((call for name, call in tools.items() if name.endswith(mock.tool)), None), results

    def reply_events(self, events: list[tuple[str, dict]]) -> None:
        lines = []
        for number, (name, data) in enumerate(events):
            document = {"type": name, "sequence_number": number} | data
            lines.append(f"event: {name}\ndata: {json.dumps(document)}\n\n")
        self.reply(200, "".join(lines).encode(), "text/event-stream")

    def reply_json(self, document: dict) -> None:
        self.reply(200, json.dumps(document).encode(), "application/json")

    def reply(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Printed(list):
    """A list that prints what is added to it."""

    def append(self, document: dict) -> None:
        super().append(document)
        print(json.dumps(document), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="A model endpoint that says what a test wants said.")
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--say", default=Mock.say)
    parser.add_argument("--tool")
    parser.add_argument("--arguments", type=json.loads, default={})
    asked = parser.parse_args()
    mock = Mock(say=asked.say, tool=asked.tool, arguments=asked.arguments, requests=Printed())
    with mock.serve() as server:
        asked.port_file.write_text(str(server.port))
        server.thread.join()


if __name__ == "__main__":
    main()
