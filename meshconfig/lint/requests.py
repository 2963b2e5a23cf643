"""A request that a match takes, to ask the simulation what becomes of it."""

from dataclasses import replace

from meshconfig.istio import HTTPMatchRequest, StringMatch
from meshconfig.istio.strings import is_present_match
from meshconfig.istio.types import unmodelled
from meshconfig.simulate import Request

_SOME = "x"


def fulfilling(match: HTTPMatchRequest, request: Request) -> Request | None:
    """The request with the path, method, headers and query that a match asks for.

    None where the match asks for something else too, or by a regular expression.
    """
    others = (match.scheme, match.authority, match.port, match.gateways, match.source_labels, match.source_namespace)
    if any(others) or match.without_headers or unmodelled(match):
        return None
    path, method = _value(match.uri, "/"), _value(match.method, request.method)
    headers = {name: _value(text, _SOME) for name, text in match.headers.items()}
    query = {name: _value(text, _SOME) for name, text in match.query_params.items()}
    texts = (path, method, *headers.values(), *query.values())
    if any(text is None for text in texts) or any(name.startswith("@") for name in headers):
        return None
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    pairs = tuple((name, value or "") for name, value in headers.items())
    return replace(request, path=f"{path}?{asked}" if asked else path or "/", method=method or "GET", headers=pairs)


def _value(text: StringMatch | None, default: str) -> str | None:
    """A value that fulfils the match; None for a regular expression."""
    if text is None or is_present_match(text):
        return default
    return text.exact if text.exact is not None else text.prefix
