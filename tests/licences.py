"""Checks licences, banned crates and sources of all dependencies against deny.toml.

`cargo deny` reads the same file and says more, but takes minutes to build. This takes a second, is
offline once the dependencies are fetched, and stops the same mistakes: a licence that deny.toml
does not allow, a banned crate, a version of "*", a source other than the registry and this folder.
"""

import json
import re
import subprocess
import sys
import tomllib


def allows(expression: str, allowed: set[str]) -> bool:
    """Whether one can comply with the SPDX expression by the allowed licences alone."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    position = 0

    def peek() -> str | None:
        return tokens[position] if position < len(tokens) else None

    def take() -> str:
        nonlocal position
        if position == len(tokens):
            raise ValueError("it ends too early")
        position += 1
        return tokens[position - 1]

    def licence() -> bool:
        if peek() == "(":
            take()
            inner = either()
            if take() != ")":
                raise ValueError("a parenthesis is not closed")
            return inner
        name = take()
        if peek() == "WITH":
            take()
            return f"{name} WITH {take()}" in allowed
        return name in allowed

    def both() -> bool:
        holds = licence()
        while peek() == "AND":
            take()
            holds = licence() and holds
        return holds

    def either() -> bool:
        holds = both()
        while peek() == "OR":
            take()
            holds = both() or holds
        return holds

    holds = either()
    if peek() is not None:
        raise ValueError(f"unexpected {peek()!r}")
    return holds


def check_parser() -> None:
    """The expressions that a wrong parser would let through."""
    allowed = {"MIT", "Apache-2.0", "Unicode-3.0"}
    for expression, expected in [
        ("MIT", True),
        ("MIT/Apache-2.0", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("MIT OR GPL-3.0-only AND LGPL-2.1-only", True),
        ("(MIT OR GPL-3.0-only) AND Unicode-3.0", True),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", False),
        ("Apache-2.0 WITH LLVM-exception", False),
    ]:
        assert allows(expression, allowed) is expected, expression


def problems(metadata: dict, settings: dict) -> list[str]:
    """What deny.toml does not accept, a sentence each."""
    found = []
    allowed = set(settings["licenses"]["allow"])
    banned = {entry["crate"]: entry["reason"] for entry in settings["bans"]["deny"]}
    for package in metadata["packages"]:
        name = f"{package['name']} {package['version']}"
        if not package["license"]:
            found.append(f"{name} names no licence")
        else:
            try:
                if not allows(package["license"], allowed):
                    found.append(f"{name} is under {package['license']}, which deny.toml does not allow")
            except ValueError as error:
                found.append(f"{name} has an unreadable licence {package['license']!r}: {error}")
        if package["name"] in banned:
            found.append(f"{name} is banned: {banned[package['name']]}")
        source = package["source"]
        if source is None:
            for dependency in package["dependencies"]:
                if dependency["req"] == "*":
                    found.append(f"{name} takes any version of {dependency['name']}")
                if dependency["registry"]:
                    found.append(f"{name} takes {dependency['name']} from another registry")
        elif not source.startswith("registry+"):
            found.append(f"{name} comes from {source}")
    return found


def main() -> int:
    check_parser()
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    with open("deny.toml", "rb") as file:
        found = problems(metadata, tomllib.load(file))
    for problem in found:
        print(f"error: {problem}")
    print(f"{len(metadata['packages'])} packages looked at, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
