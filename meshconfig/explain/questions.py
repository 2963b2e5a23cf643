"""The kinds of requests that route tables tell apart, each with a request that stands for it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product

from meshconfig.draws import draws, from_to, runs
from meshconfig.groups import Group
from meshconfig.model import Condition, RouteKind, RouteTable, RoutingState, StringMatch
from meshconfig.simulate import Request
from meshconfig.simulate.request import Pairs

UNTAGGED = "no tag"
_PATHS = 20  # of one host, at most
_SPECIAL = (RouteKind.LINK, RouteKind.COOKIE, RouteKind.ADMIT, RouteKind.RULE)
# What `meshconfig.compile.conditions` makes of an exact cookie.
_COOKIE = re.compile(r"\(\.\*; \*\)\?(?P<pair>.+?) \*\(;\.\*\)\?")
_PLAIN = re.compile(r"(?:[^\\.*+?()\[\]{}|^$]|\\[^A-Za-z0-9])+")


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of requests.

    Parameters:
        host: that of an entry, which may be a wildcard, or of a service.
        gateway: `namespace/name` of the entry's Gateway; empty for a request between services.
        label: what the request carries.
        request: one that stands for all of them.
        special: it meets the conditions of a cookie, a link, an admit or a rule, and not just a tag.
    """

    host: str
    gateway: str
    label: str
    request: Request
    special: bool = False

    @property
    def place(self) -> str:
        return f"{self.host}{self.request.path}"

    def is_of(self, table: RouteTable) -> bool:
        return self.host in table.hosts and self.gateway in table.gateways

    def at(self, scheme: str) -> Request:
        """The request as a client outside sends it."""
        one = self.request
        return Request(one.host, one.path, one.method, one.pairs, self.gateway, scheme=scheme)


def questions(
    before: RoutingState, after: RoutingState, groups: Sequence[Group]
) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """The questions about the tables of both sides of a change, and a sentence for each route without one.

    Parameters:
        groups: the specs of both sides.
    """
    tags = list(_tags((before, after), groups))
    found: dict[tuple[str, str, str, str, str], Question] = {}
    untried: list[str] = []
    for gateway, host, tables in _places(before, after):
        for path in _paths(tables) if gateway else ["/"]:
            for label, headers in tags:
                one = Question(host, gateway, label, Request(_sample_host(host), path, headers=headers))
                found.setdefault((gateway, host, path, label, "GET"), one)
        for path, (label, headers) in product(_paths(tables), _buckets(tables)):
            one = Question(host, gateway, label, Request(_sample_host(host), path, headers=headers))
            found.setdefault((gateway, host, path, label, "GET"), one)
        for one in _special(gateway, host, tables, {group.model.tag for group in groups}, untried):
            found.setdefault((gateway, host, one.request.path, one.label, one.request.method), one)
    return tuple(found.values()), tuple(dict.fromkeys(untried))


def _places(before: RoutingState, after: RoutingState) -> Iterator[tuple[str, str, list[RouteTable]]]:
    """Gateway, host and the tables of both sides; the entries first, and no Gateway for a host between services."""
    for entry, tables in ((True, (after.entries, before.entries)), (False, (after.mesh, before.mesh))):
        found: dict[tuple[str, str], list[RouteTable]] = {}
        for table in chain.from_iterable(one.values() for one in tables):
            for gateway in table.gateways if entry else ("",):
                for host in table.hosts:
                    found.setdefault((gateway, host), []).append(table)
        yield from ((gateway, host, there) for (gateway, host), there in found.items())


def _tags(sides: Iterable[RoutingState], groups: Sequence[Group]) -> Iterator[tuple[str, Pairs]]:
    lanes = dict.fromkeys(lane for group in reversed(groups) for lane in group.spec.spec.lanes)
    for side in sides:
        ids = (route.id for table in side.route_tables for route in table.routes)
        lanes.update(dict.fromkeys(one.key for one in ids if one.kind is RouteKind.LANE and not one.generation))
    for tag in dict.fromkeys(group.model.tag for group in reversed(groups)):
        yield from ((f"{tag}: {lane}", ((tag, lane),)) for lane in lanes)
    yield UNTAGGED, ()


