"""What proxies must have for a change: which proxies it concerns, which xDS types bring it, which clusters are new.

Source for what istiod pushes for each kind: istio/istio `pilot/pkg/xds/{cds,eds,lds,rds,proxy_dependencies}.go`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from meshconfig.backend import backend
from meshconfig.backend.evidence import RelabelledSubset, Written
from meshconfig.backend.gateway.names import parent_hosts
from meshconfig.backend.istio.dump_evidence import adds_clusters
from meshconfig.backend.kinds import KINDS, PUSHED, kind_of
from meshconfig.backend.manifest import SERVICE
from meshconfig.cluster.barrier.change import StepChange
from meshconfig.cluster.barrier.pages import Proxy, Version
from meshconfig.cluster.objects import Key, Manifest
from meshconfig.istio import fqdn
from meshconfig.istio.cluster_names import host_of
from meshconfig.istio.gateways import at_gateways, in_mesh
from meshconfig.model import GATEWAY_BACKEND, ISTIO_BACKEND

NOTHING: Mapping[Any, Mapping[str, Any]] = MappingProxyType({})  # its keys are equal to places
_SERVICE = ".svc."  # it is in the host of each Service of Kubernetes
OF_GATEWAY_API = ("HTTPRoute", "GRPCRoute")
ROUTES = ("VirtualService", *OF_GATEWAY_API)
TYPES = {kind.name: kind.pushed_as for kind in PUSHED}


@dataclass(frozen=True, slots=True)
class PushNeed:
    """What proxies must have for a change.

    Parameters:
        change: the written and deleted resources that proxies get something of.
        types: the xDS types that bring the change.
        hosts: the change concerns every proxy that has a cluster of one of these hosts.
        gone_hosts: so does the deletion of routes and rules for these.
        outside: the namespaces whose sidecars may have one of these hosts without watching its endpoints, because the
            host is none of Kubernetes' Services.
        namespaces: the change concerns every sidecar in these namespaces.
        routers: the change concerns every gateway.
        clusters: the new clusters, each as (host, cluster name).
        relabelled: the subsets that keep their name and get other labels.
        earlier: the push need not be still to come.
        backend: the name of the backend that reads the resources in a proxy's configuration.
        beside: a proxy may have other routes for the same hosts in place of the written ones.
    """

    change: Written
    types: frozenset[str]
    hosts: frozenset[str]
    gone_hosts: frozenset[str]
    outside: frozenset[str]
    namespaces: frozenset[str]
    routers: bool
    clusters: frozenset[tuple[str, str]]
    relabelled: tuple[RelabelledSubset, ...] = ()
    earlier: bool = False
    backend: str = ISTIO_BACKEND
    beside: bool = False

    @property
    def written(self) -> tuple[Manifest, ...]:
        return tuple(dict(one) for one in self.change.written)

    @property
    def deleted(self) -> tuple[Key, ...]:
        return tuple(Key(*one) for one in self.change.deleted)


def push_need(change: StepChange) -> PushNeed:
    """The part of a change that concerns proxies. Kinds that istiod does not push, such as Deployments, do not."""
    written = tuple(one for one in change.written if _is_pushed(one))
    deleted = tuple(one for one in change.deleted if one.kind in TYPES)
    kinds = {kind_of(one) for one in written} | {one.kind for one in deleted}
    removed = [change.before[one] for one in deleted if one in change.before]
    made_by = backend(change.backend)
    whole = [one["metadata"]["namespace"] for one in written if one["kind"] == "Sidecar"]
    return PushNeed(
        change=Written(written, deleted, change.before, change.tag),
        types=frozenset(short for kind in kinds for short in TYPES[kind]),
        hosts=frozenset(host for one in written for host in _hosts(one)),
        gone_hosts=frozenset(host for one in removed for host in _hosts(one)),
        outside=frozenset(
            one["metadata"]["namespace"]
            for one in (*written, *removed)
            if any(_SERVICE not in host for host in _hosts(one))
        ),
        namespaces=frozenset([*whole, *(one.namespace for one in deleted)]),
        routers=any(_for_routers(one) for one in written) or any(one.kind != "Sidecar" for one in deleted),
        clusters=frozenset(
            (one.host, str(made_by.cluster(one.host, one.port, one.name))) for one in change.new_subsets
        ),
        relabelled=tuple(made_by.relabelled(written, change.before)),
        earlier=change.earlier,
        # It reads in a proxy's configuration what either has made.
        backend=GATEWAY_BACKEND if change.beside or kinds & {*OF_GATEWAY_API} else change.backend,
        beside=change.beside,
    )


def _is_pushed(one: Manifest) -> bool:
    """Whether istiod pushes something of a resource: others may have a kind of the same name."""
    kind = kind_of(one)
    return kind in TYPES and KINDS[kind].group == one["apiVersion"].rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class ResourceClass:
    """Resources that reach the same kinds of proxies by the same xDS type.

    istiod may spread the resources of one wave over several pushes, so each class is looked for separately.

    Parameters:
        short: the xDS type, such as `RDS`.
        routers: the resources reach gateways.
        sidecars: the resources reach sidecars.
        kind: of the resources, where resources of other kinds reach the same proxies.
    """

    short: str
    routers: bool
    sidecars: bool
    kind: str = ""

    def reaches(self, proxy: Proxy) -> bool:
        """Whether the resources may reach a proxy of this kind."""
        return self.routers if proxy.kind == "router" else self.sidecars

    def surely(self, proxy: Proxy) -> bool:
        """Whether a proxy that knows the host must also get these resources.

        That is not certain for an entry's routes, because the Gateway's selector decides which gateways get them.
        """
        return self.reaches(proxy) and self.sidecars


def newest(
    written: Iterable[Manifest], before: Mapping[Any, Mapping[str, Any]] = NOTHING
) -> dict[ResourceClass, Manifest]:
    """The last written resource of each class. istiod reads a kind in order, so a push with it has the earlier ones.

    Parameters:
        before: what was there under a name. A ServiceEntry that makes no other clusters is shown by no proxy.
    """
    last: dict[ResourceClass, Manifest] = {}
    for one in sorted(written, key=lambda one: int(one["metadata"].get("resourceVersion") or 0)):
        if one["kind"] == "DestinationRule":
            last[ResourceClass("CDS", routers=True, sidecars=True)] = one
        if one["kind"] == "Service" or (one["kind"] == "ServiceEntry" and adds_clusters(one, before)):
            last[ResourceClass("CDS", routers=True, sidecars=True, kind=one["kind"])] = one
        if one["kind"] in ROUTES and _for_routers(one):
            last[ResourceClass("RDS", routers=True, sidecars=False)] = one
        if one["kind"] in ROUTES and _in_mesh(one):
            last[ResourceClass("RDS", routers=False, sidecars=True)] = one
    return last


def concerned(proxy: Proxy, need: PushNeed, watched: Collection[str] | None) -> bool | None:
    """Whether the change concerns a proxy; None if that depends on the proxy's clusters and these do not tell it.

    Parameters:
        watched: the names of the proxy's clusters; None if they are not known.
    """
    if proxy.kind == "router" and need.routers:
        return True
    if proxy.kind != "router" and proxy.namespace in need.namespaces:
        return True
    hosts = need.hosts | need.gone_hosts
    if not hosts:
        return False
    if watched is None or any(host_of(cluster) in hosts for cluster in watched):
        return None if watched is None else True
    return None if proxy.kind != "router" and proxy.namespace in need.outside else False


def unacknowledged(
    proxy: Proxy, types: Iterable[str], since: Mapping[str, Version], ended: Version | None = None
) -> tuple[str, ...]:
    """The xDS types in which a proxy is behind: not acknowledged, or last sent before the push with the change.

    Parameters:
        since: for each type, the push that brought the change; for a type without one, only the acknowledgement counts.
        ended: a push of which the proxy has been sent all that there was for it.
    """
    return tuple(sorted(short for short in types if _late(proxy, short, since.get(short), ended)))


def _late(proxy: Proxy, short: str, since: Version | None, ended: Version | None) -> bool:
    sent = proxy.sent.get(short)
    if sent is None or not sent.nonce:  # the proxy does not subscribe to this type
        return False
    if not sent.acknowledged:
        return True
    if since is None or sent.version is None or sent.version >= since:
        return False
    return ended is None or ended < since


def missing_endpoints(need: PushNeed, watched: Collection[str]) -> tuple[str, ...]:
    """The new clusters whose endpoints a proxy has not asked for, though it has other clusters of the same host."""
    hosts = {host_of(cluster) for cluster in watched}
    return tuple(sorted(cluster for host, cluster in need.clusters if host in hosts and cluster not in watched))


def endpoints_warm(proxy: Proxy) -> bool:
    """Whether EDS was sent after the push that brought CDS had ended. Then Envoy has the new clusters' endpoints.

    One push sends CDS, EDS, LDS and RDS in this order, and istiod answers no request in between. Envoy asks for the
    endpoints of new clusters after CDS. The result is also False where it cannot be told: the clusters did not change,
    or this istiod's pages have no times.
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
    kind, spec = manifest["kind"], manifest.get("spec") or {}
    if kind in OF_GATEWAY_API:
        return any(one.get("kind", "Gateway") == "Gateway" for one in spec.get("parentRefs") or ())
    if kind == "VirtualService":
        return bool(at_gateways(spec.get("gateways")))
    return bool(kind == "Gateway")


def _in_mesh(manifest: Manifest) -> bool:
    spec = manifest.get("spec") or {}
    if manifest["kind"] in OF_GATEWAY_API:
        return any(one.get("kind") in ("Service", "ServiceEntry") for one in spec.get("parentRefs") or ())
    return in_mesh(spec.get("gateways"))


def _hosts(manifest: Manifest) -> Iterator[str]:
    spec: Mapping[str, Any] = manifest.get("spec") or {}
    namespace, kind = manifest["metadata"]["namespace"], manifest["kind"]
    if kind == "DestinationRule":
        yield fqdn(spec["host"], namespace)
    if kind == "VirtualService" and _in_mesh(manifest):
        yield from (fqdn(host, namespace) for host in spec.get("hosts") or ())
    if kind in OF_GATEWAY_API:
        yield from parent_hosts(manifest)
    if kind == "ServiceEntry":
        yield from spec.get("hosts") or ()
    if kind == "Service" and (service := (manifest["metadata"].get("labels") or {}).get(SERVICE)):
        yield fqdn(service, namespace)  # who has the service's own clusters gets its versions' too
