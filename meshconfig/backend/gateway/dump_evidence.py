"""Whether a proxy's configuration shows HTTPRoutes, GRPCRoutes and the Services of versions as they were written.

istiod merges the routes of one host into a VirtualService of its own, which it names after the host, and keeps the
names of their rules. Source: istio/istio pilot/pkg/config/kube/gateway/route_collections.go, mergeHTTPRoutes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from meshconfig.backend.evidence import Evidence, Resource, SubsetPods, Written
from meshconfig.backend.gateway import read_rule
from meshconfig.backend.gateway.matching import ANYTHING
from meshconfig.backend.gateway.names import parent_hosts
from meshconfig.backend.gateway.ranks import GRPC_ROUTE
from meshconfig.backend.istio import envoy_dump, envoy_routes
from meshconfig.backend.istio.dump_evidence import evidence as istio_evidence
from meshconfig.backend.istio.envoy_dump import Json, Made, Page
from meshconfig.istio.cluster_names import ClusterName
from meshconfig.istio.hosts import EVERY_HOST, ServiceName
from meshconfig.model import Condition, Name

ROUTES = ("HTTPRoute", GRPC_ROUTE)
OF_ISTIO = ("VirtualService", "DestinationRule")
Entry = tuple[str, frozenset[tuple[str, ...]] | None, tuple[tuple[str, str, int | None], ...]]


def evidence(dump: Page, change: Written, pods: SubsetPods) -> Evidence:
    """Whether a proxy's dump shows a change already: see `Backend`."""
    made = envoy_dump.made_from(dump)
    found = [_route(one, made, change) for one in change.written if one["kind"] in ROUTES]
    if any(_has_any(entries, one, made) for one, entries in _gone(change)):
        return Evidence.DIFFERS
    services = [one for one in change.written if one["kind"] == "Service"]
    if services:
        clusters = {str(one.get("name", "")) for one in envoy_dump.clusters(dump)}
        addresses = envoy_dump.endpoints(dump) if pods else {}
        found += [_service(one, clusters, addresses, pods) for one in services]
    others = tuple(one for one in change.written if one["kind"] not in (*ROUTES, "Service"))
    gone = tuple(one for one in change.deleted if one[0] in OF_ISTIO)  # a group that moves from the backend `istio`
    if others or gone:
        found.append(istio_evidence(dump, Written(others, gone, change.before, change.tag), pods))
    shown = [one for one in found if one is not Evidence.ABSENT]
    if not shown:
        return Evidence.ABSENT
    return Evidence.DIFFERS if Evidence.DIFFERS in shown else Evidence.SHOWS


def _service(
    one: Resource, clusters: Collection[str], addresses: Mapping[str, frozenset[str]], pods: SubsetPods
) -> Evidence:
    host = ServiceName(one["metadata"]["name"], one["metadata"]["namespace"]).host
    names = [str(ClusterName(host, port["port"], "")) for port in one["spec"].get("ports") or ()]
    if not all(name in clusters for name in names):
        return Evidence.ABSENT
    known = pods.get((host, ""))
    moved = known is not None and any(not addresses.get(name, frozenset()) <= set(known) for name in names)
    return Evidence.DIFFERS if moved else Evidence.SHOWS


def _route(one: Resource, made: Mapping[str, Made], change: Written) -> Evidence:
    shown = [routes for path, part in made.items() if _is_of(path, one) for routes in part.routes]
    if not shown:
        return Evidence.ABSENT
    place = _place(one)
    before = change.before.get(place)
    wanted = [*_entries(one)]
    others = {entry for each in _others(one, change, place) for entry in _entries(each)}
    left = {entry for entry in _entries(before) if entry not in wanted} - others if before else set()
    for routes in shown:
        there = [_shown(route) for route in routes]
        if not all(any(_holds(entry, route) for route in there) for entry in wanted):
            return Evidence.DIFFERS
        if any(_holds(entry, route) for entry in left for route in there):
            return Evidence.DIFFERS
    if before is not None and _headers_differ(one, before, shown, change.tag):
        return Evidence.DIFFERS
    return Evidence.SHOWS


def _gone(change: Written) -> Iterator[tuple[Resource, frozenset[Entry]]]:
    """The deleted routes, each with what no other route of the group has for its hosts."""
    there = {tuple(key): one for key, one in change.before.items() if one["kind"] in ROUTES}
    there |= {_place(one): one for one in change.written if one["kind"] in ROUTES}
    for one in [there.pop(tuple(place)) for place in change.deleted if tuple(place) in there]:
        beside = [each for each in there.values() if _parents(each) == _parents(one) and {*hosts(each)} & {*hosts(one)}]
        kept = {entry for each in beside for entry in _entries(each)}
        if mine := frozenset(_entries(one)) - kept:
            yield one, mine


def _has_any(entries: Iterable[Entry], one: Resource, made: Mapping[str, Made]) -> bool:
    shown = [routes for path, part in made.items() if _is_of(path, one) for routes in part.routes]
    return any(_holds(entry, _shown(route)) for entry in entries for routes in shown for route in routes)


def _place(one: Resource) -> tuple[str, str, str]:
    return one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]


