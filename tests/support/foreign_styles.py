"""Manifests in the styles in which other people write them, each with requests to ask: see `cases`.

Every case has hosts, Services and Gateways of its own, so that all of them may be applied at once. The Pods behind are
few: `web` in versions v1 and v2, `api` in v1, and one sender in each of two namespaces.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count, product
from typing import Any, NamedTuple

HOME, AWAY, BARE = "explain-a", "explain-b", "explain-c"  # BARE has no Pods
DOMAIN = "svc.cluster.local"
Manifest = dict[str, Any]


class Outside(NamedTuple):
    """A request to the ingress gateway's Pod."""

    host: str
    port: int
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"


class Inside(NamedTuple):
    """A request of the sender in a namespace, to the address of `dial`: a Service, or `pod`, one of `web`'s Pods.

    A sidecar looks at the address where it reads no HTTP or has to find out whether it is.
    """

    host: str
    port: int
    dial: str
    namespace: str = HOME
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "GET"


@dataclass
class Case:
    name: str
    manifests: list[Manifest] = field(default_factory=list)
    asked: list[Outside | Inside] = field(default_factory=list)


_NUMBERS = count(1)


@cache
def cases() -> list[Case]:
    """All cases, in the order of the families below."""
    families = (
        _gateway_ports, _served_hosts, _hosts_at_gateways, _gateway_names, _delegates, _exported_to_gateways,
        _destinations, _matches, _answers, _tcp_gateways, _rules,
        _mesh_hosts, _mesh_exports, _mesh_gateways, _two_of_a_host, _senders, _tcp, _headless, _external_names,
        _beside_the_registry, _mesh_destinations, _multi_port, _wildcards, _no_routes,
    )  # fmt: skip
    return [case for family in families for case in family()]


def kind(kind: str, name: str, spec: Any, namespace: str = HOME, api: str = "networking.istio.io/v1") -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def vs(name: str, hosts: list[str], *http: Manifest, namespace: str = HOME, **spec: Any) -> Manifest:
    """A VirtualService; without hosts it is a delegate."""
    body = {**({"hosts": hosts} if hosts else {}), **({"http": list(http)} if http else {}), **spec}
    return kind("VirtualService", name, {key: value for key, value in body.items() if value is not None}, namespace)


def to(host: str, subset: str = "", *match: Manifest, port: int | None = None, **route: Any) -> Manifest:
    destination = {
        "host": host,
        **({"subset": subset} if subset else {}),
        **({"port": {"number": port}} if port else {}),
    }
    return {**({"match": list(match)} if match else {}), "route": [{"destination": destination}], **route}


def says(status: int, *match: Manifest) -> Manifest:
    return {**({"match": list(match)} if match else {}), "directResponse": {"status": status}}


def gw(
    name: str, port: int, hosts: list[str], protocol: str = "HTTP", namespace: str = HOME, **server: Any
) -> Manifest:
    one = {"port": {"number": port, "name": f"p{port}", "protocol": protocol}, "hosts": hosts, **server}
    return kind("Gateway", name, {"selector": {"istio": "ingressgateway"}, "servers": [one]}, namespace)


def service(name: str, *ports: tuple[int, str], app: str = "web", namespace: str = HOME, **spec: Any) -> Manifest:
    listed = [{"port": number, "targetPort": 9001, **({"name": label} if label else {})} for number, label in ports]
    body = {**({"selector": {"app": app}} if app else {}), **({"ports": listed} if listed else {}), **spec}
    return kind("Service", name, body, namespace, "v1")


def alias(name: str, of: str, *ports: tuple[int, str]) -> Manifest:
    return service(name, *ports, app="", type="ExternalName", externalName=of)


def rule(name: str, host: str, *versions: str, namespace: str = HOME, **spec: Any) -> Manifest:
    subsets = [{"name": one, "labels": {"version": one}} for one in versions]
    return kind("DestinationRule", name, {"host": host, "subsets": subsets, **spec}, namespace)


def full(name: str, namespace: str = HOME) -> str:
    return f"{name}.{namespace}.{DOMAIN}"


