"""What import has found of a group so far: services with their versions, lanes and entries. Built up, then written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshconfig.istio.hosts import ServiceName
from meshconfig.model import Condition, StringMatch

Weights = Mapping[str, int]
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a service: requests that fulfil the condition go to versions by weights."""

    condition: Condition
    weights: Weights


@dataclass(slots=True)
class Service:
    """One service.

    Parameters:
        key: its Kubernetes Service. name: its name in the spec.
        versions: labels by version. workloads: names of Deployments, where they are known.
        lanes: the version of each lane that has one. weights: the versions of untagged requests.
        strict: the lanes that get a 503 here.
        failover: the subset of a lane that falls back at run time → its version; `fallback_labels` are such a subset's.
        policy, traffic_policy: as in a spec.
        mirror: a version that gets copies of the requests of no lane, and of how many percent.
        uncopied: the lanes whose routes between services have no copies.
        choices: what was chosen where the resources leave it open, a sentence each.
    """

    key: ServiceName
    name: str
    port: int | None = None
    versions: dict[str, Mapping[str, str]] = field(default_factory=dict)
    workloads: dict[str, str] = field(default_factory=dict)
    lanes: dict[str, str] = field(default_factory=dict)
    strict: set[str] = field(default_factory=set)
    rules: list[Rule] = field(default_factory=list)
    weights: Weights | None = None
    failover: dict[str, str] = field(default_factory=dict)
    fallback_labels: dict[str, Mapping[str, str]] = field(default_factory=dict)
    runtime: set[str] = field(default_factory=set)
    policy: Fields | None = None
    traffic_policy: Fields = field(default_factory=dict)
    mirror: tuple[str, float] | None = None
    uncopied: set[str] = field(default_factory=set)
    choices: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.key.host

    @property
    def default(self) -> str | None:
        """The one version of untagged requests; None where several have weights, or none is known."""
        found = [name for name, weight in (self.weights or {}).items() if weight]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class PathRoute:
    """A path of an entry and the service behind it."""

    path: StringMatch | None
    method: str | None
    service: ServiceName
    rewrite: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: hosts at one Gateway."""

    hosts: tuple[str, ...]
    gateway: str
    routes: tuple[PathRoute, ...]
    admit: tuple[tuple[str, Condition], ...] = ()
    split: Weights | None = None
    untrusted: bool = False
    keep: bool = False
    listener: str = ""


@dataclass(slots=True)
class Found:
    """A group.

    Parameters:
        tag: the name of the tag's header. baggage, trail: as in a spec.
        passing: lanes whose tag an entry sets, although a service there has no version of them.
    """

    tag: str
    services: dict[ServiceName, Service] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    baggage: bool = False
    trail: bool = False
    choices: list[str] = field(default_factory=list)
    passing: set[str] = field(default_factory=set)

    @property
    def lanes(self) -> set[str]:
        """All lanes that a route of any service or entry names."""
        return self.selecting | self.passing

    @property
    def selecting(self) -> set[str]:
        """The lanes that a service has a version of, or that an entry puts requests into."""
        found = {lane for one in self.services.values() for lane in (*one.lanes, *one.strict)}
        return found | {lane for one in self.entries for lane in (*(lane for lane, _ in one.admit), *(one.split or {}))}


class CannotSayError(Exception):
    """A spec cannot say this; the message says why."""


Copies = tuple[str, float]  # a version and the percentage of requests of which it gets copies


def without_copies(fields: Fields, host: str) -> tuple[Fields, Copies | None]:
    """A route's policy without the copies for a subset of the same Service, and these copies."""
    rest = {name: value for name, value in fields.items() if name not in ("mirror", "mirrorPercentage", "mirrors")}
    listed = list(fields.get("mirrors") or ())
    if target := fields.get("mirror"):
        listed.append({"destination": target, "percentage": fields.get("mirrorPercentage")})
    if len(listed) != 1:
        return fields, None
    destination, percentage = listed[0].get("destination") or {}, listed[0].get("percentage") or {"value": 100}
    if destination.get("host") != host or not destination.get("subset") or not percentage.get("value"):
        return fields, None
    return rest, (str(destination["subset"]), float(percentage["value"]))


def settle_policy(service: Service, fields: Fields) -> None:
    """Takes a route's policy for the service's, or compares it with that. Routes may differ in copies for a version.

    Raises:
        CannotSayError: it is another policy than that of an earlier route.
    """
    if service.policy is None:
        service.policy = fields
    if fields == service.policy:
        return
    (bare, copies), (known, earlier) = (without_copies(one, service.host) for one in (fields, service.policy))
    found = {one for one in (copies, earlier, service.mirror) if one}
    if bare != known or len(found) != 1:
        names = sorted(name for name in {**bare, **known} if bare.get(name) != known.get(name)) or ["mirrors"]
        raise CannotSayError(
            f"routes to this service differ in {', '.join(names)}, and a spec has one policy for a service"
        )
    service.policy, service.mirror = known, found.pop()
