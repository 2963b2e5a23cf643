"""A regular expression that is anchored at its start only, as if it were a prefix."""

from collections.abc import Iterator

from meshconfig.istio import StringMatch
from meshconfig.istio.matches import string_matches
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.regex import literals


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            for place, match in enumerate(route.match):
                for path, text in string_matches(match):
                    if only := _only(text):
                        at = ("spec", "http", number, "match", place, *path, "regex")
                        yield Hit(owner, at, f"this takes {only} alone, and not what starts with it")


def _only(text: StringMatch) -> str:
    pattern = text.regex or ""
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
