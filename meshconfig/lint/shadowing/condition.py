"""A match of a VirtualService's route as comparable conditions, and whether one covers another.

Source: Istio, HTTPMatchRequest, and pilot's translation of it (route.go: sourceMatchHTTP, TranslateRouteMatch).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from meshconfig.istio import HTTPMatchRequest, StringMatch, VirtualService
from meshconfig.istio.gateways import gateway_name
from meshconfig.istio.strings import is_present_match
from meshconfig.istio.types import unmodelled
from meshconfig.lint.shadowing.text import ANYTHING, Atom, Kind, Texts, exactly, may_be_empty, texts, within

Key = tuple[str, str]  # the part of a request: ("uri", ""), ("header", "env"), ("query", "q"), ("label", "app"), …
CLAIM = "@"  # prefix of the header names that stand for JWT claims; unlike header names, they keep their case
ASKED_OF_THE_CLIENT = ("header", "query", "claim", "opaque")
EVERY_PATH: Texts = (Atom(Kind.PREFIX, "/"),)


@dataclass(frozen=True, slots=True)
class Absent:
    """A `withoutHeaders` condition. Envoy treats a missing header as "", except for a match on presence."""

    values: Texts
    presence: bool

    @property
    def holds_without_header(self) -> bool:
        return self.presence or not may_be_empty(self.values)


@dataclass(frozen=True, slots=True)
class Condition:
    """Conditions that must all hold. `gateways` is None for the VirtualService's own gateways."""

    values: Mapping[Key, Texts]
    absent: Mapping[str, Absent]
    gateways: frozenset[str] | None = None

    def __hash__(self) -> int:
        return hash((frozenset(self.values.items()), frozenset(self.absent.items()), self.gateways))

    @property
    def always(self) -> bool:
        return not self.values and not self.absent and self.gateways is None


ALWAYS = Condition({}, {})


def condition(match: HTTPMatchRequest, owner: VirtualService) -> Condition:
    """The conditions of a match, without those that every request satisfies."""
    values: dict[Key, Texts] = {}
    for key, value in _values(match):
        if value != ANYTHING or key[0] in ("header", "query"):
            # Two spellings of one header are two conditions, and both must hold.
            values[key if key not in values else ("opaque", repr((key, value)))] = value
    absent: dict[str, Absent] = {}
    for name, without in match.without_headers.items():
        if name.startswith(CLAIM) or name.lower() in absent:
            values["opaque", f"not {name}"] = exactly(repr(without))
        else:
            # The one place where Istio takes the regex `*`, as presence.
            present = is_present_match(without)
            absent[name.lower()] = Absent(ANYTHING if present else texts(without), present)
    gateways = frozenset(gateway_name(name, owner.namespace) for name in match.gateways) or None
    return Condition(values, absent, gateways)


def covers(earlier: Condition, later: Condition, gateways: frozenset[str]) -> bool:
    """Whether every request that satisfies `later` also satisfies `earlier`.

    Parameters:
        gateways: the gateways of the VirtualService that contains both.
    """
    if earlier.gateways is not None and not (later.gateways or gateways) <= earlier.gateways:
        return False
    for key, wanted in earlier.values.items():
        # Istio ignores sourceLabels in a match that names gateways, so the later match's labels restrict nothing then.
        given = None if key[0] in ("label", "namespace") and later.gateways else later.values.get(key)
        if given is None or not within(given, wanted):
            return False
    return all(name in later.absent and _refuses_more(later.absent[name], one) for name, one in earlier.absent.items())


def without_headers(one: Condition) -> Condition:
    """The condition without its headers: what remains is where a request comes from and goes to."""
    kept = {key: value for key, value in one.values.items() if key[0] not in ASKED_OF_THE_CLIENT}
    return Condition(kept, {}, one.gateways)


def _refuses_more(later: Absent, earlier: Absent) -> bool:
    """Whether every header that passes `later` also passes `earlier`."""
    if not within(earlier.values, later.values):
        return False
    return earlier.holds_without_header or not later.holds_without_header


def _values(match: HTTPMatchRequest) -> Iterator[tuple[Key, Texts]]:
    if match.uri is not None:
        path = texts(match.uri, fold=match.ignore_uri_case)
        yield ("uri", ""), ANYTHING if path == EVERY_PATH else path
    for kind, always_there in (("scheme", match.scheme), ("method", match.method), ("authority", match.authority)):
        if always_there is not None:
            yield (kind, ""), texts(always_there)
    for name, value in match.headers.items():
        yield _header(name, value)
    for name, value in match.query_params.items():
        yield ("query", name), texts(value)
    if match.port is not None:
        yield ("port", ""), exactly(str(match.port))
    for name, label in match.source_labels.items():
        yield ("label", name), exactly(label)
    if match.source_namespace:
        yield ("namespace", ""), exactly(match.source_namespace)
    for name in unmodelled(match):
        # An unknown field may restrict anything, so only an equal field covers it.
        yield ("opaque", name), exactly(repr((match.model_extra or {})[name]))


def _header(name: str, value: StringMatch) -> tuple[Key, Texts]:
    if not name.startswith(CLAIM):
        return ("header", name.lower()), texts(value)
    if is_present_match(value):
        return ("opaque", name), exactly(repr(value))
    return ("claim", name), texts(value)
