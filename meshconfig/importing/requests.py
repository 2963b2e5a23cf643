"""Generates requests that meet and miss every condition of two sets of resources, at each Gateway and in the mesh."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from meshconfig.importing.samples import met, missed
from meshconfig.istio import MESH, HTTPMatchRequest, VirtualService
from meshconfig.istio.gateways import bound_to, handling, is_plain_http
from meshconfig.istio.hosts import covers, is_wildcard, overlap, service_name
from meshconfig.istio.routes import NamedRoute
from meshconfig.simulate import Index, Request
from meshconfig.simulate.index import resolved_hosts

Pairs = tuple[tuple[str, str], ...]
MOST = 1500  # requests of one sender to one host; if there are more, so many are drawn
UNKNOWN = "unknown.example.net"  # a host that nobody routes
NO_LANE = "no-such-lane"
_SEED = 16


@dataclass(frozen=True, slots=True)
class Sender:
    """A client outside at a Gateway, or Pods of a namespace.

    Parameters:
        gateway: `namespace/name`; None in the mesh.
    """

    host: str
    port: int | None
    gateway: str | None = None
    scheme: str = "http"
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(slots=True)
class Parts:
    """The parts that requests to one host are combined of: each is there for a condition that it meets or misses."""

    paths: dict[str, None] = field(default_factory=lambda: dict.fromkeys(("/", "/none")))
    methods: dict[str, None] = field(default_factory=lambda: dict.fromkeys(("GET",)))
    headers: dict[Pairs, None] = field(default_factory=lambda: dict.fromkeys(((),)))
    queries: dict[str, None] = field(default_factory=lambda: dict.fromkeys(("",)))
    whole: dict[tuple[str, str, Pairs], None] = field(default_factory=dict)

    def add(self, match: HTTPMatchRequest) -> None:
        """Adds what meets and what misses each condition of a match."""
        paths = [path for path in met(match.uri) if path.startswith("/")] if match.uri else ["/"]
        if match.uri:
            near = [f"{path.rstrip('/')}/below" for path in paths[:1]]
            every = (*paths, *near, *(path for path in missed(match.uri) if path.startswith("/")))
            self.paths.update(dict.fromkeys(path for path in every if "?" not in path and "#" not in path))
        methods = met(match.method) if match.method else ["GET"]
        self.methods.update(dict.fromkeys((*methods, *(("POST",) if match.method else ()))))
        query = "&".join(f"{name}={met(one)[0]}" for name, one in match.query_params.items() if met(one))
        self.queries.update({query: None})
        for name, one in match.query_params.items():
            self.queries.update(dict.fromkeys(f"{name}={value}" for value in missed(one)))
        full = tuple((name.lower(), met(one)[0]) for name, one in match.headers.items() if met(one) and name[0] != "@")
        self.headers.update({full: None})
        for number, (name, one) in enumerate(match.headers.items()):
            rest = full[:number] + full[number + 1 :]
            self.headers.update({rest: None})
            self.headers.update(
                dict.fromkeys((*rest, (name.lower(), value)) for value in (*met(one)[1:], *missed(one)))
            )
        for name, one in match.without_headers.items():
            self.headers.update(
                dict.fromkeys((*full, (name.lower(), value)) for value in (*met(one)[:2], *missed(one)[:1]))
            )
        for path, method in product(paths[:2], methods[:1]):
            self.whole[path + (f"?{query}" if query else ""), method, full] = None

    def requests(self) -> Iterator[tuple[str, str, Pairs]]:
        """Path with query, method and headers: each match met as a whole, then combinations of all parts.

        Two sets of headers are joined too, so that a request may meet conditions of two routes.
        """
        yield from self.whole
        joined = dict.fromkeys(self.headers)
        singles = [one for one in self.headers if one]
        for first, second in product(singles[:24], singles[:24]):
            if not {name for name, _ in first} & {name for name, _ in second}:
                joined[first + second] = None
        paths = [path + (f"?{query}" if query else "") for path in self.paths for query in self.queries]
        every = len(paths) * len(self.methods) * len(joined)
        if every <= MOST:
            yield from product(paths, self.methods, joined)
            return
        draw = random.Random(_SEED)
        methods, headers = list(self.methods), list(joined)
        yield from ((path, methods[0], one) for path in paths[:8] for one in list(self.headers)[:60])
        yield from ((draw.choice(paths), draw.choice(methods), draw.choice(headers)) for _ in range(MOST))


def requests(sides: Sequence[Index], tag: str, lanes: Iterable[str]) -> Iterator[Request]:
    """The requests by which two sets of resources are compared.

    Parameters:
        sides: both of them.
        tag: the name of the tag's header. lanes: its values.
    """
    values = dict.fromkeys((*lanes, NO_LANE, *(value for index in sides for value in _asked(index, tag))))
    tags = [((tag, value),) for value in values]
    for sender in dict.fromkeys((*_outside(sides), *_inside(sides))):
        parts = Parts()
        parts.headers.update(dict.fromkeys(tags))
        for index in sides:
            for one in _of_host(index, sender):
                for named in index.routes(one):
                    for match in named.route.match:
                        parts.add(match)
        for path, method, headers in dict.fromkeys(parts.requests()):
            yield Request(
                sender.host,
                path,
                method,
                headers,
                sender.gateway,
                sender.namespace,
                dict(sender.labels) if sender.gateway is None else None,
                sender.port,
                sender.scheme,
                {},
            )


def _asked(index: Index, tag: str) -> Iterator[str]:
    """The tags that any route asks for: at an entry they decide what later services do."""
    for one in index.resources.virtual_services:
        for named in index.routes(one) if one.spec.hosts else ():
            for match in named.route.match:
                for name, value in (*match.headers.items(), *match.without_headers.items()):
                    yield from met(value)[:2] if name.lower() == tag else ()


def _of_host(index: Index, sender: Sender) -> list[VirtualService]:
    where = sender.gateway or MESH
    host = sender.host
    if not sender.gateway and service_name(host) is None and "." not in host:
        host = f"{host}.{sender.namespace}.svc.cluster.local"
    return [
        one
        for one in index.resources.virtual_services
        if where in bound_to(one.spec.gateways, one.namespace)
        and any(covers(each, host) for each in resolved_hosts(one))
    ]


def _concrete(host: str) -> str:
    """A host that a pattern covers."""
    if host == "*":
        return "any.example.org"
    return host.replace("*", "any", 1) if is_wildcard(host) else host


def _outside(sides: Sequence[Index]) -> Iterator[Sender]:
    for name, gateway in sides[0].gateways.items():
        hosts: dict[str, None] = {UNKNOWN: None}
        for index in sides:
            for one in index.resources.virtual_services:
                if name in bound_to(one.spec.gateways, one.namespace):
                    hosts.update(dict.fromkeys(map(_concrete, resolved_hosts(one))))
        for server in gateway.spec.servers:
            scheme = "https" if not is_plain_http(server) and handling(server).tls else "http"
            served = [one.rpartition("/")[2].lower() for one in server.hosts]
            for host in (*hosts, *(_concrete(one) for one in served)):
                if any(overlap(one, host) for one in served) or host == UNKNOWN:
                    yield Sender(host, server.port.number, name, scheme)


def _inside(sides: Sequence[Index]) -> Iterator[Sender]:
    spaces: dict[str, None] = {}
    labels: dict[tuple[tuple[str, str], ...], None] = {(): None}
    hosts: dict[str, set[int | None]] = {}
    for index in sides:
        resources = index.resources
        spaces.update(dict.fromkeys(one.namespace for one in (*resources.virtual_services, *resources.services)))
        for one in resources.virtual_services:
            in_mesh = MESH in bound_to(one.spec.gateways, one.namespace)
            for named in index.routes(one) if one.spec.hosts else ():
                _learn(named, spaces, labels, hosts)
            for host in resolved_hosts(one) if in_mesh else ():
                hosts.setdefault(_concrete(host), set()).update(_ports(index, host))
        for rule in resources.destination_rules:
            if service_name(rule.spec.host):
                hosts.setdefault(rule.spec.host, set()).update(_ports(index, rule.spec.host))
    # A Service that is there only afterwards, as one for a version is, has no callers that it could be different for.
    for host, numbers in ((host, one) for host, one in hosts.items() if _was_there(sides[0], host)):
        for port in sorted(filter(None, numbers)) or [80]:
            for namespace, pairs in product(spaces, labels):
                yield Sender(host, port, None, "http", namespace, dict(pairs))


def _was_there(before: Index, host: str) -> bool:
    return service_name(host) is None or before.registry.get(host) is not None or before.names_in_mesh(host)


def _ports(index: Index, host: str) -> set[int | None]:
    known = index.registry.get(host)
    return set(known.ports) if known is not None and known.ports is not None else set()


def _learn(
    named: NamedRoute,
    spaces: dict[str, None],
    labels: dict[tuple[tuple[str, str], ...], None],
    hosts: dict[str, set[int | None]],
) -> None:
    """Notes the senders, ports and Services that a route asks for."""
    for match in named.route.match:
        if match.source_namespace:
            spaces[match.source_namespace] = None
        if match.source_labels:
            labels[tuple(sorted(match.source_labels.items()))] = None
    for target in named.route.route:
        if service_name(target.destination.host):
            hosts.setdefault(target.destination.host, set()).add(target.destination.port.number)
    for match in named.route.match:
        for target in named.route.route if match.port else ():
            hosts.setdefault(target.destination.host, set()).add(match.port)
