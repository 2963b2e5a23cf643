"""A regular expression that is anchored at its start only, as if it were a prefix."""

from collections.abc import Iterator

from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.regex import literals


def check(index: Index) -> Iterator[Hit]:
    for at, path, text in index.http.strings():
        if text.regex and (only := _only(text.regex)):
            yield Hit(at.owner, (*at.path, *path, "regex"), f"this takes {only} alone, and not what starts with it")


def _only(pattern: str) -> str:
    if not pattern.startswith("^") or pattern.endswith("$"):
        return ""
    found = literals(pattern)
    return found[0] if found is not None and len(found) == 1 else ""


RULE = Rule(
    code="GL228",
    level=Level.WARNING,
    title="A regular expression starts with ^ and has no end, but has to match the whole value.",
    fix="Write a prefix, or end the expression with .*; if the whole value is meant, write exact.",
    why="Istio compares an expression with the whole value, so `^/api` is the path /api and no other.",
    resources=check,
)
