"""A regular expression that Istio refuses: over 1024 characters, or not RE2."""

from collections.abc import Iterator

from meshconfig.istio import StringMatch
from meshconfig.istio.matches import string_matches
from meshconfig.istio.strings import compiled, is_present_match
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.spec.match import MAX_REGEX


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            for place, match in enumerate(route.match):
                for path, text in string_matches(match):
                    if why := _refused(text):
                        yield Hit(owner, ("spec", "http", number, "match", place, *path, "regex"), why)


def _refused(text: StringMatch) -> str:
    if text.regex is None or is_present_match(text):
        return ""
    if len(text.regex) > MAX_REGEX:
        return f"{len(text.regex)} characters, and Istio takes at most {MAX_REGEX}"
    return "" if compiled(text.regex) else f"not RE2, which has no look-around and no back references: {text.regex}"


RULE = Rule(
    code="GL212",
    level=Level.ERROR,
    title=f"A regular expression is over {MAX_REGEX} characters long or is not RE2.",
    fix="Match on an exact value or a prefix, in several matches if need be, or write it in RE2.",
    why="Istio refuses the whole VirtualService.",
    istio=("IST0106",),
    resources=check,
)