V2 = {"headers": {"end-user": {"exact": "jason"}}}
JASON = (("end-user", "jason"),)


def _new(what: str) -> tuple[str, int]:
    """A name and a port that no other case has."""
    number = next(_NUMBERS)
    return f"{what}{number}", 21000 + number


def _gateway_ports() -> Iterator[Case]:
    """A Gateway on any port, bound by any of its names; called with the port in the authority."""
    for style in ("{n}", f"{HOME}/{{n}}", "./{n}", f"{{n}}.{HOME}.{DOMAIN}"):
        for offset in (0, 80, 8080):
            name, own = _new("port")
            port, host = offset or own, f"{name}.explain.test"
            route = vs(name, [host], to("web", "v2", V2), to("web", "v1"), gateways=[style.format(n=name)])
            yield Case(name, [gw(name, port, [host]), route], [Outside(host, port), Outside(host, port, "/a", JASON)])


def _served_hosts() -> Iterator[Case]:
    """The hosts of a server, with namespaces and without."""
    for style in ("{h}", "*", "*.explain.test", f"{HOME}/{{h}}", "./{h}", "*/{h}", f"{AWAY}/{{h}}", "other.org", "{H}"):
        for namespace in (HOME, AWAY):
            name, port = _new("served")
            host = f"{name}.explain.test"
            served = style.format(h=host, H=host.title())
            route = vs(name, [host], to(full("web"), "v1"), gateways=[f"{HOME}/{name}"], namespace=namespace)
            yield Case(name, [gw(name, port, [served]), route], [Outside(host, port), Outside(f"x.{host}", port)])


def _hosts_at_gateways() -> Iterator[Case]:
    """Several VirtualServices of one Gateway: a named host before wildcards; those of one host merged."""
    first, second = {"uri": {"prefix": "/one"}}, {"uri": {"prefix": "/two"}}
    pairs = [("{h}", "{h}"), ("{h}", "*"), ("*", "{h}"), ("*.test", "*.explain.test"), ("{h}", "*.explain.test")]
    for (one, other), last in product(pairs, (True, False)):
        name, port = _new("merged")
        host = f"{name}.explain.test"
        hosts = [style.format(h=host) for style in (one, other)]
        manifests = [
            gw(name, port, ["*"]),
            vs(f"{name}-a", hosts[:1], to("web", "v1", first), *([says(418)] if last else []), gateways=[name]),
            vs(f"{name}-b", hosts[1:], to("web", "v2", second), gateways=[name]),
        ]
        yield Case(name, manifests, [Outside(host, port, path) for path in ("/one", "/two", "/three")])


def _gateway_names() -> Iterator[Case]:
    """A VirtualService bound to another Gateway, to none, to the mesh alone, or to both."""
    for gateways in ([], ["mesh"], ["mesh", "{n}"], ["nowhere"], [f"{AWAY}/{{n}}"], [f"{HOME}/{{n}}", "nowhere"]):
        name, port = _new("bound")
        host = f"{name}.explain.test"
        names = [one.format(n=name) for one in gateways]
        route = vs(name, [host], to("web", "v1"), gateways=names or None)
        yield Case(name, [gw(name, port, ["*"]), route], [Outside(host, port)])


