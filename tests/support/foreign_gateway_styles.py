"""Cases for `foreign_styles` in which a request comes to the ingress gateway."""

from collections.abc import Iterator
from itertools import product

from foreign_manifests import (
    AWAY,
    DOMAIN,
    HOME,
    JASON,
    V2,
    Case,
    Inside,
    Manifest,
    Outside,
    alias,
    fresh,
    full,
    gw,
    rule,
    says,
    service,
    stream,
    to,
    vs,
)


def _gateway_ports() -> Iterator[Case]:
    """A Gateway on any port, bound by any of its names; called with the port in the authority."""
    for style in ("{n}", f"{HOME}/{{n}}", "./{n}", f"{{n}}.{HOME}.{DOMAIN}"):
        for offset in (0, 80, 8080):
            name, own = fresh("port")
            port, host = offset or own, f"{name}.explain.test"
            route = vs(name, [host], to("web", "v2", V2), to("web", "v1"), gateways=[style.format(n=name)])
            yield Case(name, [gw(name, port, [host]), route], [Outside(host, port), Outside(host, port, "/a", JASON)])


def _served_hosts() -> Iterator[Case]:
    """The hosts of a server, with namespaces and without."""
    for style in ("{h}", "*", "*.explain.test", f"{HOME}/{{h}}", "./{h}", "*/{h}", f"{AWAY}/{{h}}", "other.org", "{H}"):
        for namespace in (HOME, AWAY):
            name, port = fresh("served")
            host = f"{name}.explain.test"
            served = style.format(h=host, H=host.title())
            route = vs(name, [host], to(full("web"), "v1"), gateways=[f"{HOME}/{name}"], namespace=namespace)
            yield Case(name, [gw(name, port, [served]), route], [Outside(host, port), Outside(f"x.{host}", port)])


def _hosts_at_gateways() -> Iterator[Case]:
    """Several VirtualServices of one Gateway: a named host before wildcards; those of one host merged."""
    first, second = {"uri": {"prefix": "/one"}}, {"uri": {"prefix": "/two"}}
    pairs = [("{h}", "{h}"), ("{h}", "*"), ("*", "{h}"), ("*.test", "*.explain.test"), ("{h}", "*.explain.test")]
    for (one, other), last in product(pairs, (True, False)):
        name, port = fresh("merged")
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
        name, port = fresh("bound")
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
    subs: list[Manifest | None] = [{"uri": {"prefix": "/x/y"}}, {"uri": {"prefix": "/z"}}, V2, None]
    for root, sub in product(roots, subs):
        name, port = fresh("deleg")
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
        name, port = fresh("deleg")
        named = {key: value.format(n=name) for key, value in extra.items()}
        hidden = vs(f"{name}-sub", [], says(299), namespace=AWAY, exportTo=["."])
        root = vs(
            name,
            [f"{name}.explain.test"],
            {"delegate": named},
            says(418, {"uri": {"prefix": "/a"}}),
            gateways=[name],
        )
        yield Case(name, [gw(name, port, ["*"]), root, hidden], [Outside(f"{name}.explain.test", port, "/a")])


def _exported_to_gateways() -> Iterator[Case]:
    for export_to in (["."], ["*"], ["istio-system"], [AWAY], [AWAY, "istio-system"], [HOME]):
        name, port = fresh("export")
        host = f"{name}.explain.test"
        route = vs(name, [host], to("web", "v1"), gateways=[name], exportTo=export_to)
        yield Case(name, [gw(name, port, [host]), route], [Outside(host, port)])


def _destinations() -> Iterator[Case]:
    """How people write a destination: short, half, in full; with its port and without; through an ExternalName."""
    for written, port, subset in product(
        ("web", f"web.{HOME}", f"web.{HOME}.svc", full("web")), (None, 80, 81), ("", "v2", "v9")
    ):
        name, own = fresh("dest")
        host = f"{name}.explain.test"
        yield Case(
            name,
            [gw(name, own, [host]), vs(name, [host], to(written, subset, port=port), gateways=[name])],
            [Outside(host, own)],
        )
    for target, ports in product((full("web"), "example.org", "loop"), ((), ((80, "http"),), ((8080, "http"),))):
        name, own = fresh("destext")
        host, behind = f"{name}.explain.test", full(f"{name}-2") if target == "loop" else target
        manifests = [gw(name, own, [host]), alias(f"{name}-1", behind, *ports), alias(f"{name}-2", full("web"), *ports)]
        for number, port in ((1, 80), (2, None)):
            path = {"uri": {"prefix": f"/{number}"}}
            manifests.append(vs(f"{name}-{number}", [host], to(f"{name}-1", "", path, port=port), gateways=[name]))
        yield Case(name, manifests, [Outside(host, own, "/1"), Outside(host, own, "/2")])
    for port in (80, 8080, None):
        name, own = fresh("destmany")
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
        name, port = fresh("match")
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
        name, port = fresh("answer")
        host = f"{name}.explain.test"
        yield Case(
            name, [gw(name, port, [host]), vs(name, [host], route, gateways=[name])], [Outside(host, port, "/a/c")]
        )
    name, port = fresh("tohttps")
    host = f"{name}.explain.test"
    server = gw(name, port, [host], tls={"httpsRedirect": True})
    yield Case(name, [server, vs(name, [host], to("web", "v1"), gateways=[name])], [Outside(host, port, "/a")])


def _tcp_gateways() -> Iterator[Case]:
    """A server that reads no HTTP."""
    weighted = {"route": [{**stream(one)["route"][0], "weight": part} for one, part in (("v1", 50), ("v2", 50))]}
    for route in ("{p}", "1", "", "weights", "http"):
        name, port = fresh("tcpgw")
        number: Manifest = {"port": port} if route == "{p}" else {"port": 1} if route == "1" else {}
        tcp = weighted if route == "weights" else stream("v2", **number)
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
        name, port = fresh("rule")
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
        name, port = fresh("rule")
        yield Case(
            name,
            [
                service(name, (80, "http")),
                rule(name, name, "v2", exportTo=export_to),
                vs(name, [name], to(name, "v2")),
            ],
            [Inside(full(name), 80, name), Inside(full(name), 80, name, AWAY)],
        )


FAMILIES = (
    _gateway_ports,
    _served_hosts,
    _hosts_at_gateways,
    _gateway_names,
    _delegates,
    _exported_to_gateways,
    _destinations,
    _matches,
    _answers,
    _tcp_gateways,
    _rules,
)
