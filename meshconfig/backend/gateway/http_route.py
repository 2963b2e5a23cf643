"""HTTPRoutes and GRPCRoutes of route tables, and what they need: a Service without Pods, ReferenceGrants."""

from collections.abc import Iterable, Iterator, Sequence

from meshconfig.backend.gateway import filters, grants, policy
from meshconfig.backend.gateway.matches import Match
from meshconfig.backend.gateway.matching import check_path, lowered, lowered_grpc
from meshconfig.backend.gateway.names import API, ISTIO, RuleNames, part_name, refusing_service
from meshconfig.backend.gateway.positive import alternatives
from meshconfig.backend.gateway.precedence import Rule, arranged
from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.istio.gateways import MESH
from meshconfig.istio.hosts import EVERY_HOST, service_name
from meshconfig.istio.labels import REFUSES
from meshconfig.model import Route, RouteTable, Target

REFUSED_PORT = 80
GRPC = "grpc"
PLACE = ("parent", "kind")  # of a lifted table: its parentRef and its kind


def lower(table: RouteTable, owner: Owner) -> list[Manifest]:
    """The HTTPRoutes of a table, after the Service without Pods that they may lead to and the grants that they need.

    Raises:
        UnsupportedError: Gateway API cannot express a route of the table.
    """
    if table.lifted is not None and table.lifted["routes"] == table.routes:
        return [dict(one) for one in table.lifted["resources"]]
    grpc = table.protocol == GRPC
    _check(table.routes, grpc=grpc)
    found = arranged(table.routes, grpc=grpc)
    kind = "GRPCRoute" if grpc else "HTTPRoute"
    rules = [[*_rules(part, table, owner, regexes=found.regexes)] for part in found.parts]
    further = {name: value for name, value in ((table.lifted or {}).get("spec") or {}).items() if name not in PLACE}
    # Between services there are no hostnames, and none are for any host.
    every = MESH in table.gateways or EVERY_HOST in table.hosts
    named = {} if every else {"hostnames": list(table.hosts)}
    routes = [
        owner.manifest(
            f"{API}/v1",
            kind,
            part_name(table.name, number),
            {"parentRefs": [_parent(table)], **named, "rules": part, **further},
        )
        for number, part in enumerate(rules)
    ]
    if table.lifted is not None:
        return routes  # what they need is lifted by itself: it has to be there before the routes, and goes after them
    refuses = any(route.refusal for route in table.routes)
    leaves = [grants.lower(one, owner) for one in grants.needed(table)]
    return [*([_refusing(table, owner)] if refuses else []), *leaves, *routes]


def _check(routes: Iterable[Route], *, grpc: bool) -> None:
    """Checks each route's own conditions. Later they are repeated for other routes, which are not to blame.

    Raises:
        UnsupportedError: Gateway API has no match for one of them.
    """
    if grpc:
        for one in alternatives(routes, grpc=True):
            lowered_grpc(one.match, one.route)
    for route in routes:
        for path in (one.path for one in route.conditions if one.path and one.path.kind == "exact"):
            check_path(path.value, route)


def _parent(table: RouteTable) -> Manifest:
    if table.lifted is not None:
        return dict(table.lifted["spec"]["parent"])
    if MESH not in table.gateways:
        namespace, _, name = table.gateways[0].partition("/")
        other = {"namespace": namespace} if namespace != table.name.namespace else {}
        section = {"sectionName": table.listener} if table.listener else {}
        port = {"port": table.port} if table.port else {}
        return {"group": API, "kind": "Gateway", "name": name, **other, **section, **port}
    service = service_name(table.hosts[0])
    # The API server takes a missing group for Gateway API's own.
    group, kind = ("", "Service") if service else (ISTIO, "ServiceEntry")
    return {
        "group": group,
        "kind": kind,
        "name": service.name if service else table.name.name,
        **({"port": table.port} if table.port else {}),
    }


def _rules(part: Sequence[Rule], table: RouteTable, owner: Owner, *, regexes: bool) -> Iterator[Manifest]:
    names = RuleNames()
    for rule in part:
        route = rule.route
        found: Manifest = {"name": names.name(route.id if route else None)}
        if table.protocol == GRPC:
            found["matches"] = [lowered_grpc(one, route) for one in rule.matches]
        else:
            found["matches"] = [lowered(one, route, regexes=regexes) for one in rule.matches]
        yield {**found, **(_action(route, rule.matches[0], table, owner) if route else {})}


def _action(route: Route, match: Match, table: RouteTable, owner: Owner) -> Manifest:
    """What a rule does: nothing at all answers 500, which is Gateway API's for a rule without a backend."""
    namespace = table.name.namespace
    if route.refusal:
        name = refusing_service(table.name)
        return {"backendRefs": [filters.reference(name, table.port or REFUSED_PORT, namespace)]}
    policy.check(route, grpc=table.protocol == GRPC)
    kept: Manifest = dict(route.fields.get(filters.KEPT) or {})
    if "directResponse" in route.fields:
        return kept
    alone = len(route.targets) == 1
    headers = route.fields.get("headers") or {}
    if alone:
        headers = filters.joined(headers, filters.target_headers(route.targets[0], owner.tag, authority=False))
    changed = [
        *filters.header_filters(headers),
        *_url(route, match),
        *filters.mirrors(route, namespace),
        *policy.cors(route),
        *kept.pop("filters", ()),
    ]
    if given := route.fields.get("redirect"):
        changed.append(filters.redirect(given))
    weights = filters.weights(route)
    backends = [
        _backend(one, weight, owner, namespace, alone) for one, weight in zip(route.targets, weights, strict=True)
    ]
    return {
        **({"filters": changed} if changed else {}),
        **({"backendRefs": backends} if backends else {}),
        **policy.timeouts(route, experimental=owner.experimental),
        **kept,
    }


def _url(route: Route, match: Match) -> list[Manifest]:
    """The filter that rewrites the path, and the host with which a request leaves the mesh."""
    found: Manifest = {}
    if len(route.targets) == 1 and route.targets[0].authority:
        found["hostname"] = route.targets[0].authority
    if path := filters.rewrite(route, match.path):
        found["path"] = path
    return [{"type": "URLRewrite", "urlRewrite": found}] if found else []


def _backend(target: Target, weight: int, owner: Owner, namespace: str, alone: bool) -> Manifest:
    found = filters.backend(target, namespace)
    kept: Manifest = dict(target.fields.get(filters.KEPT) or {})
    if alone:
        return {**found, **kept}
    own = filters.target_headers(target, owner.tag, authority=True)
    changed = filters.header_filters(filters.joined(target.fields.get("headers") or {}, own))
    changed += kept.pop("filters", ())
    return {**found, "weight": weight, **({"filters": changed} if changed else {}), **kept}


def _refusing(table: RouteTable, owner: Owner) -> Manifest:
    """A Service that selects no Pods. A proxy answers 503 for it, which Gateway API has no filter for."""
    port = {"name": table.protocol, "port": table.port or REFUSED_PORT}
    found = owner.manifest("v1", "Service", refusing_service(table.name), {"ports": [port]})
    found["metadata"]["annotations"] = {REFUSES: "requests of strict lanes that have no version here"}
    return found