def _delegates() -> Iterator[Case]:
    """Roots and delegates: narrower matches, matches in conflict, missing ones, other namespaces."""
    roots = [
        {"uri": {"prefix": "/x"}},
        {"uri": {"regex": "^/x/.+$"}},
        {"headers": {"end-user": {"exact": "jason"}}},
        None,
    ]
    subs = [{"uri": {"prefix": "/x/y"}}, {"uri": {"prefix": "/z"}}, V2, None]
    for root, sub in product(roots, subs):
        name, port = _new("deleg")
        host = f"{name}.explain.test"
        namespace = AWAY if sub is None else HOME
        delegate = {"delegate": {"name": f"{name}-sub", "namespace": namespace}}
        first = {**({"match": [root]} if root else {}), **delegate}
        canary = to(full("web"), "v2", *([sub] if sub else []))
        manifests = [
            gw(name, port, [host]),
            vs(name, [host], first, says(418), gateways=[name]),
            vs(f"{name}-sub", [], canary, to(full("web"), "v1"), namespace=namespace),
        ]  # fmt: skip
        asked = [Outside(host, port, path, headers) for path in ("/x/y", "/z") for headers in ((), JASON)]
        yield Case(name, manifests, asked)
    for extra in ({"name": "no-such"}, {"name": "{n}-sub", "namespace": AWAY}):
        name, port = _new("deleg")
        delegate = {key: value.format(n=name) for key, value in extra.items()}
        hidden = vs(f"{name}-sub", [], says(299), namespace=AWAY, exportTo=["."])
        root = vs(
            name,
            [f"{name}.explain.test"],
            {"delegate": delegate},
            says(418, {"uri": {"prefix": "/a"}}),
            gateways=[name],
        )
        yield Case(name, [gw(name, port, ["*"]), root, hidden], [Outside(f"{name}.explain.test", port, "/a")])


def _exported_to_gateways() -> Iterator[Case]:
    for export_to in (["."], ["*"], ["istio-system"], [AWAY], [AWAY, "istio-system"], [HOME]):
        name, port = _new("export")
        host = f"{name}.explain.test"
        route = vs(name, [host], to("web", "v1"), gateways=[name], exportTo=export_to)
        yield Case(name, [gw(name, port, [host]), route], [Outside(host, port)])


def _destinations() -> Iterator[Case]:
    """How people write a destination: short, half, in full; with its port and without; through an ExternalName."""
    for written, port, subset in product(
        ("web", f"web.{HOME}", f"web.{HOME}.svc", full("web")), (None, 80, 81), ("", "v2", "v9")
    ):
        name, own = _new("dest")
        host = f"{name}.explain.test"
        yield Case(
            name,
            [gw(name, own, [host]), vs(name, [host], to(written, subset, port=port), gateways=[name])],
            [Outside(host, own)],
        )
    for target, ports in product((full("web"), "example.org", "loop"), ((), ((80, "http"),), ((8080, "http"),))):
        name, own = _new("destext")
        host, behind = f"{name}.explain.test", full(f"{name}-2") if target == "loop" else target
        manifests = [gw(name, own, [host]), alias(f"{name}-1", behind, *ports), alias(f"{name}-2", full("web"), *ports)]
        for number, port in ((1, 80), (2, None)):
            path = {"uri": {"prefix": f"/{number}"}}
            manifests.append(vs(f"{name}-{number}", [host], to(f"{name}-1", "", path, port=port), gateways=[name]))
        yield Case(name, manifests, [Outside(host, own, "/1"), Outside(host, own, "/2")])
    for port in (80, 8080, None):
        name, own = _new("destmany")
        host = f"{name}.explain.test"
        many = service(name, (80, "http"), (8080, "http-b"), clusterIP="None")
        yield Case(
            name,
            [gw(name, own, [host]), many, vs(name, [host], to(name, port=port), gateways=[name])],
            [Outside(host, own)],
        )


