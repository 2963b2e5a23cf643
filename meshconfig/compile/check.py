"""Checks that no single field can make: whether names in a spec exist, and whether Istio can express the routes."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from meshconfig.baggage import HEADER as BAGGAGE
from meshconfig.baggage import regex
from meshconfig.compile import consumers, external, gateway_api, sticky
from meshconfig.compile.conditions import NotExpressibleError, both, condition, path
from meshconfig.compile.names import entry_resources, lane_host_resources, lane_hosts, service_resource
from meshconfig.errors import nearest
from meshconfig.load import FieldPath
from meshconfig.model import Condition
from meshconfig.spec import Entry, LaneGroup, Match, ServiceInGroup, ServiceSpec
from meshconfig.spec.base import LABEL
from meshconfig.spec.group import HOST, TAKEN, of_its_own
from meshconfig.spec.match import MAX_REGEX, is_too_long

_HOST = re.compile(HOST)
_IS_LABEL = re.compile(LABEL)
Wrong = tuple[FieldPath, str]
SPEC: FieldPath = ("spec",)
LONGEST_GENERATION = ".next99"  # what a consistent change adds to a tag
OF_THE_BASELINE = "-default"  # what it adds to that, in the tag of untagged requests
MOST = 2**31 - 1  # Kubernetes: numbers of Pods are int32
LONGEST_SUBSET = 63  # characters; Istio takes a DNS label
LONGEST_TAG = 64  # characters; services that read a tag by `propagation` drop a longer one
_OF_THEIR_OWN = "give the lanes hosts of their own"


def problems(group: LaneGroup, *, stored: bool = False) -> Iterator[Wrong]:
    """All problems that keep a valid spec from compiling, each as the path of the field and what is wrong with it.

    Parameters:
        stored: the spec was applied once. It is judged by the rules of all versions that may have applied it, so that
            a group can go back to it.
    """
    if not stored:
        yield from newer_problems(group)
    spec = group.spec
    yield from _unknown((*SPEC, "tag", "default"), spec.tag.default, spec.lanes, "lane")
    for name, lane in spec.lanes.items():
        yield from _lane(group, name, lane.versions)
        if spec.tag.baggage and is_too_long(regex(spec.tag.header, f"{name}{LONGEST_GENERATION}")):
            message = (
                f"with tag.baggage, {spec.tag.header}={name} makes a regular expression of over {MAX_REGEX} characters"
            )
            yield (*SPEC, "lanes", name), message
    services = [group.service(name) for name in spec.services]
    if spec.tag.default in spec.lanes:
        for service in services:
            yield from _service(service)
    for name in spec.consumers:
        yield from consumers.problems(group.consumer(name))
    yield from external.problems(group)
    yield from gateway_api.problems(group)
    yield from _same_hosts(services)
    yield from _same_names(group, services)
    for index, entry in enumerate(spec.entries):
        yield from _entry(group, entry, (*SPEC, "entries", index))


def newer_problems(group: LaneGroup) -> Iterator[Wrong]:
    """The problems by rules that not every version of graylane had, so that a stored spec may have them."""
    if (header := group.spec.tag.header) in TAKEN:
        yield (*SPEC, "tag", "header"), of_its_own(header)
    yield from _beyond_kubernetes(group)
    for name, service in group.spec.services.items():
        yield from _names_istio_refuses(service, (*SPEC, "services", name))
    for name in group.spec.lanes:
        added = LONGEST_GENERATION + (OF_THE_BASELINE if name == group.spec.tag.default else "")
        if (most := LONGEST_TAG - len(added)) < len(name):
            message = (
                f"the name has {len(name)} characters and may have {most}: during a change its tag is {name}{added}, "
                f"and services drop a tag of over {LONGEST_TAG} characters"
            )
            yield (*SPEC, "lanes", name), message
    lanes: dict[str, int] = {}  # the entry of each lane's host
    for index, entry in enumerate(group.spec.entries):
        if entry.split is not None:
            yield from _baseline_share((*SPEC, "entries", index, "split"), entry.split, group)
        hosts = lane_hosts(group, entry).values()
        if clash := sorted(lanes.keys() & {*hosts}):
            message = f"{clash[0]} is the host of a lane at entries[{lanes[clash[0]]}] already: {_OF_THEIR_OWN}"
            yield (*SPEC, "entries", index, "laneHosts"), message
        lanes.update(dict.fromkeys(hosts, index))


def _names_istio_refuses(service: ServiceSpec, where: FieldPath) -> Iterator[Wrong]:
    """Names that fit their patterns, and of which Istio's webhook asks more, so that each apply would fail."""
    # A host with fewer dots is a Service's name, which `service_fqdn` completes.
    if not service.external and service.host.count(".") > 1 and service.host.rpartition(".")[2].isdigit():
        yield (*where, "host"), f"{service.host} is not the name of a Service: its last part is a number"
    for version, one in service.versions.items():
        for field, labels in (("labels", one.labels), ("fallbackLabels", one.fallback_labels or {})):
            for key in labels:
                if "/" in key and not all(map(_IS_LABEL.match, key.partition("/")[0].split("."))):
                    message = "what stands before / is a domain, as in example.com/version"
                    yield (*where, "versions", version, field, key), message


