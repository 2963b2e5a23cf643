"""Whether one `match` of a route holds for a request, as pilot's route.go translates it and Envoy 1.40 evaluates it.

Measured on Envoy:
- A header that is sent several times matches if any of its values does. A negated match fails if any does.
- For `withoutHeaders`, an absent header counts as the empty value, so a regex that matches the empty string excludes
  it. A `withoutHeaders` that asks for presence does not exclude it.
- Of a query parameter that is sent several times, the first value counts. Names and values are compared undecoded.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from meshconfig.istio import HTTPMatchRequest, StringMatch
from meshconfig.istio.matches import claim_path
from meshconfig.istio.routes import Mismatch
from meshconfig.istio.strings import UnknownError, described, is_present_match, matches
from meshconfig.istio.types import unmodelled
from meshconfig.simulate.paths import without_query
from meshconfig.simulate.request import Request

# Claims that Envoy's JWT filter splits at spaces, because Istio configures it so.
_SPACE_SEPARATED = ("scope", "permission")


@dataclass(frozen=True, slots=True)
class MatchResult:
    """What did not hold (`mismatches`), and what cannot be decided (`unknown`).

    The match holds when both are empty. One mismatch is enough to know that it does not.
    """

    mismatches: tuple[Mismatch, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def matched(self) -> bool:
        """Whether the match holds for certain."""
        return not self.mismatches and not self.unknown


HELD = MatchResult()


def evaluate(match: HTTPMatchRequest | None, request: Request) -> MatchResult:
    """Compares a request with every condition that Envoy checks; `candidates` has those that pilot checks.

    Parameters:
        match: None for a route without matches, which takes every request.
        request: the request, its path already normalized.
    """
    if match is None:
        return HELD
    mismatches, unknown = [], []
    for check in _checks(match, request):
        try:
            if (mismatch := check()) is not None:
                mismatches.append(mismatch)
        except UnknownError as error:
            unknown.append(str(error))
    unknown += [f"the field {name} of a match is not modelled" for name in unmodelled(match)]
    return MatchResult(tuple(mismatches), tuple(unknown))


Check = Callable[[], Mismatch | None]


def _checks(match: HTTPMatchRequest, request: Request) -> Iterator[Check]:
    if match.uri is not None:
        yield partial(_uri, match.uri, match.ignore_uri_case, request)
    for field in ("method", "authority", "scheme"):
        if (wanted := getattr(match, field)) is not None:
            yield partial(_header, field, wanted, request.values(f":{field}"))
    for name, wanted in match.headers.items():
        yield partial(_header_or_claim, name, wanted, request)
    for name, wanted in match.without_headers.items():
        yield partial(_without, name, wanted, request)
    for name, wanted in match.query_params.items():
        yield partial(_query, name, wanted, request)


def _uri(wanted: StringMatch, ignore_case: bool, request: Request) -> Mismatch | None:
    path = without_query(request.path)
    if ignore_case and wanted.regex is None:
        # ignoreUriCase holds for exact and prefix; Envoy always compares a regex case-sensitively.
        lowered = wanted.model_copy(update={"exact": _lower(wanted.exact), "prefix": _lower(wanted.prefix)})
        held = matches(lowered, path.lower())
    else:
        held = matches(wanted, path)
    return None if held else Mismatch("uri", described(wanted), path)


def _header(field: str, wanted: StringMatch, values: list[str]) -> Mismatch | None:
    held = [matches(wanted, value) for value in values]
    return None if any(held) else Mismatch(field, described(wanted), _shown(values))


def _header_or_claim(name: str, wanted: StringMatch, request: Request) -> Mismatch | None:
    if (path := claim_path(name)) is not None:
        held, got = _claim(path, wanted, request)
        return None if held else Mismatch(f"claim {'.'.join(path)}", described(wanted), got)
    return _header(f"header {name.lower()}", wanted, request.values(name))


def _without(name: str, wanted: StringMatch, request: Request) -> Mismatch | None:
    negated = f"not {described(wanted)}"
    if (path := claim_path(name)) is not None:
        held, got = _claim(path, wanted, request)
        return Mismatch(f"claim {'.'.join(path)}", negated, got) if held else None
    values = request.values(name)
    compared = values if values or is_present_match(wanted) else [""]
    held = any(matches(wanted, value) for value in compared)
    return Mismatch(f"header {name.lower()}", negated, _shown(values)) if held else None


def _query(name: str, wanted: StringMatch, request: Request) -> Mismatch | None:
    values = [value for key, value in query_parameters(request.path) if key == name]
    held = bool(values) and matches(wanted, values[0])
    return None if held else Mismatch(f"query {name}", described(wanted), values[0] if values else None)


def query_parameters(path: str) -> list[tuple[str, str]]:
    """The names and values of the parameters in a path's query, undecoded, in order."""
    query = path.partition("?")[2]
    pairs = (part.partition("=") for part in query.split("&"))
    return [(key, value) for key, _, value in pairs]


def _claim(path: tuple[str, ...], wanted: StringMatch, request: Request) -> tuple[bool, str | None]:
    if request.gateway is None:
        return False, None  # a sidecar does not verify tokens of the requests that it sends, so it knows no claims
    if request.claims is None:
        raise UnknownError(f"the JWT claim {'.'.join(path)} is not given")
    if wanted.exact is None and wanted.prefix is None and wanted.regex is None:
        raise UnknownError(f"what Envoy does with a match for presence on the JWT claim {'.'.join(path)}")
    value: Any = request.claims
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    if path[-1] in _SPACE_SEPARATED and isinstance(value, str):
        value = value.split(" ")
    values = [one for one in (value if isinstance(value, list | tuple) else [value]) if isinstance(one, str)]
    return any(matches(wanted, one) for one in values), _shown(values)


def _shown(values: list[str]) -> str | None:
    return " and ".join(value or '""' for value in values) or None


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
