"""What a change asks of proxies: whom it concerns, which types of resources bring it, which clusters are new.

Source: istio/istio `pilot/pkg/xds/{cds,eds,lds,rds,proxy_dependencies}.go`: what each kind of resource has pushed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meshconfig.backend import backend
from meshconfig.backend.evidence import RelabelledSubset, Written
from meshconfig.backend.kinds import ISTIO, PUSHED
from meshconfig.cluster.barrier.change import StepChange
from meshconfig.cluster.barrier.pages import Proxy, Version
from meshconfig.cluster.objects import Key, Manifest
from meshconfig.istio import fqdn
from meshconfig.istio.cluster_names import ClusterName, host_of
from meshconfig.istio.gateways import at_gateways, in_mesh

TYPES = {kind.name: kind.pushed_as for kind in PUSHED}


@dataclass(frozen=True, slots=True)
class PushNeed:
    """What a change asks of proxies.

    `hosts`: a proxy that has a cluster of one is concerned; `namespaces`: each sidecar there is; `routers`: each
    gateway is; `clusters`: the new ones, after their hosts; `relabelled`: subsets that keep their name and get other
    labels.
    """

    change: Written
    types: frozenset[str]
    hosts: frozenset[str]
    namespaces: frozenset[str]
    routers: bool
    clusters: frozenset[tuple[str, str]]
    relabelled: tuple[RelabelledSubset, ...] = ()

    @property
    def written(self) -> tuple[Manifest, ...]:
        return tuple(dict(one) for one in self.change.written)

    @property
    def deleted(self) -> tuple[Key, ...]:
        return tuple(Key(*one) for one in self.change.deleted)


def push_need(change: StepChange) -> PushNeed:
    """What of a change concerns proxies; Deployments and the like do not."""
    written = tuple(
        one for one in change.written if one["apiVersion"].partition("/")[0] == ISTIO and one["kind"] in TYPES
    )
    deleted = tuple(one for one in change.deleted if one.kind in TYPES)
    kinds = {one["kind"] for one in written} | {one.kind for one in deleted}
    whole = [one["metadata"]["namespace"] for one in written if one["kind"] == "Sidecar"]
    return PushNeed(
        change=Written(written, deleted, change.before, change.tag),
        types=frozenset(short for kind in kinds for short in TYPES[kind]),
        hosts=frozenset(host for one in written for host in _hosts(one)),
        namespaces=frozenset([*whole, *(one.namespace for one in deleted)]),
        routers=any(_for_routers(one) for one in written) or any(one.kind != "Sidecar" for one in deleted),
        clusters=frozenset((one.host, str(ClusterName(one.host, one.port, one.name))) for one in change.new_subsets),
        relabelled=tuple(backend().relabelled(written, change.before)),
    )


@dataclass(frozen=True, slots=True)
class ResourceClass:
    """Resources that reach the same proxies by the same type; one wave may be spread over several pushes."""

    short: str
    routers: bool
    sidecars: bool

    def reaches(self, proxy: Proxy) -> bool:
        return self.routers if proxy.kind == "router" else self.sidecars

    def surely(self, proxy: Proxy) -> bool:
        """Does it reach this proxy if the host does? Which entry reaches which gateway is the Gateway's affair."""
        return self.reaches(proxy) and self.sidecars


def newest(written: Iterable[Manifest]) -> dict[ResourceClass, Manifest]:
    """The last written of each sort: istiod reads a kind in order, so a push that has it has those before it."""
    last: dict[ResourceClass, Manifest] = {}
    for one in sorted(written, key=lambda one: int(one["metadata"].get("resourceVersion") or 0)):
        if one["kind"] == "DestinationRule":
            last[ResourceClass("CDS", routers=True, sidecars=True)] = one
        if one["kind"] == "VirtualService" and _for_routers(one):
            last[ResourceClass("RDS", routers=True, sidecars=False)] = one
        if one["kind"] == "VirtualService" and _in_mesh(one):
            last[ResourceClass("RDS", routers=False, sidecars=True)] = one
    return last


def concerned(proxy: Proxy, need: PushNeed, watched: Collection[str] | None) -> bool | None:
    """Does the change concern this proxy? None: that depends on its clusters, which are not known yet."""
    if proxy.kind == "router" and need.routers:
        return True
    if proxy.kind != "router" and proxy.namespace in need.namespaces:
        return True
    if not need.hosts:
        return False
    return None if watched is None else any(host_of(cluster) in need.hosts for cluster in watched)


def unacknowledged(proxy: Proxy, types: Iterable[str], since: Mapping[str, Version]) -> tuple[str, ...]:
    """The types of which a proxy has not acknowledged what it was last sent, or was last sent too long ago.

    Parameters:
        since: by type, the push that brought the change; a type without one is only looked at for acknowledgement.
    """
    return tuple(sorted(short for short in types if _late(proxy, short, since.get(short))))


def _late(proxy: Proxy, short: str, since: Version | None) -> bool:
    sent = proxy.sent.get(short)
    if sent is None or not sent.nonce:  # it does not ask for any
        return False
    if not sent.acknowledged:
        return True
    return since is not None and sent.version is not None and sent.version < since


def missing_endpoints(need: PushNeed, watched: Collection[str]) -> tuple[str, ...]:
    """New clusters that a proxy should have, as it has others of the host, and has not asked for the endpoints of."""
    hosts = {host_of(cluster) for cluster in watched}
    return tuple(sorted(cluster for host, cluster in need.clusters if host in hosts and cluster not in watched))


def endpoints_warm(proxy: Proxy) -> bool:
    """Was EDS sent after the push that brought CDS had ended? Then the new clusters' endpoints were asked for.

    One push sends CDS, EDS, LDS and RDS in this order and answers nothing in between; Envoy asks for the endpoints of
    new clusters after CDS. False where that can't be told: clusters that did not change, an istiod that tells no times.
    """
    cds, eds = proxy.sent.get("CDS"), proxy.sent.get("EDS")
    if not (cds and eds and eds.at and eds.acknowledged and cds.acknowledged):
        return False
    last = _end(proxy, cds.version)
    return last is not None and eds.at > last


def _end(proxy: Proxy, push: Version | None) -> datetime | None:
    sent = [proxy.sent[short] for short in ("LDS", "RDS") if short in proxy.sent]
    times = [one.at for one in sent if one.at and push and one.version == push]
    return max(times) if times else None


def _for_routers(manifest: Manifest) -> bool:
    if manifest["kind"] == "VirtualService":
        return bool(at_gateways(manifest["spec"].get("gateways")))
    return bool(manifest["kind"] == "Gateway")


def _in_mesh(manifest: Manifest) -> bool:
    return in_mesh(manifest["spec"].get("gateways"))


def _hosts(manifest: Manifest) -> Iterator[str]:
    spec: Mapping[str, Any] = manifest.get("spec") or {}
    namespace = manifest["metadata"]["namespace"]
    if manifest["kind"] == "DestinationRule":
        yield fqdn(spec["host"], namespace)
    if manifest["kind"] == "VirtualService" and _in_mesh(manifest):
        yield from (fqdn(host, namespace) for host in spec.get("hosts") or ())
