"""Reads a route table at a Gateway: an entry's paths, and what it tells of the services behind them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import gcd

from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.compile.conditions import NotExpressibleError, both, foreign_baggage
from meshconfig.importing.group import CannotSayError, Entry, Found, PathRoute, Rule, Service, Weights, settle_policy
from meshconfig.importing.mesh import (
    lane_asked,
    lane_version,
    refused_service,
    weights_of,
)
from meshconfig.importing.services import Services
from meshconfig.importing.tables import Line, Table
from meshconfig.istio.hosts import ServiceName, service_name
from meshconfig.model import Condition, SetTag, StringMatch
from meshconfig.spec.group import HOST

Key = tuple[StringMatch | None, str | None]  # path and method


@dataclass(slots=True)
class _Reading:
    """What has been read of one table.

    Parameters:
        defaults: for each path and method, the line of all other requests.
        fixed: the services whose routes between services are known, so that a Gateway cannot add to them.
    """

    table: Table
    found: Found
    services: Services
    fixed: frozenset[ServiceName]
    defaults: dict[Key, Line] = field(default_factory=dict)
    behind: dict[Key, ServiceName] = field(default_factory=dict)
    admit: list[tuple[str, Condition]] = field(default_factory=list)
    split: Weights | None = None
    keep: bool = False
    asks: bool = False
    sets_always: bool = True


def read_entry(
    table: Table, found: Found, services: Services, fixed: frozenset[ServiceName]
) -> Iterator[tuple[Line | None, str]]:
    """Reads a table into an entry of `found` and its services. Yields what cannot be said, each with its line.

    Parameters:
        fixed: the services with a table between services.
    """
    one = _Reading(table, found, services, fixed)
    wrong = [host for host in table.hosts if not re.search(HOST, host)]
    if wrong:
        yield None, f"the host {wrong[0]} is not one that an entry may have"
    lines = [line for line in table.lines if not _is_foreign(line, one)]
    yield from _find_defaults(lines, one)
    for line in lines:
        if line is one.defaults.get(_key(line.condition)):
            continue
        try:
            _read_line(line, one)
        except CannotSayError as error:
            yield line, str(error)
    for line in one.defaults.values():
        try:
            _read_default(line, one)
        except CannotSayError as error:
            yield line, str(error)
    if one.defaults:
        found.entries.append(_entry(one))


def _key(condition: Condition) -> Key:
    return condition.path, condition.method


def _rest(condition: Condition) -> Condition:
    return replace(condition, path=None, method=None)


def _is_foreign(line: Line, one: _Reading) -> bool:
    """Whether this is the copy of a route for requests with baggage of others, which `baggage: keep` adds."""
    wanted = foreign_baggage(one.found.tag)
    if not (set(wanted.headers) <= set(line.condition.headers) and set(wanted.absent) <= set(line.condition.absent)):
        return False
    one.keep = True
    return True


def _find_defaults(lines: Sequence[Line], one: _Reading) -> Iterator[tuple[Line | None, str]]:
    for line in lines:
        key = _key(line.condition)
        if not _rest(line.condition).always or key in one.defaults or line.route.refusal:
            continue
        target = next(iter(line.route.targets), None)
        name = service_name(target.host) if target else None
        if name is None:
            yield line, "it leads to no Service"
            continue
        one.defaults[key], one.behind[key] = line, name
    for key in [key for key, line in one.defaults.items() if _is_rule_of_path(key, line, one)]:
        del one.defaults[key], one.behind[key]
    if not one.defaults:
        yield None, "no route takes a path as a whole: a spec has a service for every path, and rules within it"


def _service(line: Line, one: _Reading) -> Service:
    """The service behind a line's path.

    Raises:
        CannotSayError: no line takes the rest of its path, or another Service does.
    """
    name = one.behind.get(_key(line.condition))
    if name is None:
        raise CannotSayError("no route takes the other requests of its path, and a spec has a service for all of them")
    default = one.defaults[_key(line.condition)]
    if line.route.rewrite != default.route.rewrite and not line.route.refusal:
        raise CannotSayError("routes of one path rewrite it in two ways")
    return one.services.get(name)


def _read_line(line: Line, one: _Reading) -> None:
    tag, rest = one.found.tag, _rest(line.condition)
    asked = lane_asked(rest, tag)
    if asked:
        one.asks = True
    if asked and asked.baggage:
        one.found.baggage = True
    elif asked:
        _read_lane(asked.lane, line, _service(line, one), one)
    elif rest.always:
        return  # a second route of the same path takes nothing
    elif _is_known_rule(line, one):
        one.sets_always &= bool(_sets(line))
    elif sets := _sets(line):
        _read_admit(sets, line, one)
    elif BAGGAGE in dict(rest.headers) and rest.absent:
        raise CannotSayError("a match on baggage that is not one of graylane's")
    else:
        one.sets_always = False
        _read_rule(line, one)


def _sets(line: Line) -> str:
    """The one lane whose tag a line sets on all its requests; empty for none or several."""
    values = {target.tag.value if isinstance(target.tag, SetTag) else "" for target in line.route.targets}
    return values.pop() if len(values) == 1 else ""


def _policy(line: Line, service: Service) -> None:
    if not line.route.refusal:
        settle_policy(service, line.route.fields)


def _read_lane(lane: str, line: Line, service: Service, one: _Reading) -> None:
    _policy(line, service)
    one.found.trail |= any(target.trail for target in line.route.targets)
    if _sets(line) not in ("", lane):
        raise CannotSayError(f"it gives requests of lane {lane} the tag {_sets(line)}")
    if line.route.refusal:
        if not refused_service(line.route.refusal):
            raise CannotSayError("a 503 that is not that of a strict lane")
        service.strict.add(lane)
        return
    found = lane_version(line, service, one.services)
    if service.key not in one.fixed and found is not None:
        service.lanes.setdefault(lane, found[0])
        service.runtime |= {lane} if found[1] else set()
    if found is not None and service.lanes.get(lane, service.default or found[0]) == found[0]:
        one.found.passing |= {lane} if lane not in service.lanes and _sets(line) else set()
        return
    if lane in service.lanes or found is not None:
        other = service.lanes.get(lane) or "the weights of other requests"
        raise CannotSayError(
            f"lane {lane} leads to {found[0] if found else 'several versions'} here, and elsewhere to {other}"
        )
    if service.weights is not None and not same_weights(weights_of(line, service, one.services), service.weights):
        raise CannotSayError(
            f"requests of lane {lane} are spread over several versions: a lane has one version of a service"
        )


def _read_admit(lane: str, line: Line, one: _Reading) -> None:
    key = _key(line.condition)
    condition = _rest(line.condition) if key in one.defaults else line.condition
    if key in one.defaults:
        _policy(line, _service(line, one))
    if condition.absent:
        raise CannotSayError("a match on an absent header (withoutHeaders) is not part of a spec")
    for path, method in one.defaults:  # a match's own path stands in each of the entry's paths
        wider = Condition(path=path, method=method)
        if any(_both(wider, admitted) == line.condition and name == lane for name, admitted in one.admit):
            return
    if (lane, condition) not in one.admit:
        one.admit.append((lane, condition))


def _both(one: Condition, other: Condition) -> Condition | None:
    try:
        return both(one, other)
    except NotExpressibleError:
        return None


def _is_known_rule(line: Line, one: _Reading) -> bool:
    """Whether a line is one of the rules of its service, within one of the entry's paths."""
    for (path, method), name in one.behind.items():
        service, here = one.services.get(name), Condition(path=path, method=method)
        for rule in service.rules:
            if _both(here, rule.condition) == line.condition and _leads_as(line, rule, service, one):
                return True
    return False