def _matches() -> Iterator[Case]:
    """Each condition alone, met and not met."""

    def ask(path: str = "/", headers: tuple[tuple[str, str], ...] = (), method: str = "GET") -> Outside:
        return Outside("", 0, path, headers, method)

    def cookie(value: str) -> Outside:
        return ask(headers=(("cookie", value),))

    listed: list[tuple[Manifest, Outside, Outside]] = [
        ({"uri": {"exact": "/a"}}, ask("/a"), ask("/a/")),
        ({"uri": {"prefix": "/a"}}, ask("/ab?c"), ask("/b")),
        ({"uri": {"regex": "/a.*b"}}, ask("/a/x/b"), ask("/a/x/c")),
        ({"uri": {"prefix": "/A"}, "ignoreUriCase": True}, ask("/a"), ask("/b")),
        ({"headers": {"x": {"prefix": "a"}}}, ask(headers=(("x", "ab"),)), ask(headers=(("x", "ba"),))),
        ({"headers": {"x": {"regex": "a|b"}}}, ask(headers=(("X", "b"),)), ask(headers=(("x", "ab"),))),
        ({"headers": {"x": {}}}, ask(headers=(("x", "1"),)), ask()),
        ({"headers": {"cookie": {"regex": "^(.*?;)?(user=jason)(;.*)?$"}}}, cookie("a=b;user=jason"), cookie("user=x")),
        ({"withoutHeaders": {"x": {"exact": "a"}}}, ask(), ask(headers=(("x", "a"),))),
        ({"queryParams": {"q": {"exact": "1"}}}, ask("/?q=1"), ask("/?q=2")),
        ({"method": {"exact": "POST"}}, ask(method="POST"), ask()),
        ({"scheme": {"exact": "http"}}, ask(), ask()),
        ({"port": 1}, ask(), ask()),
        ({"gateways": ["mesh"]}, ask(), ask()),
        ({"sourceLabels": {"istio": "ingressgateway"}}, ask(), ask()),
        ({"sourceNamespace": HOME}, ask(), ask()),
        ({"authority": {"prefix": "match"}}, ask(), ask()),
    ]  # fmt: skip
    for match, *asked in listed:
        name, port = _new("match")
        host = f"{name}.explain.test"
        route = vs(name, [host], to("web", "v2", match), to("web", "v1"), gateways=[name])
        yield Case(name, [gw(name, port, [host]), route], [one._replace(host=host, port=port) for one in asked])


def _answers() -> Iterator[Case]:
    """What else a route does: rewrites, redirects, faults, weights, answers of its own."""
    whole = {"uri": {"prefix": "/a"}}
    weighted = [
        {"destination": {"host": "web", "subset": one}, "weight": part} for one, part in (("v1", 30), ("v2", 70))
    ]
    for route in (
        to("web", "v1", whole, rewrite={"uri": "/"}),
        to("web", "v1", whole, rewrite={"uri": "/b", "authority": "else.org"}),
        {"redirect": {"uri": "/b", "redirectCode": 302}},
        {"redirect": {"port": 8443, "scheme": "https"}},
        {"redirect": {"derivePort": "FROM_REQUEST_PORT"}},
        {"directResponse": {"status": 299, "body": {"string": "hi"}}},
        to("web", "v1", fault={"abort": {"httpStatus": 418, "percentage": {"value": 100}}}),
        {"route": weighted},
        {"route": [{**weighted[0], "weight": 0}, {**weighted[1], "weight": 1}]},
    ):
        name, port = _new("answer")
        host = f"{name}.explain.test"
        yield Case(
            name, [gw(name, port, [host]), vs(name, [host], route, gateways=[name])], [Outside(host, port, "/a/c")]
        )
    name, port = _new("tohttps")
    host = f"{name}.explain.test"
    server = gw(name, port, [host], tls={"httpsRedirect": True})
    yield Case(name, [server, vs(name, [host], to("web", "v1"), gateways=[name])], [Outside(host, port, "/a")])


def _stream(subset: str, host: str = "web", **match: Any) -> Manifest:
    return {
        **({"match": [match]} if match else {}),
        "route": [{"destination": {"host": host, "subset": subset, "port": {"number": 80}}}],
    }


def _tcp_gateways() -> Iterator[Case]:
    """A server that reads no HTTP."""
    weighted = {"route": [{**_stream(one)["route"][0], "weight": part} for one, part in (("v1", 50), ("v2", 50))]}
    for route in ("{p}", "1", "", "weights", "http"):
        name, port = _new("tcpgw")
        number = {"port": port} if route == "{p}" else {"port": 1} if route == "1" else {}
        tcp = weighted if route == "weights" else _stream("v2", **number)
        routes = (
            vs(name, ["*"], to("web", "v1"), gateways=[name])
            if route == "http"
            else vs(name, ["*"], gateways=[name], tcp=[tcp])
        )
        yield Case(name, [gw(name, port, ["*"], "TCP"), routes], [Outside("any.test", port)])


