"""Hypothesis strategies: meshes as people write them by hand, with what a spec can say beside what it cannot."""

from typing import Any

from hypothesis import strategies as st

Manifest = dict[str, Any]
API = "networking.istio.io/v1"
SERVICES = ("web", "cart", "reviews", "ratings")
SPACES = ("shop", "shop", "shop", "back")
VERSIONS = ("v1", "v2", "v3")
TAGS = ("env", "x-version")
HEADERS = (*TAGS, "end-user", "cookie")
VALUES = ("v2", "v3", "gray", "canary", "jason")
PATHS = ("/", "/api", "/api/v1", "/cart", "/static/x")


def manifest(kind: str, name: str, namespace: str, spec: Any, api: str = API) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def one_in(draw: st.DrawFn, number: int) -> bool:
    """True once in so many draws; `integers` would draw its bounds more often."""
    return draw(st.sampled_from(range(number))) == number - 1


def strings() -> st.SearchStrategy[Manifest]:
    return st.one_of(
        st.sampled_from(VALUES).map(lambda one: {"exact": one}),
        st.sampled_from(VALUES).map(lambda one: {"exact": one}),
        st.sampled_from(("v", "gr", "j")).map(lambda one: {"prefix": one}),
        st.sampled_from(("v[0-9]+", "gray|canary", "^j.*$", ".*=1(;.*)?")).map(lambda one: {"regex": one}),
        st.just({}),
    )


def uris() -> st.SearchStrategy[Manifest]:
    return st.one_of(
        st.sampled_from(PATHS).map(lambda one: {"prefix": one}),
        st.sampled_from(PATHS).map(lambda one: {"exact": one}),
        st.sampled_from(("/api/v[0-9]+/.*", "/(cart|basket)", ".*")).map(lambda one: {"regex": one}),
    )


@st.composite
def matches(draw: st.DrawFn, tag: str, *, path: bool) -> Manifest:
    """A match: most ask for the tag alone, some for more, and a few for what a spec has no field for."""
    if not path and not one_in(draw, 4):
        return {"headers": {tag: {"exact": draw(st.sampled_from(VALUES))}}}
    found: Manifest = {}
    if path:
        found["uri"] = draw(uris())
    if draw(st.booleans()):
        found["headers"] = {draw(st.sampled_from((tag, *HEADERS))): draw(strings())}
    odd = {
        "method": st.sampled_from(("GET", "POST")).map(lambda one: {"exact": one}),
        "queryParams": st.just({"debug": {"exact": "1"}}),
        "withoutHeaders": st.just({"x-bot": {}}),
        "sourceLabels": st.just({"app": "web"}),
        "sourceNamespace": st.just("back"),
        "ignoreUriCase": st.just(True),
        "port": st.just(80),
        "authority": st.just({"prefix": "shop"}),
    }
    if one_in(draw, 5):
        name = draw(st.sampled_from(sorted(odd)))
        found[name] = draw(odd[name])
    return found or {"headers": {tag: {"exact": draw(st.sampled_from(VALUES))}}}


@st.composite
def destinations(draw: st.DrawFn, host: str, *, port: bool) -> list[Manifest]:
    def one(subset: str) -> Manifest:
        made: Manifest = {"host": host, **({"subset": subset} if subset else {})}
        return {**made, "port": {"number": 8080}} if port else made

    subsets = draw(st.lists(st.sampled_from((*VERSIONS, "v1", "")), min_size=1, max_size=2, unique=True))
    if len(subsets) == 1:
        return [{"destination": one(subsets[0])}]
    return [{"destination": one(each), "weight": weight} for each, weight in zip(subsets, (90, 10), strict=True)]


POLICIES: tuple[Manifest, ...] = (
    {},
    {},
    {},
    {"timeout": "5s"},
    {"retries": {"attempts": 3, "perTryTimeout": "2s"}},
    {"fault": {"abort": {"httpStatus": 503, "percentage": {"value": 50}}}},
    {"fault": {"delay": {"fixedDelay": "1s", "percentage": {"value": 10}}}},
    {"mirror": {"host": "cart", "subset": "v2"}, "mirrorPercentage": {"value": 5}},
    {"headers": {"request": {"set": {"x-from": "istio"}}}},
)