def _is_rule_of_path(key: Key, line: Line, one: _Reading) -> bool:
    """Whether a line that asks for a path alone is a rule of a service within another of the entry's paths."""
    service = one.services.get(one.behind[key])
    weights = service.weights
    if weights is None or not service.rules or _leads_as(line, Rule(line.condition, weights), service, one):
        return False
    others = {name: behind for name, behind in one.behind.items() if name != key}
    return any(
        behind == service.key
        and any(_both(Condition(path=path, method=method), rule.condition) == line.condition for rule in service.rules)
        for (path, method), behind in others.items()
    )


def _leads_as(line: Line, rule: Rule, service: Service, one: _Reading) -> bool:
    try:
        return same_weights(weights_of(line, service, one.services), rule.weights)
    except CannotSayError:
        return False


def _read_rule(line: Line, one: _Reading) -> None:
    service = _service(line, one)
    _policy(line, service)
    if line.condition.claims:
        raise CannotSayError("a match on a claim that sets no tag: only an entry's admit may have claims")
    if line.condition.absent:
        raise CannotSayError("a match on an absent header (withoutHeaders) is not part of a spec")
    weights = weights_of(line, service, one.services)
    if service.key in one.fixed:
        raise CannotSayError(
            f"a rule at the Gateway alone: the routes to {service.host} between services have no such rule"
        )
    alone = list(one.behind.values()).count(service.key) == 1
    rule = Rule(_rest(line.condition) if alone else line.condition, weights)
    if rule not in service.rules:
        service.rules.append(rule)


