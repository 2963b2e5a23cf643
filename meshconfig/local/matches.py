"""Translates Istio's match conditions to Envoy's. Source: Istio, pilot route.go, TranslateRouteMatch."""

from collections.abc import Iterable, Iterator, Mapping

from meshconfig.istio import HTTPMatchRequest, StringMatch
from meshconfig.istio.matches import claim_path
from meshconfig.istio.strings import is_present_match
from meshconfig.istio.types import PathElements
from meshconfig.local.config import Json, Noted

EVERYTHING: Json = {"prefix": "/"}


def route_match(match: HTTPMatchRequest, noted: Noted) -> Json | None:
    """Translate one match. None, with a note, if no request can satisfy it on this machine.

    Parameters:
        match: a match of a route; the caller has checked its gateways and port.
        noted: called with a path relative to this match, and the reason.
    """
    if claims := [name for name in match.headers if _is_claim(name)]:
        noted(f'headers["{claims[0]}"]', "no JWT is read here: a condition on a claim never holds")
        return None
    for name in filter(_is_claim, match.without_headers):
        noted(f'withoutHeaders["{name}"]', "no JWT is read here: the claim is always absent")
    queries = [query_matcher(name, one) for name, one in match.query_params.items()]
    translated = {
        **path_matcher(match.uri),
        "case_sensitive": not match.ignore_uri_case,
        "headers": list(_headers(match)),
        "query_parameters": queries,
    }
    return {name: part for name, part in translated.items() if part != []}


def path_matcher(uri: StringMatch | None) -> Json:
    match uri:
        case PathElements(prefix=str(prefix)):
            return {"path_separated_prefix": prefix}
        case StringMatch(exact=str(exact)):
            return {"path": exact}
        case StringMatch(prefix=str(prefix)):
            return {"prefix": prefix}
        case StringMatch(regex=str(regex)):
            return {"safe_regex": {"regex": regex}}
        case _:
            return EVERYTHING


def string_matcher(match: StringMatch) -> Json | None:
    """The matcher of a value; None for a match on presence alone."""
    if is_present_match(match):
        return None
    if match.exact is not None:
        return {"exact": match.exact}
    return {"prefix": match.prefix} if match.prefix is not None else {"safe_regex": {"regex": match.regex}}


def query_matcher(name: str, match: StringMatch) -> Json:
    matcher = string_matcher(match)
    return {"name": name, **({"string_match": matcher} if matcher else {"present_match": True})}


def header_matcher(name: str, match: StringMatch, *, invert: bool = False) -> Json:
    """The matcher of a header. `invert` negates it, and a missing header then counts as empty, as in Istio."""
    matcher = string_matcher(match)
    condition = {"string_match": matcher} if matcher else {"present_match": True}
    missing = {"treat_missing_header_as_empty": True} if invert and matcher else {}
    return {"name": name, **condition, **({"invert_match": True} if invert else {}), **missing}


def _headers(match: HTTPMatchRequest) -> Iterator[Json]:
    wanted = [header_matcher(name, one) for name, one in match.headers.items()]
    unwanted = [header_matcher(name, one, invert=True) for name, one in _without_claims(match.without_headers)]
    yield from sorted(wanted + unwanted, key=lambda matcher: str(matcher["name"]))
    for name in ("method", "authority", "scheme"):
        condition = getattr(match, name)
        if condition is not None:
            yield header_matcher(f":{name}", condition)


def _without_claims(headers: Mapping[str, StringMatch]) -> Iterable[tuple[str, StringMatch]]:
    return ((name, one) for name, one in headers.items() if not _is_claim(name))


def _is_claim(name: str) -> bool:
    return claim_path(name) is not None
