"""One `match` of an HTTP route: the strings that it asks for, and whether it takes every request.

Source: Istio, HTTPMatchRequest; pilot route.go (TranslateRouteMatch, IsCatchAllRoute), pkg/jwt (ToRoutingClaim).
"""

from collections.abc import Iterable, Iterator

from meshconfig.istio.strings import refused
from meshconfig.istio.types import HTTPMatchRequest, StringMatch

FieldPath = tuple[str | int, ...]

CLAIMS = "@request.auth.claims"


# The fields of `HTTPMatchRequest` that ask for strings, each with its name in a manifest.
STRING_FIELDS = {
    **{name: name for name in ("uri", "method", "authority", "scheme")},
    "headers": "headers",
    "without_headers": "withoutHeaders",
    "query_params": "queryParams",
}


def strings_of(match: HTTPMatchRequest, field: str) -> Iterable[tuple[FieldPath, StringMatch]]:
    """The strings that one of `STRING_FIELDS` asks for, each after its place in the match as it is written."""
    value = getattr(match, field)
    if value is None:
        return ()
    written = STRING_FIELDS[field]
    return [((written, name), text) for name, text in value.items()] if type(value) is dict else [((written,), value)]


def string_matches(match: HTTPMatchRequest) -> Iterator[tuple[FieldPath, StringMatch]]:
    """Every string that a match asks for, each after its place in the match as it is written."""
    return (one for field in STRING_FIELDS for one in strings_of(match, field))


def is_catch_all(match: HTTPMatchRequest | None) -> bool:
    """True for a match that takes every request. Pilot leaves out the routes behind it; a gateway puts it last.

    Source: pilot route.go, IsCatchAllRoute.
    """
    return match is None or all(path == ("uri",) and takes_every_path(text) for path, text in string_matches(match))


def takes_every_path(uri: StringMatch) -> bool:
    """True for a `uri` that pilot takes to match every path."""
    if uri.exact is None and uri.prefix is None and uri.regex is None:
        return True
    return uri.prefix == "/" or uri.regex == ".*"


def refused_in(match: HTTPMatchRequest | None) -> str:
    """Why Istio or Envoy would refuse this match; empty when they take it."""
    if match is None:
        return ""
    if match.uri is not None and match.uri.regex == "*":
        return "RE2 refuses the regex '*'"
    return next((why for _, text in string_matches(match) if (why := refused(text))), "")


def claim_path(name: str) -> tuple[str, ...] | None:
    """The claim that a header name of a match stands for: `@request.auth.claims.a.b` or `@request.auth.claims[a][b]`.

    Source: istio pkg/jwt, ToRoutingClaim.
    """
    if not name.lower().startswith(CLAIMS):
        return None
    rest = name[len(CLAIMS) :]
    if rest.startswith(".") and len(rest) > 1:
        return tuple(rest[1:].split("."))
    if rest.startswith("[") and rest.endswith("]") and len(rest) > 2:
        return tuple(rest[1:-1].split("]["))
    return None
