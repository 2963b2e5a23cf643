"""Reads a route table between services: lanes, then rules, then the versions of all other requests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.baggage import asks_for
from meshconfig.compile.conditions import tagged
from meshconfig.importing.group import CannotSayError, Found, Rule, Service, settle_policy, without_copies
from meshconfig.importing.services import Services
from meshconfig.importing.tables import Line, Table
from meshconfig.importing.tag import is_lane
from meshconfig.istio.hosts import ServiceName, service_name
from meshconfig.model import Condition, StringMatch

_REFUSAL = "has no version of "


class Asked(NamedTuple):
    """The lane that a condition asks for; `baggage`: by a member of W3C baggage, where the header is absent."""

    lane: str
    baggage: bool = False


def lane_asked(condition: Condition, tag: str) -> Asked | None:
    """The lane of a condition that asks for one lane's tag and nothing else."""
    headers = dict(condition.headers)
    if set(headers) == {tag} and headers[tag].kind == "exact" and is_lane(headers[tag].value):
        lane = headers[tag].value
        return Asked(lane) if condition == tagged(tag, lane, baggage=False)[0] else None
    if set(headers) == {BAGGAGE} and headers[BAGGAGE].kind == "regex" and asks_for(headers[BAGGAGE].value, tag):
        return Asked("", True) if not (condition.path or condition.method or condition.query) else None
    return None


def is_trail_copy(line: Line, tag: str) -> bool:
    """Whether a line is the copy that `trail` puts before a route for requests of lanes without a version here."""
    headers = dict(line.condition.headers)
    return any(one.trail for one in line.route.targets) and headers.get(tag) == StringMatch("present")


def refused_service(text: str) -> str:
    """The service that the text of a strict lane's 503 names; empty for any other text."""
    return text.strip().rpartition(_REFUSAL)[2] if _REFUSAL in text else ""


def weights_of(line: Line, service: Service, services: Services) -> Mapping[str, int]:
    """The versions that a line leads to and their weights.

    Raises:
        CannotSayError: it leads to another service, or to a subset that is no version.
    """
    found: dict[str, int] = {}
    targets = line.route.targets
    for target in targets:
        if service_name(target.host) != service.key:
            raise CannotSayError(
                f"it leads to {target.host} beside {service.host}: a version is a subset of one Service"
            )
        if len(targets) > 1 and not target.weight:
            continue
        version = services.version(service, target)
        found[version] = found.get(version, 0) + (target.weight or 1 if len(targets) > 1 else 1)
    return found


def lane_version(line: Line, service: Service, services: Services) -> tuple[str, bool] | None:
    """The one version of a lane's line, and whether it falls back at run time; None where it leads to several."""
    targets = [one for one in line.route.targets if one.weight or len(line.route.targets) == 1]
    if len(targets) == 1 and (version := service.failover.get(targets[0].subset)):
        return version, True
    found = weights_of(line, service, services)
    return (next(iter(found)), False) if len(found) == 1 else None


def read_mesh(table: Table, host: ServiceName, found: Found, services: Services) -> Iterator[tuple[Line | None, str]]:
    """Reads the routes of one Service into it. Yields what cannot be said, each with its line."""
    service = services.get(host)
    for line in table.lines:
        if is_trail_copy(line, found.tag):
            continue
        try:
            if not line.route.refusal:
                settle_policy(service, line.route.fields)
            if line.route.rewrite is not None:
                raise CannotSayError("a rewrite between services is not part of a spec, only one at an entry")
            if _read_line(line, service, found, services):
                if service.mirror:
                    _drop_uncopied(service, found.tag)
                return
        except CannotSayError as error:
            yield line, str(error)
            if line.condition.always:
                return
    yield None, f"requests to {service.host} that match no route get 404, and a spec has a version for all of them"


def _drop_uncopied(service: Service, tag: str) -> None:
    """Leaves out the routes that `mirror` brings by itself, for requests of lanes that have no version here."""
    service.rules = [rule for rule in service.rules if not _is_uncopied(rule, service.rules, tag)]
    falling = [lane for lane in service.uncopied if service.lanes[lane] == service.default != lane]
    service.lanes = {lane: version for lane, version in service.lanes.items() if lane not in falling}


def _is_uncopied(rule: Rule, rules: Sequence[Rule], tag: str) -> bool:
    """Whether a rule is one that `mirror` puts before another, so that requests with a lane's tag are not copied."""
    headers = dict(rule.condition.headers)
    if headers.get(tag, StringMatch("present")).kind != "exact":
        return False
    rest = replace(rule.condition, headers=tuple(one for one in rule.condition.headers if one[0] != tag))
    return any(one.condition == rest and one.weights == rule.weights for one in rules)


def _read_line(line: Line, service: Service, found: Found, services: Services) -> bool:
    """Reads one line; True where it takes every request, so that no later one matters."""
    asked = lane_asked(line.condition, found.tag)
    if asked and asked.baggage:
        found.baggage = True
        return False
    if line.route.refusal and (asked is None or not refused_service(line.route.refusal)):
        raise CannotSayError("a 503 that is not that of a strict lane")
    if asked and line.route.refusal:
        service.strict.add(asked.lane)
        return False
    one = lane_version(line, service, services) if asked else None
    found.trail |= bool(asked and any(target.trail for target in line.route.targets))
    if asked and one:
        if asked.lane not in service.lanes and without_copies(line.route.fields, service.host)[1] is None:
            service.uncopied.add(asked.lane)
        service.lanes.setdefault(asked.lane, one[0])
        service.runtime |= {asked.lane} if one[1] else set()
        return False
    weights = weights_of(line, service, services)
    if line.condition.always:
        service.weights = weights
        return True
    if line.condition.claims:
        raise CannotSayError("a match on a claim: only entries have these")
    if line.condition.absent:
        raise CannotSayError("a match on an absent header (withoutHeaders) is not part of a spec")
    service.rules.append(Rule(line.condition, weights))
    return False