def _beyond_kubernetes(group: LaneGroup) -> Iterator[Wrong]:
    """Numbers and derived names that the API server or Istio would refuse in the middle of an apply."""
    for name, service in group.spec.services.items():
        for version, one in service.versions.items():
            if scale := one.autoscale:
                at = (*SPEC, "services", name, "versions", version, "autoscale")
                for field, number in (("min", scale.min), ("max", scale.max), ("cpu", scale.cpu)):
                    if number > MOST:
                        yield (*at, field), f"takes a number up to {MOST}"
    if group.spec.tag.default not in group.spec.lanes:
        return  # a problem of its own: nothing is known of what falls back
    for lane in [name for name, lane in group.spec.lanes.items() if lane.fallback == "runtime"]:
        for service_there in map(group.service, group.spec.services):
            yield from _long_subset(service_there, lane)


def _long_subset(service: ServiceInGroup, lane: str) -> Iterator[Wrong]:
    version = service.failover_version(lane) if service.baseline else None
    if version and len(subset := service.failover_subset(version)) > LONGEST_SUBSET:
        message = (
            f"lane {lane} falls back at run time by a subset {subset}, whose name has {len(subset)} characters "
            f"and may have {LONGEST_SUBSET}: shorten the names of the two versions"
        )
        yield (*SPEC, "services", service.name, "versions", version), message


def _unknown(where: FieldPath, name: str, valid: Mapping[str, object], what: str) -> Iterator[Wrong]:
    if name not in valid:
        yield where, f"there is no {what} {name}{nearest(name, valid)}"


def _lane(group: LaneGroup, name: str, versions: Mapping[str, str]) -> Iterator[Wrong]:
    where = (*SPEC, "lanes", name, "versions")
    for service, version in versions.items():
        # A service and a consumer may share a name, as they may be one program: then the lane selects both.
        named = [among[service] for among in (group.spec.services, group.spec.consumers) if service in among]
        if not named:
            valid = {**group.spec.services, **group.spec.consumers}
            yield from _unknown(
                (*where, service), service, valid, "service or consumer" if group.spec.consumers else "service"
            )
        elif not any(version in one.versions for one in named):
            there = {one: part for part in named for one in part.versions}
            yield from _unknown((*where, service), version, there, f"version of {service}")


def _service(service: ServiceInGroup) -> Iterator[Wrong]:
    name, spec, group = service.name, service.spec, service.group
    where: FieldPath = (*SPEC, "services", name)
    for index, called in enumerate(spec.calls):
        yield from _unknown((*where, "calls", index), called, group.spec.services, "service")
    if spec.default is not None:
        yield from _unknown((*where, "default"), spec.default, spec.versions, f"version of {name}")
        if spec.weights is not None:
            yield (*where, "default"), "weights are given too: give one of the two for untagged requests"
    if spec.weights is not None:
        yield from _weights((*where, "weights"), spec.weights, spec.versions, f"version of {name}")
    if service.baseline is None and spec.weights is None:
        lane = group.spec.tag.default
        yield where, f"untagged requests have no version: give default or weights, or a version of the baseline {lane}"
    for index, rule in enumerate(spec.rules):
        yield from _weights((*where, "rules", index, "weights"), rule.weights, spec.versions, f"version of {name}")
        yield from _expressible((*where, "rules", index, "match"), rule.match)
    if spec.mirror:
        yield from _mirror((*where, "mirror"), service, spec.mirror.version)
    yield from _runtime(service, where)


