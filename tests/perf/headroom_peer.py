"""headroom-ai, a text a line: the peer of `compress.py`, in a process with packages of its own.

    python headroom_peer.py FOLDER_OF_RANK_FILES

Reads lines of JSON with `text` and `query`; answers each with the processor time in seconds, whether
the text came back as it was, and its length. The text is given as what a tool said, which is what
headroom is made for. Its counter would fetch a file of ranks; it is handed the installed one, so that it counts
as it does elsewhere.
"""

import json
import os
import re
import sys
import time
from pathlib import Path


def main() -> None:
    import tiktoken.load

    ranks = Path(sys.argv[1])
    tiktoken.load.read_file_cached = lambda address, expected_hash=None: (ranks / re.split("[/]", address)[-1]).read_bytes()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what it prints itself is no answer
    import headroom

    for line in sys.stdin:
        asked = json.loads(line)
        call = {"id": "call_1", "type": "function", "function": {"name": "run", "arguments": "{}"}}
        messages = [
            {"role": "user", "content": asked["query"] or "Go on."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": asked["text"]},
        ]
        started = time.process_time()
        result = headroom.compress(
            messages, model="gpt-4o", target_ratio=0.25, protect_recent=0, protect_analysis_context=False
        )
        spent = time.process_time() - started
        content = result.messages[-1]["content"]
        answer = {"seconds": spent, "same": content == asked["text"], "length": len(content)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