@st.composite
def routes(draw: st.DrawFn, host: str, tag: str, *, paths: bool, port: bool, policy: Manifest) -> list[Manifest]:
    """The routes of one Service: some with matches, then mostly one for all other requests."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        match = draw(st.lists(matches(tag, path=paths and draw(st.booleans())), min_size=1, max_size=2))
        found.append({"match": match, "route": draw(destinations(host, port=port)), **policy})
    if one_in(draw, 10):
        found.append({"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/new"}})
    if not one_in(draw, 10):
        found.append({"route": draw(destinations(host, port=port)), **policy})
    return found or [{"route": draw(destinations(host, port=port))}]


@st.composite
def meshes(draw: st.DrawFn) -> list[Manifest]:
    """The manifests of one mesh: Services, Deployments (or none), DestinationRules, Gateways, VirtualServices."""
    tag, found = draw(st.sampled_from(TAGS)), []
    spaces = {name: draw(st.sampled_from(SPACES)) for name in SERVICES}
    names = draw(st.lists(st.sampled_from(SERVICES), min_size=1, max_size=4, unique=True))
    with_services, with_workloads = not one_in(draw, 12), draw(st.booleans())
    for name in names:
        found += draw(surroundings(name, spaces[name], services=with_services, workloads=with_workloads))
        if not one_in(draw, 4):
            found += draw(between(name, spaces[name], tag))
    found.append(gateway("edge", draw(st.sampled_from((["*"], ["shop.example.com"], ["*.example.com", "shop.org"])))))
    for number in range(draw(st.integers(0, 2))):
        found += draw(entering(f"entry-{number}", names, spaces, tag))
    return found


def gateway(name: str, hosts: list[str]) -> Manifest:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts}
    return manifest("Gateway", name, "shop", {"selector": {"istio": "ingressgateway"}, "servers": [server]})


@st.composite
def surroundings(draw: st.DrawFn, name: str, space: str, *, services: bool, workloads: bool) -> list[Manifest]:
    found = []
    if services:
        ports = [{"port": 8080, "name": "http"}, *([{"port": 9000, "name": "tcp"}] if draw(st.booleans()) else [])]
        found.append(manifest("Service", name, space, {"selector": {"app": name}, "ports": ports}, "v1"))
    for version in VERSIONS[: draw(st.integers(1, 3))] if workloads else ():
        labels = {"metadata": {"labels": {"app": name, "version": version}}}
        found.append(manifest("Deployment", f"{name}-{version}", space, {"template": labels}, "apps/v1"))
    subsets = [{"name": one, "labels": {"version": one}} for one in VERSIONS]
    spec: Manifest = {"host": name, "subsets": subsets[: draw(st.sampled_from((2, 3, 3, 3)))]}
    odd = draw(st.sampled_from(range(24)))
    if odd == 0:
        spec["exportTo"] = ["."]
    elif odd == 1:
        subsets[0]["trafficPolicy"] = {"loadBalancer": {"simple": "RANDOM"}}
    elif odd < 4:
        spec["trafficPolicy"] = {"connectionPool": {"http": {"idleTimeout": "5s"}}}
    if not one_in(draw, 6):
        found.append(manifest("DestinationRule", f"{name}-rule", space, spec))
    if one_in(draw, 10):
        wide = {"host": f"*.{space}.svc.cluster.local", "trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}}
        found.append(manifest("DestinationRule", f"wide-{name}", space, wide))
    return found


@st.composite
def between(draw: st.DrawFn, name: str, space: str, tag: str) -> list[Manifest]:
    """One VirtualService of a Service in the mesh, or two, of which one does not count."""
    policy = draw(st.sampled_from(POLICIES))
    host = draw(st.sampled_from((*(name,) * 4, *(f"{name}.{space}.svc.cluster.local",) * 4, f"{name}.{space}")))
    port = draw(st.booleans())
    target = name if "." not in host else f"{name}.{space}.svc.cluster.local"
    spec: Manifest = {"hosts": [host], "http": draw(routes(target, tag, paths=False, port=port, policy=policy))}
    odd = draw(st.sampled_from(range(40)))
    if odd == 0:
        spec["exportTo"] = ["."]
    elif odd == 1:
        spec["tcp"] = [
            {"match": [{"port": 9000}], "route": [{"destination": {"host": target, "port": {"number": 9000}}}]}
        ]
    elif odd == 2:
        spec["hosts"] = [f"*.{space}.svc.cluster.local"]
    elif odd == 3 and len(spec["http"]) > 1:
        spec["http"][-1] = {**spec["http"][-1], "timeout": "9s"}
    found = [manifest("VirtualService", draw(st.sampled_from((name, f"{name}-routes"))), space, spec)]
    if odd == 4:
        found.append(
            manifest(
                "VirtualService",
                f"zz-{name}",
                space,
                {"hosts": [name], "http": [{"route": draw(destinations(name, port=port))}]},
            )
        )
    return found


@st.composite
def entering(draw: st.DrawFn, name: str, names: list[str], spaces: dict[str, str], tag: str) -> list[Manifest]:
    """A VirtualService at the Gateway: paths, headers and weights, sometimes with a delegate or for the mesh too."""
    found: list[Manifest] = []
    http: list[Manifest] = []
    for service in draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)):
        host = f"{service}.{spaces[service]}.svc.cluster.local"
        path, port = draw(st.one_of(st.none(), uris())), not one_in(draw, 4)
        rewrite = {"rewrite": {"uri": "/"}} if path and "prefix" in path and draw(st.booleans()) else {}
        policy = draw(st.sampled_from(POLICIES))
        for _ in range(draw(st.integers(0, 2))):
            match = {**draw(matches(tag, path=False)), **({"uri": path} if path else {})}
            http.append({"match": [match], "route": draw(destinations(host, port=port)), **rewrite, **policy})
        whole = {"match": [{"uri": path}]} if path else {}
        if one_in(draw, 10):
            found.append(
                manifest(
                    "VirtualService",
                    f"{name}-{service}",
                    "shop",
                    {"http": [{"route": draw(destinations(host, port=port))}]},
                )
            )
            http.append({**whole, "delegate": {"name": f"{name}-{service}"}})
        else:
            http.append({**whole, "route": draw(destinations(host, port=port)), **rewrite, **policy})
    hosts = draw(st.sampled_from((["shop.example.com"], ["*"], ["*.example.com"], ["shop.org", "shop.example.com"])))
    gateways = draw(st.sampled_from((["edge"], ["edge"], ["shop/edge"], ["edge", "mesh"], ["nowhere"])))
    return [*found, manifest("VirtualService", name, "shop", {"hosts": hosts, "gateways": gateways, "http": http})]
