"""Matches of a path and of a header as two items of a list, which is an OR."""

from collections.abc import Iterator

from meshconfig.istio import HTTPMatchRequest
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for at in index.http.alternatives:
        anywhere = next((place for place, match in enumerate(at.route.match) if _is_of_headers(match)), None)
        if anywhere is not None and any(map(_is_of_path, at.route.match)):
            path = (*at.path, "match", anywhere)
            yield Hit(at.owner, path, "the items of match are alternatives: this one takes requests for every path")


def _is_of_headers(match: HTTPMatchRequest) -> bool:
    return match.uri is None and bool(match.headers or match.query_params)


def _is_of_path(match: HTTPMatchRequest) -> bool:
    return match.uri is not None and not match.headers and not match.query_params


RULE = Rule(
    code="GL222",
    level=Level.INFO,
    title="A route has a match for a header and another one for a path, which are alternatives.",
    fix="If both are to hold, put uri and headers into one item of match.",
    why="A request needs to fulfil one item of match only, but everything within it. With a dash too many, the header "
    "alone brings requests for every path here.",
    resources=check,
)