def _rules() -> Iterator[Case]:
    """Where a DestinationRule stands, for whom, and under which host."""
    for namespace, written in product(
        (HOME, AWAY, "istio-system"), ("{f}", "{n}", "{n}." + HOME, "*." + HOME + ".svc")
    ):
        name, port = _new("rule")
        host = f"{name}.explain.test"
        own = written.format(f=full(name), n=name)
        yield Case(
            name,
            [
                service(name, (80, "http")),
                gw(name, port, [host]),
                rule(name, own, "v1", "v2", namespace=namespace),
                vs(name, [host, full(name)], to(full(name), "v2"), gateways=[name, "mesh"]),
            ],
            [Outside(host, port), Inside(full(name), 80, name), Inside(full(name), 80, name, AWAY)],
        )
    for export_to in (["."], [AWAY], ["*"]):
        name, port = _new("rule")
        yield Case(
            name,
            [
                service(name, (80, "http")),
                rule(name, name, "v2", exportTo=export_to),
                vs(name, [name], to(name, "v2")),
            ],
            [Inside(full(name), 80, name), Inside(full(name), 80, name, AWAY)],
        )


def _mesh_hosts() -> Iterator[Case]:
    """A Service under each of its names, and a VirtualService that writes it short, half or in full."""
    styles = ("{n}", "{n}." + HOME, "{n}." + HOME + ".svc", "{f}", "{N}")
    for written, (port, label) in product(styles, ((80, "http"), (80, ""), (8080, "http"), (9080, ""), (9090, "grpc"))):
        name, _ = _new("host")
        host = written.format(n=name, f=full(name), N=name.title())
        asked = [Inside(one, port, name) for one in (name, f"{name}.{HOME}", f"{name}.{HOME}.svc", full(name))]
        asked += [Inside(one, port, name, AWAY) for one in (f"{name}.{HOME}", full(name))]
        yield Case(name, [service(name, (port, label)), vs(name, [host], says(418))], asked)


def _mesh_exports() -> Iterator[Case]:
    for export_to in (["."], ["*"], [AWAY], ["istio-system"]):
        name, _ = _new("meshexp")
        route = vs(name, [name], says(418), exportTo=export_to)
        yield Case(
            name, [service(name, (80, "http")), route], [Inside(full(name), 80, name, one) for one in (HOME, AWAY)]
        )
    name, _ = _new("hidden")
    hidden = service(name, (80, "http"))
    hidden["metadata"]["annotations"] = {"networking.istio.io/exportTo": "."}
    yield Case(name, [hidden, vs(name, [name], says(418))], [Inside(full(name), 80, name)])


def _mesh_gateways() -> Iterator[Case]:
    for gateways in (None, ["mesh"], ["mesh", "nowhere"], ["nowhere"]):
        name, _ = _new("meshgw")
        route = vs(name, [name], says(418), gateways=gateways)
        yield Case(
            name, [service(name, (80, "http")), route], [Inside(name, 80, name), Inside(full(name), 80, name, AWAY)]
        )


def _two_of_a_host() -> Iterator[Case]:
    """In the mesh one VirtualService takes a host: private before public, by name where they are as old."""
    for first, second in product((None, ["."]), repeat=2):
        name, _ = _new("two")
        manifests = [
            service(name, (80, "http")),
            vs(f"{name}-a", [full(name)], says(418), namespace=AWAY, exportTo=first),
            vs(f"{name}-b", [name], says(419), exportTo=second),
        ]
        yield Case(name, manifests, [Inside(full(name), 80, name), Inside(full(name), 80, name, AWAY)])


def _senders() -> Iterator[Case]:
    for match in (
        {"sourceLabels": {"app": "probe"}},
        {"sourceLabels": {"app": "other"}},
        {"sourceLabels": {"app": "probe", "version": AWAY}},
        {"sourceNamespace": AWAY},
        {"sourceNamespace": HOME, "uri": {"prefix": "/a"}},
        {"gateways": ["nowhere"]},
    ):
        name, _ = _new("sender")
        manifests = [
            service(name, (80, "http")),
            vs(name, [name], says(418, match), says(419, {"uri": {"prefix": "/b"}})),
        ]
        asked = [Inside(full(name), 80, name, space, path) for space in (HOME, AWAY) for path in ("/a", "/b")]
        yield Case(name, manifests, asked)


