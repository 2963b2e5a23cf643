"""What a group does to requests: routes, subsets, entries. No Kubernetes shapes; frozen; made by `compile`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Opaque = Mapping[str, Any]  # fields of Istio that are passed through as written


@dataclass(frozen=True, slots=True)
class Text:
    """A condition on one string: `exact`, `prefix`, `regex` (RE2, the whole of it), or that it is there at all."""

    kind: Literal["exact", "prefix", "regex", "present"]
    value: str = ""


Named = tuple[tuple[str, Text], ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """All of it must hold. `absent`: headers that must not be there. `claims`: of the JWT that the gateway has read."""

    path: Text | None = None
    method: str | None = None
    headers: Named = ()
    query: Named = ()
    claims: Named = ()
    absent: tuple[str, ...] = ()

    @property
    def always(self) -> bool:
        return self == _ALWAYS


_ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class SetTag:
    """The tag goes on as this one value, whatever came in."""

    value: str


@dataclass(frozen=True, slots=True)
class RemoveTag:
    """The tag goes no further."""


TagChange = SetTag | RemoveTag | None  # None: it goes on as it came


@dataclass(frozen=True, slots=True)
class Target:
    """A share of a route's requests: `weight` is relative to the other targets'."""

    host: str
    port: int
    subset: str
    weight: int = 1
    tag: TagChange = None


@dataclass(frozen=True, slots=True)
class Route:
    """The first route of which any condition holds takes the request; no condition means every request.

    `refusal` answers 503 with this text instead of sending the request on: a strict lane without a version here.
    """

    name: str
    conditions: tuple[Condition, ...]
    targets: tuple[Target, ...]
    refusal: str = ""
    rewrite: str | None = None
    policy: Opaque = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failover:
    """A subset that spreads over several versions' Pods and prefers those with `prefer`, while they are healthy."""

    prefer: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Subset:
    name: str
    labels: tuple[tuple[str, str], ...]
    failover: Failover | None = None


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """`cpu` is the average utilization in percent of what the Pods request."""

    workload: str
    min_replicas: int
    max_replicas: int
    cpu: int


@dataclass(frozen=True, slots=True)
class Service:
    """One Service of the mesh. `name` is the spec's word for it, `resource` that of its resources in the cluster."""

    name: str
    resource: str
    namespace: str
    host: str
    port: int
    subsets: tuple[Subset, ...]
    routes: tuple[Route, ...]
    calls: tuple[str, ...] = ()
    traffic_policy: Opaque = field(default_factory=dict)
    autoscalers: tuple[Autoscaler, ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """One server of an own Gateway. `credential` names the TLS secret; `redirect` answers with https."""

    port: int
    tls_mode: str = ""
    credential: str = ""
    redirect: bool = False


@dataclass(frozen=True, slots=True)
class OwnGateway:
    name: str
    selector: tuple[tuple[str, str], ...]
    listeners: tuple[Listener, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where outside traffic comes in: `gateway` is `namespace/name`, `own` the Gateway that is made for it."""

    resource: str
    namespace: str
    hosts: tuple[str, ...]
    gateway: str
    routes: tuple[Route, ...]
    own: OwnGateway | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """All that one group compiles to. `tag` is the header's name, `baseline` the lane of who sends none."""

    group: str
    namespace: str
    tag: str
    baseline: str
    services: tuple[Service, ...]
    entries: tuple[Entry, ...]