def _mirror(where: FieldPath, service: ServiceInGroup, version: str) -> Iterator[Wrong]:
    spec = service.spec
    yield from _unknown((*where, "version"), version, spec.versions, f"version of {service.name}")
    for name in ("mirror", "mirrors"):
        if spec.policy.get(name) is not None:
            yield where, f"policy.{name} is given too, and Istio takes one of the two: keep one of them"
    tag = service.group.spec.tag
    for index, rule in enumerate(spec.rules):
        if tag.header in rule.match.headers or (tag.baggage and BAGGAGE in rule.match.headers):
            message = "asks for a tag, as the routes of lanes do, and mirror copies only requests of no lane: drop one"
            yield (*where[:-1], "rules", index, "match"), message


def _weights(where: FieldPath, weights: Mapping[str, int], valid: Mapping[str, object], what: str) -> Iterator[Wrong]:
    for name in weights:
        yield from _unknown((*where, name), name, valid, what)
    if not any(weights.values()):
        yield where, "at least one weight has to be above 0"


def _baseline_share(where: FieldPath, split: Mapping[str, int], group: LaneGroup) -> Iterator[Wrong]:
    """A split names the baseline: weights are relative, so `{gray: 5}` alone would send every request to gray."""
    baseline, given = group.spec.tag.default, sum(split.values())
    if baseline in split or not given or not {baseline, *split} <= group.spec.lanes.keys():
        return
    lanes = " and ".join(lane for lane, weight in split.items() if weight)
    yield (
        where,
        f"gives {baseline} no share, so every untagged request would go to {lanes}: weights are relative to each "
        f"other; write {with_the_rest(split, baseline)}"
        + (f", or {baseline}: 0 if {lanes} is to get all" if given < 100 else ""),
    )


def with_the_rest(weights: Mapping[str, int], other: str) -> str:
    """Weights as a spec has them, with what is left of 100 for another name."""
    whole = {**weights, other: max(0, 100 - sum(weights.values()))}
    return "{" + ", ".join(f"{name}: {weight}" for name, weight in whole.items()) + "}"


def _expressible(where: FieldPath, match: Match) -> Iterator[Wrong]:
    try:
        condition(match)
    except NotExpressibleError as error:
        yield where, str(error)


def _runtime(service: ServiceInGroup, where: FieldPath) -> Iterator[Wrong]:
    """`fallback: runtime` needs labels by which Istio can select the Pods of both versions and no others."""
    versions, baseline = service.spec.versions, service.baseline
    for lane in service.group.spec.lanes:
        version = service.failover_version(lane)
        if version is None or (baseline is not None and baseline not in versions):
            continue  # an unknown default is a problem of its own
        at = (*where, "versions", version)
        if baseline is None:
            yield at, f"lane {lane} falls back at run time, and {service.name} has no baseline version to fall back to"
            continue
        if (subset := service.failover_subset(version)) in versions:
            yield at, f"the name {subset} is taken for the fallback of lane {lane}"
        if len(versions) > 2:
            yield from _fallback_labels(service.spec, at, version, baseline, lane)


def _fallback_labels(spec: ServiceSpec, at: FieldPath, version: str, baseline: str, lane: str) -> Iterator[Wrong]:
    mine, theirs = spec.versions[version].fallback_labels, spec.versions[baseline].fallback_labels
    if not mine or mine != theirs:
        yield (
            (*at, "fallbackLabels"),
            f"lane {lane} falls back at run time among more than two versions: "
            f"{version} and {baseline} need the same fallbackLabels, which their Pods alone carry",
        )
    for other, one in spec.versions.items():
        if mine and other not in (version, baseline) and one.fallback_labels == mine:
            yield (*at, "fallbackLabels"), f"version {other} carries them too, and lane {lane} must not fall back to it"


