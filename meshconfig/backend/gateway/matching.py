"""Matches as an HTTPRoute has them. Source: Gateway API, HTTPRouteMatch."""

import re
from collections.abc import Iterator

from meshconfig.backend.gateway.matches import Match, Path
from meshconfig.backend.manifest import Manifest
from meshconfig.backend.refused import UnsupportedError
from meshconfig.baggage import quoted
from meshconfig.model import Named, Route, StringMatch

LONGEST_PATH, LONGEST_HEADER, LONGEST_QUERY, MOST_NAMES = 1024, 4096, 1024, 16
ANYTHING = ".*"
_PATH = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+")
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


def lowered_grpc(match: Match, route: Route | None) -> Manifest:
    """One match of a GRPCRoute; an empty one takes every call. Source: Gateway API, GRPCRouteMatch.

    Raises:
        UnsupportedError: it asks for something else than a method of gRPC and headers.
    """
    service, _, method = match.path.value.removeprefix("/").partition("/")
    whole = match.path.kind == "exact" and bool(service and method) and "/" not in method
    if match.method or match.query or not (match.path.kind == "any" or whole or match.path.kind == "elements"):
        message = "a GRPCRoute asks for /SERVICE/METHOD, the prefix /SERVICE/ and headers: match these"
        raise UnsupportedError(route, f"{message}, or write protocol: http")
    found: Manifest = {}
    if match.path.kind != "any":
        found["method"] = {"type": "Exact", "service": service, **({"method": method} if whole else {})}
    if match.headers:
        found["headers"] = list(_strings(match.headers, LONGEST_HEADER, route))
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
    if path.kind in ("exact", "elements"):
        check_path(path.value, route)
    if len(found["value"].encode()) > LONGEST_PATH:
        raise UnsupportedError(route, f"the path {path.value[:40]}… is longer than {LONGEST_PATH} characters")
    return found


def check_path(path: str, route: Route | None) -> None:
    """Checks that Gateway API takes a path, whole or of elements.

    Raises:
        UnsupportedError: it has characters or parts that the API server refuses.
    """
    if not _is_plain(path):
        message = f"Gateway API takes no path {path}: write it without //, /../ and %2F, and percent-encoded"
        raise UnsupportedError(route, message)


def _is_plain(path: str) -> bool:
    """Whether the API server takes a path. Source: Gateway API, the rules of HTTPPathMatch."""
    odd = any(part in path.lower() for part in ("//", "/./", "/../", "%2f")) or path.endswith(("/.", "/.."))
    return not odd and _PATH.fullmatch(path) is not None


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