def _tcp() -> Iterator[Case]:
    """tcp routes, alone and beside http ones, on ports of each kind."""
    routes = [
        [_stream("v2", "{n}")],
        [_stream("v2", "{n}", port=9000)],
        [_stream("v2", "{n}", port=1), _stream("v1", "{n}")],
        [_stream("v2", "{n}", sourceLabels={"app": "other"})],
        [_stream("v2", "{n}", gateways=["nowhere"])],
    ]
    for listed, label in product(routes, ("tcp", "mongo", "http", "")):
        name, _ = _new("tcp")
        tcp = [_named(one, name, 9000) for one in listed]
        manifests = [
            service(name, (9000, label)),
            rule(name, name, "v1", "v2"),
            vs(name, [name], to(name, "v1", {"uri": {"prefix": "/a"}}), says(418), tcp=tcp),
        ]
        if label == "mongo":
            continue  # Envoy reads the bytes of these protocols
        yield Case(name, manifests, [Inside(name, 9000, name, HOME, "/a"), Inside(full(name), 9000, name, AWAY)])
    name, _ = _new("tcp")
    parts = [
        {**_named(_stream(one, "{n}"), name, 9000)["route"][0], "weight": part}
        for one, part in (("v1", 80), ("v2", 20))
    ]
    manifests = [service(name, (9000, "tcp")), rule(name, name, "v1", "v2"), vs(name, [name], tcp=[{"route": parts}])]
    yield Case(name, manifests, [Inside(name, 9000, name)])


def _named(route: Manifest, name: str, port: int) -> Manifest:
    destination = route["route"][0]["destination"]
    named = {**destination, "host": destination["host"].format(n=name), "port": {"number": port}}
    return {**route, "route": [{"destination": named}]}


def _headless() -> Iterator[Case]:
    """A Service without an address: its own name, and the names of its Pods. Each on a port of its own, because of the
    listeners that a sidecar has for the Pods of those that are not HTTP."""
    for label in ("http", "", "tcp"):
        name, port = _new("less")
        hosts = (name, f"pod-0.{name}", f"pod-0.{name}.{HOME}", f"pod-0.{full(name)}")
        tcp = {"tcp": [_stream("v2")]} if label == "tcp" else {}
        routed = vs(name, [name], says(418), **tcp)
        asked = [Inside(host, port, "pod") for host in hosts]
        yield Case(
            name, [service(name, (port, label), clusterIP="None"), routed], [*asked, asked[-1]._replace(namespace=AWAY)]
        )
    name, _ = _new("less")
    hosts = (f"pod-0.{name}", f"pod-0.{name}.{HOME}", f"pod-0.{full(name)}")
    plain = service(name, (9001, "http"), clusterIP="None")  # the Pods listen here
    yield Case(name, [plain], [*(Inside(host, 9001, "pod") for host in hosts), Inside(hosts[-1], 9001, "pod", AWAY)])
    name, _ = _new("less")
    pod = f"pod-0.{full(name)}"
    manifests = [
        service(name, (80, "http"), clusterIP="None"),
        vs(f"{name}-a", [name], says(418)),
        vs(f"{name}-b", [pod], says(419)),
    ]
    yield Case(name, manifests, [Inside(host, 80, "pod") for host in (name, pod, f"pod-1.{name}")])


