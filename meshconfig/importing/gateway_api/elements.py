"""Rules of HTTPRoutes in a form that a spec has: a `PathPrefix` compares whole elements of a path, a spec's prefix
compares characters. So `/api` becomes the exact path `/api` and the prefix `/api/`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meshconfig.backend.gateway.matches import Rank
from meshconfig.backend.gateway.matching import ANYTHING
from meshconfig.backend.gateway.ranks import ranks
from meshconfig.backend.manifest import Manifest
from meshconfig.baggage import quoted

_PREFIX, _EXACT, _REGEX = "PathPrefix", "Exact", "RegularExpression"


def spread(rule: Manifest, kind: str) -> Iterator[tuple[Manifest, list[Rank]]]:
    """A rule as rules that compare no elements, each with the ranks that its matches have in the rule as written.

    Parameters:
        kind: HTTPRoute or GRPCRoute.
    """
    matches: Sequence[Manifest] = rule.get("matches") or ()
    places = ranks(rule, kind)
    if kind != "HTTPRoute" or not any(map(_elements, matches)):
        yield rule, places
        return
    replaced = _replaced(rule)
    if replaced is None:
        pairs = [(each, place) for match, place in zip(matches, places, strict=True) for each in _both(match, ANYTHING)]
        yield {**rule, "matches": [match for match, _ in pairs]}, [place for _, place in pairs]
        return
    for match, place in zip(matches, places, strict=True):
        path = _elements(match)
        if not path:
            yield {**rule, "matches": [match]}, [place]
            continue
        bare = replaced.rstrip("/")
        exact = {"type": "ReplaceFullPath", "replaceFullPath": bare or "/"}
        below = {"type": "ReplacePrefixMatch", "replacePrefixMatch": f"{bare}/"}
        yield _rewritten(rule, {**match, "path": {"type": _EXACT, "value": path}}, exact), [place]
        yield _rewritten(rule, {**match, "path": {"type": _PREFIX, "value": f"{path}/"}}, below), [place]


def _elements(match: Mapping[str, Any]) -> str:
    """The elements that a match asks for, without a slash at the end; empty where it asks for none."""
    path = match.get("path") or {}
    return str(path.get("value", "/")).removesuffix("/") if path.get("type", _PREFIX) == _PREFIX else ""


def _both(match: Manifest, rest: str) -> list[Manifest]:
    path = _elements(match)
    if not path:
        return [match]
    below = {"type": _REGEX, "value": quoted(f"{path}/") + rest}
    return [{**match, "path": {"type": _EXACT, "value": path}}, {**match, "path": below}]


def _replaced(rule: Mapping[str, Any]) -> str | None:
    """What replaces the elements that a rule matches; None where they stay."""
    for one in rule.get("filters") or ():
        path = (one.get("urlRewrite") or {}).get("path") or {}
        if path.get("type") == "ReplacePrefixMatch":
            return str(path.get("replacePrefixMatch", ""))
    return None


def _rewritten(rule: Manifest, match: Manifest, path: Manifest) -> Manifest:
    filters = [
        {**one, "urlRewrite": {**one["urlRewrite"], "path": path}} if one.get("type") == "URLRewrite" else one
        for one in rule["filters"]
    ]
    return {**rule, "matches": [match], "filters": filters}