def _parents(one: Resource) -> Sequence[Json]:
    return one["spec"].get("parentRefs") or ()


def _is_of(path: str, one: Resource) -> bool:
    """Whether istiod has made this VirtualService of routes of the same host and the same Gateway."""
    _, namespace, kind, name = path.split("/")
    if (namespace, kind) != (one["metadata"]["namespace"], "virtual-service"):
        return False
    return _is_at(name, one) and any(name.endswith(f"~{host}") for host in hosts(one))


def _is_at(name: str, one: Resource) -> bool:
    """istiod's name has the Gateway's before the host: `NAMESPACE~GATEWAY~istio-autogenerated-k8s-gateway~…`."""
    parent = next(iter(_parents(one)), {})
    if parent.get("kind", "Gateway") != "Gateway" or "name" not in parent:
        return True
    gateway = f"{parent.get('namespace') or one['metadata']['namespace']}~{parent['name']}"
    return name.startswith((f"{gateway}~", f"{gateway}-istio-autogenerated"))


def hosts(one: Resource) -> Sequence[str]:
    """The hosts of an HTTPRoute: of a Service or a ServiceEntry between services, its hostnames at a Gateway."""
    return parent_hosts(one)[:1] or one["spec"].get("hostnames") or (EVERY_HOST,)


def _others(one: Resource, change: Written, place: tuple[str, str, str]) -> Iterator[Resource]:
    """The other routes of the same parent that the group has."""
    for key, each in change.before.items():
        if tuple(key) != place and each["kind"] in ROUTES and _parents(each) == _parents(one):
            yield each


def _entries(one: Resource) -> Iterator[Entry]:
    """What Envoy gets of each match of each rule: the name, the match, and where it leads."""
    namespace = one["metadata"]["namespace"]
    for number, rule in enumerate(one["spec"].get("rules") or ()):
        name = rule.get("name") or f"{namespace}.{one['metadata']['name']}.{number}"
        targets = tuple(_targets(rule.get("backendRefs") or (), namespace))
        for match in _matches(rule):
            yield name, frozenset(_asked(match)), targets


def _matches(rule: Json) -> Sequence[Json]:
    """The matches of a rule; a rule without any takes every request."""
    return rule.get("matches") or ({},)


def _targets(refs: Iterable[Json], namespace: str) -> Iterator[tuple[str, str, int | None]]:
    used = [one for one in refs if one.get("weight", 1)]
    for one in used:
        host = ServiceName(one["name"], one.get("namespace") or namespace).host
        name = host if one.get("kind", "Service") == "Service" else one["name"]
        yield name.lower(), "", one.get("weight", 1) if len(used) > 1 else None


def _asked(match: Json) -> Iterator[tuple[str, ...]]:
    path, method = match.get("path") or {}, match.get("method")
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    if kind in ("Exact", "RegularExpression"):
        yield "path", "exact" if kind == "Exact" else "regex", value
    if isinstance(method, Mapping):
        if method.get("service") and method.get("method"):
            yield "path", "exact", f"/{method['service']}/{method['method']}"
    elif method:
        yield "header", ":method", "exact", method
    for part, asked in (("header", match.get("headers") or ()), ("query", match.get("queryParams") or ())):
        for one in asked:
            kind = "exact" if one.get("type", "Exact") == "Exact" else "regex"
            yield part, one["name"], *_plain(kind, one.get("value", ""))


def _plain(kind: str, value: str) -> tuple[str, str]:
    return ("present", "") if (kind, value) == ("regex", ANYTHING) else (kind, value)


def _shown(route: Json) -> Entry:
    found = envoy_routes.shown(route)
    match = frozenset((*asked[:2], *_plain(*asked[2:])) if asked[0] != "path" else asked for asked in found["match"])
    return found["name"], match, found["targets"]


def _holds(asked: Entry, found: Entry) -> bool:
    return asked == found


def _headers_differ(one: Resource, before: Resource, shown: Iterable[Sequence[Json]], tag: str) -> bool:
    """Whether a route still changes headers as it did before, or does not yet as it should."""
    wanted, old = dict(_operations(one, tag)), dict(_operations(before, tag))
    for routes in shown:
        for route in routes:
            name, match, _ = _shown(route)
            there = envoy_routes.shown(route)["headers"]
            asked, was = wanted.get((name, match)), old.get((name, match), frozenset())
            if asked is not None and not (asked <= there and not (was - asked) & there):
                return True
    return False


def _operations(one: Resource, tag: str) -> Iterator[tuple[Any, frozenset[tuple[str, ...]]]]:
    """For each match of each rule, by name, the changes of headers."""
    table = Name(one["metadata"]["namespace"], one["metadata"]["name"])
    for number, rule in enumerate(one["spec"].get("rules") or ()):
        name = rule.get("name") or f"{table.namespace}.{table.name}.{number}"
        route = read_rule.route(rule, grpc=one["kind"] == GRPC_ROUTE, table=table, tag=tag, versions={})
        asked = envoy_routes.expected_one(route, Condition(), table.namespace, tag)
        for match in _matches(rule):
            yield (name, frozenset(_asked(match))), asked.get("headers", frozenset())
