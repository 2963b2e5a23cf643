"""Reads the matches of live HTTPRoutes and GRPCRoutes as conditions: the reverse of `matching`."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from meshconfig.backend.gateway.matches import ELEMENTS, PADDING, PRESENT
from meshconfig.backend.gateway.matching import ANYTHING, EMPTY
from meshconfig.baggage import quoted
from meshconfig.model import Condition, Named, StringMatch, named

ROOT = "/"
_ESCAPED = re.compile(r"\\(.)")
_ANY_PATH = "/.*"
_READ = frozenset({"path", "method", "headers", "queryParams"})
_KINDS = frozenset({"Exact", "RegularExpression"})


def condition(match: Mapping[str, Any], *, rewritten: bool = False) -> Condition:
    """The condition of an HTTPRoute's match. One with anything unknown has all of it in its `fields`.

    Parameters:
        rewritten: the rule replaces the prefix that the match asks for.
    """
    path = match.get("path") or {}
    kind, value = path.get("type", "PathPrefix"), path.get("value", ROOT)
    headers, query = match.get("headers") or (), match.get("queryParams") or ()
    known = kind in ("Exact", "PathPrefix", "RegularExpression") and not (match.keys() - _READ)
    if not known or not all(one.get("type", "Exact") in _KINDS for one in (*headers, *query)):
        return Condition(fields={"match": match})
    asked = {name: one for name, one in _strings(headers) if (name.lower(), one) != (PADDING, PRESENT)}
    return Condition(
        path=_path(kind, value, rewritten=rewritten),
        method=match.get("method"),
        headers=named(asked),
        query=_strings(query),
    )


def condition_of_grpc(match: Mapping[str, Any]) -> Condition:
    """The condition of a GRPCRoute's match."""
    method, headers = match.get("method") or {}, match.get("headers") or ()
    service, name = method.get("service"), method.get("method")
    known = method.get("type", "Exact") == "Exact" and bool(service) == bool(method)
    if not known or not all(one.get("type", "Exact") in _KINDS for one in headers):
        return Condition(fields={"match": match})
    path = None
    if service:
        path = StringMatch("exact", f"/{service}/{name}") if name else StringMatch("prefix", f"/{service}/")
    asked = {header: one for header, one in _strings(headers) if (header.lower(), one) != (PADDING, PRESENT)}
    return Condition(path=path, headers=named(asked))


def _path(kind: str, value: str, *, rewritten: bool) -> StringMatch | None:
    if kind == "Exact":
        return StringMatch("exact", value)
    if kind == "PathPrefix":
        elements = value.removesuffix("/")
        if not elements:
            return StringMatch("prefix", ROOT) if rewritten else None
        return StringMatch("prefix", f"{elements}/") if rewritten else elements_of(elements)
    if value == _ANY_PATH:
        return None
    return _prefix(value) or StringMatch("regex", value)


def elements_of(path: str) -> StringMatch:
    """A match on whole elements of a path, as `PathPrefix` compares them; a spec's prefix compares characters."""
    return StringMatch("other", json.dumps({ELEMENTS: path}))


def _strings(given: Iterable[Mapping[str, Any]]) -> Named:
    return named({one["name"]: _string(one.get("type", "Exact"), one.get("value", "")) for one in given})


def _string(kind: str, value: str) -> StringMatch:
    if kind == "Exact" or value == EMPTY:
        return StringMatch("exact", "" if value == EMPTY and kind != "Exact" else value)
    if value == ANYTHING:
        return PRESENT
    return _prefix(value) or StringMatch("regex", value)


def _prefix(pattern: str) -> StringMatch | None:
    """The prefix that a regular expression asks for, if it is written as `matching` writes one."""
    if not pattern.endswith(ANYTHING):
        return None
    text = _ESCAPED.sub(r"\1", pattern.removesuffix(ANYTHING))
    return StringMatch("prefix", text) if text and quoted(text) + ANYTHING == pattern else None
