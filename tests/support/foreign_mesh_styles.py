"""Cases for `foreign_styles` in which a sidecar sends the request."""

from collections.abc import Iterator
from itertools import product

from foreign_manifests import (
    AWAY,
    BARE,
    DOMAIN,
    HOME,
    JASON,
    V2,
    Case,
    Inside,
    Manifest,
    alias,
    fresh,
    full,
    kind,
    rule,
    says,
    service,
    stream,
    to,
    vs,
)


def _mesh_hosts() -> Iterator[Case]:
    """A Service under each of its names, and a VirtualService that writes it short, half or in full."""
    styles = ("{n}", "{n}." + HOME, "{n}." + HOME + ".svc", "{f}", "{N}")
    for written, (port, label) in product(styles, ((80, "http"), (80, ""), (8080, "http"), (9080, ""), (9090, "grpc"))):
        name, _ = fresh("host")
        host = written.format(n=name, f=full(name), N=name.title())
        asked = [Inside(one, port, name) for one in (name, f"{name}.{HOME}", f"{name}.{HOME}.svc", full(name))]
        asked += [Inside(one, port, name, AWAY) for one in (f"{name}.{HOME}", full(name))]
        yield Case(name, [service(name, (port, label)), vs(name, [host], says(418))], asked)


def _mesh_exports() -> Iterator[Case]:
    for export_to in (["."], ["*"], [AWAY], ["istio-system"]):
        name, _ = fresh("meshexp")
        route = vs(name, [name], says(418), exportTo=export_to)
        yield Case(
            name, [service(name, (80, "http")), route], [Inside(full(name), 80, name, one) for one in (HOME, AWAY)]
        )
    name, _ = fresh("hidden")
    hidden = service(name, (80, "http"))
    hidden["metadata"]["annotations"] = {"networking.istio.io/exportTo": "."}
    yield Case(name, [hidden, vs(name, [name], says(418))], [Inside(full(name), 80, name)])


def _mesh_gateways() -> Iterator[Case]:
    for gateways in (None, ["mesh"], ["mesh", "nowhere"], ["nowhere"]):
        name, _ = fresh("meshgw")
        route = vs(name, [name], says(418), gateways=gateways)
        yield Case(
            name, [service(name, (80, "http")), route], [Inside(name, 80, name), Inside(full(name), 80, name, AWAY)]
        )


def _two_of_a_host() -> Iterator[Case]:
    """In the mesh one VirtualService takes a host: private before public, by name where they are as old."""
    for first, second in product((None, ["."]), repeat=2):
        name, _ = fresh("two")
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
        name, _ = fresh("sender")
        manifests = [
            service(name, (80, "http")),
            vs(name, [name], says(418, match), says(419, {"uri": {"prefix": "/b"}})),
        ]
        asked = [Inside(full(name), 80, name, space, path) for space in (HOME, AWAY) for path in ("/a", "/b")]
        yield Case(name, manifests, asked)


def _tcp() -> Iterator[Case]:
    """tcp routes, alone and beside http ones, on ports of each kind."""
    routes = [
        [stream("v2", "{n}")],
        [stream("v2", "{n}", port=9000)],
        [stream("v2", "{n}", port=1), stream("v1", "{n}")],
        [stream("v2", "{n}", sourceLabels={"app": "other"})],
        [stream("v2", "{n}", gateways=["nowhere"])],
    ]
    for listed, label in product(routes, ("tcp", "mongo", "http", "")):
        name, _ = fresh("tcp")
        tcp = [_named(one, name, 9000) for one in listed]
        manifests = [
            service(name, (9000, label)),
            rule(name, name, "v1", "v2"),
            vs(name, [name], to(name, "v1", {"uri": {"prefix": "/a"}}), says(418), tcp=tcp),
        ]
        if label == "mongo":
            continue  # Envoy reads the bytes of these protocols
        yield Case(name, manifests, [Inside(name, 9000, name, HOME, "/a"), Inside(full(name), 9000, name, AWAY)])
    name, _ = fresh("tcp")
    parts = [
        {**_named(stream(one, "{n}"), name, 9000)["route"][0], "weight": part} for one, part in (("v1", 80), ("v2", 20))
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
        name, port = fresh("less")
        hosts = (name, f"pod-0.{name}", f"pod-0.{name}.{HOME}", f"pod-0.{full(name)}")
        tcp: Manifest = {"tcp": [stream("v2")]} if label == "tcp" else {}
        routed = vs(name, [name], says(418), **tcp)
        asked = [Inside(host, port, "pod") for host in hosts]
        yield Case(
            name, [service(name, (port, label), clusterIP="None"), routed], [*asked, asked[-1]._replace(namespace=AWAY)]
        )
    name, _ = fresh("less")
    longer = (f"pod-0.{name}", f"pod-0.{name}.{HOME}", f"pod-0.{full(name)}")
    plain = service(name, (9001, "http"), clusterIP="None")  # the Pods listen here
    yield Case(name, [plain], [*(Inside(host, 9001, "pod") for host in longer), Inside(longer[-1], 9001, "pod", AWAY)])
    name, _ = fresh("less")
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
        name, _ = fresh("ext")
        manifests = [service(f"{name}-of", (80, "http")), alias(name, full(f"{name}-of"), *ports)]
        manifests += [vs(f"{name}-a", [name], says(418))] if own else []
        manifests += [vs(f"{name}-b", [f"{name}-of"], says(419))] if other else []
        asked = [Inside(host, 80, "pod") for host in (name, f"{name}.{HOME}", full(name))]
        yield Case(name, manifests, [*asked, Inside(full(name), 80, "pod", AWAY)])
    for ports, port in product(((), ((80, "http"),), ((8080, "http"),)), (80, 8080)):
        name, _ = fresh("extdest")
        manifests = [
            service(name, (80, "http"), (8080, "http-b")),
            alias(f"{name}-ext", full("web"), *ports),
            vs(name, [name], to(f"{name}-ext", port=80)),
        ]
        yield Case(name, manifests, [Inside(name, port, name)])


def _beside_the_registry() -> Iterator[Case]:
    """Hosts that no Service has."""
    for hosts, port in product((["{n}.org"], ["{n}.org", "{n}"], ["*.{n}.org"]), (80, 8080)):
        name, _ = fresh("beside")
        listed = [one.format(n=name) for one in hosts]
        manifests = [service(name, (80, "http"), (8080, "http-b")), vs(name, listed, says(418))]
        asked = [Inside(f"{name}.org", port, "pod"), Inside(f"x.{name}.org", port, "pod")]
        yield Case(name, manifests, asked)
    for listed in (["{n}.org"], ["*.{n}.org"]):
        name, _ = fresh("entry")
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
        name, _ = fresh("meshdest")
        manifests = [service(name, (80, "http"), (8080, "http-b")), vs(name, [name], to(written, port=port))]
        yield Case(name, manifests, [Inside(name, called, name)])


def _multi_port() -> Iterator[Case]:
    for match in (None, {"port": 80}, {"port": 9090}):
        name, _ = fresh("many")
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
    name, _ = fresh("wild")
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
        name, _ = fresh("plain")
        yield Case(
            name, [service(name, (port, label))], [Inside(name, port, name), Inside(full(name), port, name, AWAY)]
        )


FAMILIES = (
    _mesh_hosts,
    _mesh_exports,
    _mesh_gateways,
    _two_of_a_host,
    _senders,
    _tcp,
    _headless,
    _external_names,
    _beside_the_registry,
    _mesh_destinations,
    _multi_port,
    _wildcards,
    _no_routes,
)
