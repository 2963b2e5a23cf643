"""What import has found of a group so far: services with their versions, lanes and entries. Built up, then written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshconfig.istio.hosts import ServiceName
from meshconfig.model import Condition, Route, StringMatch

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


@dataclass(slots=True)
class Found:
    """A group.

    Parameters:
        tag: the name of the tag's header. baggage, trail: as in a spec.
    """

    tag: str
    services: dict[ServiceName, Service] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    baggage: bool = False
    trail: bool = False
    choices: list[str] = field(default_factory=list)

    @property
    def lanes(self) -> set[str]:
        """All lanes that a route of any service or entry names."""
        found = {lane for one in self.services.values() for lane in (*one.lanes, *one.strict)}
        return found | {lane for one in self.entries for lane in (*(lane for lane, _ in one.admit), *(one.split or {}))}


class CannotSayError(Exception):
    """A spec cannot say this; the message says why."""


def one_policy(routes: Iterable[Route]) -> Fields:
    """The policy that all routes of a service share.

    Raises:
        CannotSayError: they differ.
    """
    found: list[Fields] = []
    for route in routes:
        if not route.refusal and route.fields not in found:
            found.append(route.fields)
    if len(found) > 1:
        names = sorted({name for one in found for name in one if any(other.get(name) != one[name] for other in found)})
        raise CannotSayError(
            f"routes of one service differ in {', '.join(names)}, and a spec has one policy for a service"
        )
    return found[0] if found else {}