def _read_default(line: Line, one: _Reading) -> None:
    service = _service(line, one)
    _policy(line, service)
    tags = [target.tag for target in line.route.targets if target.weight or len(line.route.targets) == 1]
    one.found.trail |= any(target.trail for target in line.route.targets)
    values = [one.value if isinstance(one, SetTag) else "" for one in tags]
    if len(set(values)) > 1 and "" in values:
        raise CannotSayError("it sets the tag for some of its destinations only")
    one.sets_always &= "" not in values
    weights = weights_of(line, service, one.services)
    moved = service.weights is not None and not same_weights(weights, service.weights)
    if len(set(values)) > 1 or (values[0] and (one.asks or moved)):
        _read_split(line, service, values, one)
        return
    if service.weights is None:
        service.weights = weights
    elif not same_weights(weights, service.weights):
        raise CannotSayError(
            f"requests without a tag go to {_said(weights)} here, and elsewhere to {_said(service.weights)}: "
            "a service has one default"
        )


def _read_split(line: Line, service: Service, values: Sequence[str], one: _Reading) -> None:
    shares: dict[str, int] = {}
    targets = [target for target in line.route.targets if target.weight or len(line.route.targets) == 1]
    for target, lane in zip(targets, values, strict=True):
        shares[lane] = shares.get(lane, 0) + (target.weight or 1)
        if service.key not in one.fixed and target.subset in service.versions:
            service.lanes.setdefault(lane, target.subset)
    one.sets_always = False if one.asks else one.sets_always
    shares = reduced(shares)
    if one.split is not None and one.split != shares:
        raise CannotSayError("two paths split requests in two ways, and an entry has one split")
    one.split = shares
    if service.weights is None and service.key not in one.fixed:
        service.weights = weights_of(line, service, one.services)


def _entry(one: _Reading) -> Entry:
    order = sorted(one.defaults, key=lambda key: one.table.lines.index(one.defaults[key]))
    routes = tuple(PathRoute(*key, one.behind[key], one.defaults[key].route.rewrite) for key in order)
    untrusted = one.sets_always and not one.asks
    table, admit = one.table, tuple(one.admit)
    return Entry(table.hosts, table.gateway, routes, admit, one.split, untrusted, one.keep, table.listener)


def same_weights(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether two weights give each version the same share."""
    return reduced(one) == reduced(other)


def reduced(weights: Mapping[str, int]) -> dict[str, int]:
    """Weights without those of 0, in smallest whole numbers."""
    given = {name: weight for name, weight in weights.items() if weight}
    divisor = gcd(*given.values()) if given else 1
    return {name: weight // divisor for name, weight in given.items()}


def _said(weights: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {weight}" for name, weight in weights.items())
