"""A regular expression that Istio refuses: over 1024 characters, or not RE2."""

from collections.abc import Iterator

from meshconfig.istio import HTTPMatchRequest, StringMatch
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import FieldPath
from meshconfig.simulate.strings import compiled, is_present_match
from meshconfig.spec.match import MAX_REGEX


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        for number, route in enumerate(owner.spec.http):
            for place, match in enumerate(route.match):
                for path, text in _strings(match):
                    if why := _refused(text):
                        yield Hit(owner, ("spec", "http", number, "match", place, *path, "regex"), why)


def _strings(match: HTTPMatchRequest) -> Iterator[tuple[FieldPath, StringMatch]]:
    """Every string that a match asks for."""
    plain = {"uri": match.uri, "scheme": match.scheme, "method": match.method, "authority": match.authority}
    for field, text in plain.items():
        if text is not None:
            yield (field,), text
    named = {"headers": match.headers, "withoutHeaders": match.without_headers, "queryParams": match.query_params}
    for field, texts in named.items():
        for name, text in texts.items():
            yield (field, name), text


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