def _buckets(tables: Sequence[RouteTable]) -> Iterator[tuple[str, Pairs]]:
    """The cookies of a sticky split's buckets: one for all buckets that have the same owners on both sides."""
    every = [draw for table in tables for draw in draws(table)]
    for cookie in dict.fromkeys(draw.cookie for draw in every):
        alike = [draw for draw in every if draw.cookie == cookie]
        numbers = range(max(draw.buckets for draw in alike))
        owners = [tuple(draw.owner(number) if number < draw.buckets else None for draw in alike) for number in numbers]
        for _, first, last in runs(owners):
            yield f"cookie: {cookie}={from_to(first, last)}", (("cookie", f"{cookie}={first}"),)


def _sample_host(host: str) -> str:
    """A host that a wildcard covers."""
    return "any.example.com" if host == "*" else f"any{host[1:]}" if host.startswith("*.") else host


def _paths(tables: Iterable[RouteTable]) -> list[str]:
    """The paths that routes ask for, exactly or at the beginning; `/` where a route asks for none."""
    routes = (route for table in tables for route in table.routes if route.id.kind is not RouteKind.LINK)
    asked = (one.path for route in routes for one in route.conditions or (Condition(),))
    found = (_sample_path(one) for one in asked)
    return list(dict.fromkeys(one for one in found if one is not None))[:_PATHS] or ["/"]


def _sample_path(match: StringMatch | None) -> str | None:
    if match is None:
        return "/"
    return match.value if match.kind in ("exact", "prefix") else None


def _special(
    gateway: str, host: str, tables: Iterable[RouteTable], tags: set[str], untried: list[str]
) -> Iterator[Question]:
    """The questions about routes that ask for other things than a tag."""
    for table in tables:
        for route in (one for one in table.routes if one.id.kind in _SPECIAL):
            for condition in route.conditions:
                if any(name in tags for name, match in condition.headers):
                    continue  # a copy of the route for requests with a tag
                made = _sample(condition, host)
                if made is None:
                    name = f"{route.id.kind} {route.id.key}"
                    untried.append(f"no request was tried for {name} of {host}: its conditions are no plain values")
                    continue
                yield Question(host, gateway, _label(made, at_entry=bool(gateway)), made, special=True)


def _label(request: Request, *, at_entry: bool) -> str:
    """What a request carries. An entry is shown with its paths, a service without."""
    method = [request.method] if request.method != "GET" else []
    path = [] if at_entry or request.path == "/" else [request.path]
    return ", ".join([*method, *path, *(f"{name}: {value}" for name, value in request.pairs)]) or UNTAGGED


def _sample(condition: Condition, host: str) -> Request | None:
    """A request that fulfils a condition; None where that takes more than its plain values."""
    headers = [(name, _value(name, match)) for name, match in condition.headers]
    query = [(name, _value("", match)) for name, match in condition.query]
    path = _sample_path(condition.path)
    values = [value for _, value in (*headers, *query)]
    if path is None or None in values or condition.claims or condition.fields:
        return None
    asked = "&".join(f"{name}={value}" for name, value in query)
    pairs = tuple((name, value) for name, value in headers if value is not None)
    return Request(_sample_host(host), f"{path}?{asked}" if asked else path, condition.method or "GET", pairs)


def _value(name: str, match: StringMatch) -> str | None:
    if match.kind in ("exact", "prefix"):
        return match.value
    if match.kind == "present":
        return "any"
    pair = _COOKIE.fullmatch(match.value) if match.kind == "regex" and name == "cookie" else None
    if pair is None or not _PLAIN.fullmatch(pair["pair"]):
        return None
    return re.sub(r"\\(.)", r"\1", pair["pair"])