def _same_hosts(services: Iterable[ServiceInGroup]) -> Iterator[Wrong]:
    seen: dict[str, str] = {}
    for service in services:
        first = seen.setdefault(service.host, service.name)
        if first != service.name:
            message = f"service {first} has this host already: Istio takes one VirtualService per mesh host"
            yield (*SPEC, "services", service.name, "host"), message


def _same_names(group: LaneGroup, services: Iterable[ServiceInGroup]) -> Iterator[Wrong]:
    """An entry's VirtualService is named by the entry's host, and a service's resources may have that name already."""
    names = entry_resources(group)
    taken = {service_resource(service): service.name for service in services} if names else {}
    for index, name in enumerate(names):
        if name in taken:
            message = (
                f"its VirtualService would be called {name.name}, as service {taken[name]}'s: put another host first"
            )
            yield (*SPEC, "entries", index, "hosts"), message
    names_of_lanes = lane_host_resources(group)
    for index, entry in enumerate(group.spec.entries):
        for host in lane_hosts(group, entry).values():
            if (name := names_of_lanes[host]) in taken:
                message = f"the VirtualService of {host} would be called {name.name}, as service {taken[name]}'s"
                yield (*SPEC, "entries", index, "laneHosts"), message


def _entry(group: LaneGroup, entry: Entry, where: FieldPath) -> Iterator[Wrong]:
    spec = group.spec
    for host, times in Counter(entry.hosts).items():
        if times > 1:
            yield (*where, "hosts"), f"{host} is listed twice"
    yield from _lane_hosts(group, entry, where)
    for index, admit in enumerate(entry.admit):
        yield from _unknown((*where, "admit", index, "lane"), admit.lane, spec.lanes, "lane")
        yield from _expressible((*where, "admit", index, "match"), admit.match)
    if entry.split is not None:
        yield from _weights((*where, "split"), entry.split, spec.lanes, "lane")
    yield from sticky.problems(group, entry, where)
    for index, route in enumerate(entry.routes):
        at = (*where, "routes", index)
        if route.service not in spec.services:
            yield from _unknown((*at, "service"), route.service, spec.services, "service")
        else:
            yield from _route(group, entry, index, where)


def _lane_hosts(group: LaneGroup, entry: Entry, where: FieldPath) -> Iterator[Wrong]:
    hosts = lane_hosts(group, entry)
    for lane, host in hosts.items():
        if not _HOST.fullmatch(host):
            yield (
                (*where, "laneHosts"),
                f"lane {lane} would make the host {host}: a host has lower-case letters, digits and -, at most 63 to a "
                "dot; rename the lane, or leave laneHosts away",
            )
    taken = {host for other in group.spec.entries for host in other.hosts} if hosts else set()
    if clash := sorted(taken & {*hosts.values()}):
        yield (*where, "laneHosts"), f"{clash[0]} is a host of an entry already: {_OF_THEIR_OWN}"


def _route(group: LaneGroup, entry: Entry, index: int, where: FieldPath) -> Iterator[Wrong]:
    route, at = entry.routes[index], (*where, "routes", index)
    service = group.service(route.service)
    here = Condition(path=path(route.path), method=route.method)
    if route.rewrite and route.path.regex:
        yield (*at, "rewrite"), "a rewrite replaces a prefix or an exact path, not a regex"
    matches: list[tuple[str, Match]] = [(f"admit[{n}]", admit.match) for n, admit in enumerate(entry.admit)]
    matches += [(f"rules[{n}] of {route.service}", rule.match) for n, rule in enumerate(service.spec.rules)]
    for name, match in matches:
        if entry.baggage == "keep" and BAGGAGE in match.headers:
            yield (
                (*where, "baggage"),
                f"with {name}: the header {BAGGAGE} is matched twice, as keep asks for it too: "
                "Istio takes one match per header",
            )
        try:
            both(here, condition(match))
        except NotExpressibleError as error:
            yield (*at, "path"), f"with {name}: {error}"
    for lane in entry.split or {}:
        if lane in group.spec.lanes and service.refuses(lane):
            yield (*at, "service"), f"split sends to the strict lane {lane}, which has no version of {route.service}"