def _external_names() -> Iterator[Case]:
    """An ExternalName with ports and without, under each of its names; with routes of its own and its Service's."""
    for ports, own, other in product(((), ((80, "http"),), ((8080, "http"),)), (False, True), (False, True)):
        name, _ = _new("ext")
        manifests = [service(f"{name}-of", (80, "http")), alias(name, full(f"{name}-of"), *ports)]
        manifests += [vs(f"{name}-a", [name], says(418))] if own else []
        manifests += [vs(f"{name}-b", [f"{name}-of"], says(419))] if other else []
        asked = [Inside(host, 80, "pod") for host in (name, f"{name}.{HOME}", full(name))]
        yield Case(name, manifests, [*asked, Inside(full(name), 80, "pod", AWAY)])
    for ports, port in product(((), ((80, "http"),), ((8080, "http"),)), (80, 8080)):
        name, _ = _new("extdest")
        manifests = [
            service(name, (80, "http"), (8080, "http-b")),
            alias(f"{name}-ext", full("web"), *ports),
            vs(name, [name], to(f"{name}-ext", port=80)),
        ]
        yield Case(name, manifests, [Inside(name, port, name)])


def _beside_the_registry() -> Iterator[Case]:
    """Hosts that no Service has."""
    for hosts, port in product((["{n}.org"], ["{n}.org", "{n}"], ["*.{n}.org"]), (80, 8080)):
        name, _ = _new("beside")
        listed = [one.format(n=name) for one in hosts]
        manifests = [service(name, (80, "http"), (8080, "http-b")), vs(name, listed, says(418))]
        asked = [Inside(f"{name}.org", port, "pod"), Inside(f"x.{name}.org", port, "pod")]
        yield Case(name, manifests, asked)
    for listed in (["{n}.org"], ["*.{n}.org"]):
        name, _ = _new("entry")
        ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
        hosts = [one.format(n=name) for one in listed]
        entry = kind(
            "ServiceEntry", name, {"hosts": hosts, "ports": ports, "location": "MESH_EXTERNAL", "resolution": "NONE"}
        )
        manifests = [
            entry,
            service(name, (80, "http")),
            vs(f"{name}-e", hosts, says(418, {"uri": {"prefix": "/a"}}), to(f"www.{name}.org")),
        ]
        asked = [Inside(f"{one}{name}.org", 80, "pod", HOME, path) for one in ("", "www.") for path in ("/a", "/b")]
        yield Case(name, manifests, asked)


def _mesh_destinations() -> Iterator[Case]:
    """A sidecar takes the port that was called where a destination names none."""
    for written, port, called in product(("api", f"api.{HOME}", full("api")), (None, 80), (80, 8080)):
        name, _ = _new("meshdest")
        manifests = [service(name, (80, "http"), (8080, "http-b")), vs(name, [name], to(written, port=port))]
        yield Case(name, manifests, [Inside(name, called, name)])


def _multi_port() -> Iterator[Case]:
    for match in (None, {"port": 80}, {"port": 9090}):
        name, _ = _new("many")
        manifests = [
            service(name, (80, "http"), (9090, "http-metrics")),
            rule(name, name, "v1", "v2"),
            vs(name, [name], to(name, "v2", *([{**match, **V2}] if match else [V2])), to(name, "v1")),
        ]
        yield Case(
            name,
            manifests,
            [Inside(name, port, name, HOME, "/", headers) for port in (80, 9090) for headers in ((), JASON)],
        )


def _wildcards() -> Iterator[Case]:
    """A wildcard takes the Services that no VirtualService names."""
    name, _ = _new("wild")
    manifests = [service(f"{name}-{number}", (80, "http"), namespace=BARE) for number in (1, 2)]
    manifests += [
        vs(name, [f"*.{BARE}.{DOMAIN}"], says(418), namespace=BARE),
        vs(f"{name}-2", [f"{name}-2"], says(419), namespace=BARE),
    ]
    asked = [
        Inside(full(f"{name}-{number}", BARE), 80, f"{name}-{number}.{BARE}", space)
        for number in (1, 2)
        for space in (HOME, AWAY)
    ]
    yield Case(name, manifests, asked)


def _no_routes() -> Iterator[Case]:
    """Services that no VirtualService names, on ports of each kind."""
    for port, label in ((80, "http"), (8080, "http-web"), (9080, ""), (9000, "tcp"), (9091, "grpc-web")):
        name, _ = _new("plain")
        yield Case(
            name, [service(name, (port, label))], [Inside(name, port, name), Inside(full(name), port, name, AWAY)]
        )
