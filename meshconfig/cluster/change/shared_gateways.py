"""Whether a Gateway of Istio and the Gateway of the Gateway API of the same name serve alike.

An entry uses such a pair, and so does a service whose requests leave by an egress gateway.

While a group moves, its routes are at both, and afterwards at one. No client notices where both are plain HTTP on the
same ports of the same Pods: istiod then puts the routes of both into one virtual host. Of two servers with TLS for one
host it takes one and drops the other. Source: istio/istio pilot/pkg/model/gateway.go, mergeGateways.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from meshconfig.backend.kinds import OWN_GATEWAY
from meshconfig.cluster.change.changeable import place
from meshconfig.cluster.client import Client
from meshconfig.cluster.named import named
from meshconfig.cluster.objects import Key, Manifest
from meshconfig.errors import ApiError, InputError, Problem, dotted
from meshconfig.istio.gateways import served_host
from meshconfig.istio.hosts import EVERY_HOST, ServiceName, covers, service_name
from meshconfig.load import FieldPath
from meshconfig.model import Model

FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class _Use:
    """What a group uses a Gateway for.

    Parameters:
        path: the field that names the Gateway.
        gateway: its `namespace/name`.
        namespace: that of the routes.
        listener: the one that they are attached to; empty for all.
    """

    path: FieldPath
    gateway: str
    namespace: str
    hosts: tuple[str, ...]
    listener: str = ""


def check_shared_gateways(client: Client, model: Model, *, istio_api: str) -> tuple[str, ...]:
    """Checks that the Gateways of both APIs that a group uses serve alike. Makes a call for each of them.

    Parameters:
        model: a group whose entries use existing Gateways.
        istio_api: the API version of Istio's kinds.

    Returns:
        What could not be read and so not be checked, a sentence each.

    Raises:
        InputError: a client would notice the move; the field with its line, and what to do.
    """
    problems: list[Problem] = []
    doubts: dict[str, None] = {}
    for use in _uses(model):
        namespace, _, name = use.gateway.partition("/")
        asked = [Key("Gateway", namespace, name), Key(OWN_GATEWAY, namespace, name)]
        try:
            found = named(client, asked, istio_api=istio_api)
            why = next(_differences(client, use, *(found.get(one) for one in asked)), "")
        except ApiError as error:
            if error.status != FORBIDDEN:
                raise
            doubts[f"Gateways {use.gateway} of both APIs have to serve alike, and this account cannot read them"] = None
            continue
        problems += [Problem(place(model, use.path), dotted(use.path), why)] if why else []
    if problems:
        raise InputError(sorted(set(problems)))
    return tuple(doubts)


def _uses(model: Model) -> Iterator[_Use]:
    for number, entry in enumerate(model.entries):
        hosts = (*entry.hosts, *(one.host for one in entry.lane_hosts))
        field = "spec", "entries", number, "gateway", "use"
        yield _Use(field, entry.gateway, entry.namespace, hosts, entry.listener)
    for service in model.services:
        if service.outside and (tables := service.outside.egress):
            hosts = tuple(host for table in tables for host in table.hosts)
            egress = "spec", "services", service.name, "external", "egress"
            yield _Use(egress, tables[0].gateways[0], service.namespace, hosts)


def _differences(client: Client, use: _Use, istio: Manifest | None, ours: Manifest | None) -> Iterator[str]:
    """What a client would notice."""
    if istio is None or ours is None:
        missing = "networking.istio.io" if istio is None else "gateway.networking.k8s.io"
        yield f"there is no Gateway {use.gateway} of {missing}: a move needs one in both APIs, for the same Pods"
        return
    service = _service(ours)
    if service is None:
        yield (
            f"Gateway {use.gateway} of gateway.networking.k8s.io has Pods and an address of its own: give it those "
            "of Istio's, spec.addresses: [{type: Hostname, value: SERVICE.NAMESPACE.svc.cluster.local}]"
        )
        return
    there = named(client, [Key("Service", service.namespace, service.name)])
    selected = [(one["spec"].get("selector") or {}).items() for one in there.values()]
    if not any((istio["spec"].get("selector") or {}).items() <= one for one in selected):
        yield f"Gateway {use.gateway} of networking.istio.io selects other Pods than Service {service.host} does"
    for host in use.hosts:
        yield from _of_host(use, host, istio, ours)


def _service(gateway: Manifest) -> ServiceName | None:
    """The Service whose Pods serve a Gateway of the Gateway API; None where istiod makes Pods for it."""
    addresses = (gateway.get("spec") or {}).get("addresses") or ()
    values = (one.get("value", "") for one in addresses if one.get("type") == "Hostname")
    return next((found for one in values if (found := service_name(one))), None)


def _of_host(use: _Use, host: str, istio: Manifest, ours: Manifest) -> Iterator[str]:
    """What a client of one host would notice."""
    servers = [
        one
        for one in istio["spec"].get("servers") or ()
        if any(_serves(served, host, use, istio) for served in one.get("hosts") or ())
    ]
    listeners = [
        one
        for one in ours["spec"].get("listeners") or ()
        if use.listener in ("", one["name"]) and covers(one.get("hostname") or EVERY_HOST, host)
    ]
    for one in listeners:
        if _takes_from(one) == "Same" and ours["metadata"]["namespace"] != use.namespace:
            yield (
                f"listener {one['name']} of Gateway {use.gateway} takes no routes of namespace {use.namespace}: "
                "its allowedRoutes say namespaces: {from: Same}, which is the default"
            )
    if any(one.get("tls") for one in (*listeners, *servers)):
        yield (
            f"Gateway {use.gateway} serves {host} with TLS, and istiod takes one of two servers with TLS for a host: "
            "end TLS before these Gateways, or take the group away first: graylane delete -f FILE"
        )
    api, own = {one["port"] for one in listeners}, {one["port"]["number"] for one in servers}
    if api != own:
        ports = (" and ".join(map(str, sorted(one))) or "no port" for one in (own, api))
        yield "Gateway {} serves {} on {} in Istio's API, and on {} in the Gateway API".format(
            use.gateway, host, *ports
        )


def _takes_from(listener: Manifest) -> str:
    """Of which namespaces a listener takes routes: All, Same or Selector."""
    return str(((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from") or "Same")


def _serves(served: str, host: str, use: _Use, gateway: Manifest) -> bool:
    found = served_host(served, gateway["metadata"]["namespace"])
    return found.open_to(use.namespace) and covers(found.host, host)
