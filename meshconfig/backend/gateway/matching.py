"""Matches as an HTTPRoute has them. Source: Gateway API, HTTPRouteMatch."""

from collections.abc import Iterator

from meshconfig.backend.gateway.matches import Match, Path
from meshconfig.backend.manifest import Manifest
from meshconfig.backend.refused import UnsupportedError
from meshconfig.baggage import quoted
from meshconfig.model import Named, Route, StringMatch

LONGEST_PATH, LONGEST_HEADER, LONGEST_QUERY, MOST_NAMES = 1024, 4096, 1024, 16
ANYTHING = ".*"
EMPTY = "()"  # a value must have a character, and this one takes the empty text alone


def lowered(match: Match, route: Route | None, *, regexes: bool) -> Manifest:
    """One match.

    Parameters:
        route: where it comes from, for an error.
        regexes: some match of the host has a regex for its path.

    Raises:
        UnsupportedError: a text that is longer than Gateway API takes, or too many of them.
    """
    found: Manifest = {"path": _path(match.path, route, regexes=regexes)}
    if match.method:
        found["method"] = match.method
    if match.headers:
        found["headers"] = list(_strings(match.headers, LONGEST_HEADER, route))
    if match.query:
        found["queryParams"] = list(_strings(match.query, LONGEST_QUERY, route))
    return found


def _path(path: Path, route: Route | None, *, regexes: bool) -> Manifest:
    match path.kind:
        case "exact":
            found = {"type": "Exact", "value": path.value}
        case "elements":
            found = {"type": "PathPrefix", "value": path.value or "/"}
        case "any" if not regexes:
            found = {"type": "PathPrefix", "value": "/"}
        case _:
            found = {"type": "RegularExpression", "value": path.regex}
    if len(found["value"].encode()) > LONGEST_PATH:
        raise UnsupportedError(route, f"the path {path.value[:40]}… is longer than {LONGEST_PATH} characters")
    return found


def _strings(matches: Named, longest: int, route: Route | None) -> Iterator[Manifest]:
    if len(matches) > MOST_NAMES:
        raise UnsupportedError(route, f"a match of more than {MOST_NAMES} headers or parameters: ask for fewer")
    for name, one in matches:
        kind, value = _string(one)
        if len(value) > longest:
            raise UnsupportedError(route, f"the value of {name} is longer than {longest} characters")
        yield {"type": kind, "name": name, "value": value}


def _string(match: StringMatch) -> tuple[str, str]:
    if match.kind == "exact" and match.value:
        return "Exact", match.value
    pattern = {
        "exact": EMPTY,
        "prefix": f"{quoted(match.value)}{ANYTHING}",
        "regex": match.value,
        "present": ANYTHING,
    }
    return "RegularExpression", pattern[match.kind]
