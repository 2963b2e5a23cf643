"""Hypothesis strategies: specs of any shape that the design allows, and requests that find their corners."""

from typing import Any

from hypothesis import strategies as st

Value = dict[str, Any]
LANES = ("gray", "blue", "canary")
SERVICES = ("cat", "mouse", "dog", "bird")
HEADERS = ("end-user", "x-team")
WORDS = ("alice", "alice2", "bob", "", "a.b")
PATHS = ("/", "/api", "/api/v1", "/apix", "/b")
METHODS = ("GET", "POST")
BAGGAGE = (
    "env=gray",
    "a=b, env=blue;ttl=5",
    "xenv=gray",
    "env = canary ,c=d",
    "env=grayer",
    "%65nv=gray",
    "a=b,env=bl%75e",
    "env=gray%3Bpropagation%3Dunlimited",
    "Env=gray,a",
    "a=b",
    "",
)
COOKIES = (
    "beta=alice",
    "team=bob; beta=a.b",
    "xbeta=alice; team=alice2",
    "beta=; team=b",
    "lane=gray",
    "beta=alice; lane=blue; team=bob",
    "lane=prod;beta=alice",
    "lane=gray2; xlane=gray",
)
# Of users, and of hostile clients: numbers that are no bucket, several of them, other forms of one.
BUCKETS = (
    *(f"bucket={number}" for number in (0, 1, 2, 3, 4, 9, 10, 49, 50, 99)),
    "bucket=0; bucket=99",
    "bucket=99;bucket=0",
    "a=b;  bucket=1 ; lane=none",
    "xbucket=1; bucket=4",
    "bucket=999",
    "bucket=100",
    "bucket=-1",
    "bucket=01",
    'bucket="1"',
    "bucket= 1",
    "bucket =1",
    "bucket=1,bucket=2",
    "bucket=",
    "bucket",
    "Bucket=1",
    "xbucket=1",
    "bucket=1.0; bucket=%31",
)
HOSTS = ("a.example.com", "b.example.com")


def strings() -> st.SearchStrategy[Any]:
    """A StringMatch of a spec."""
    words = st.sampled_from([word for word in WORDS if word])
    return st.one_of(
        words,
        words.map(lambda word: {"exact": word}),
        st.sampled_from(("a", "alice", "b")).map(lambda word: {"prefix": word}),
        st.sampled_from(("a.*", "alice[0-9]?", "(bob|alice)", ".*b")).map(lambda word: {"regex": word}),
        st.just({"present": True}),
    )


def matches() -> st.SearchStrategy[Value]:
    parts = {
        "headers": st.dictionaries(st.sampled_from(HEADERS), strings(), min_size=1, max_size=2),
        "cookies": st.dictionaries(st.sampled_from(("beta", "team")), strings(), min_size=1, max_size=2),
        "query": st.dictionaries(st.sampled_from(("q", "v")), strings(), min_size=1, max_size=1),
        "method": st.sampled_from(METHODS),
        "path": st.sampled_from(PATHS).map(lambda path: {"prefix": path}),
    }
    return st.sets(st.sampled_from(sorted(parts)), min_size=1, max_size=2).flatmap(
        lambda names: st.fixed_dictionaries({name: parts[name] for name in sorted(names)})
    )


def weights(names: list[str]) -> st.SearchStrategy[dict[str, int]]:
    return st.dictionaries(st.sampled_from(names), st.integers(0, 100), min_size=1, max_size=3).filter(
        lambda given: any(given.values())
    )


@st.composite
def services(draw: st.DrawFn, name: str, lanes: list[str], port: int) -> Value:
    versions = draw(st.lists(st.sampled_from(["prod", *lanes, "v9"]), min_size=1, max_size=4, unique=True))
    spec: Value = {
        "host": f"{name}-svc",
        "port": port,
        "versions": {version: {"labels": {"env": version}} for version in versions},
    }
    untagged = draw(st.sampled_from(("baseline", "default", "weights")))
    if untagged == "weights":
        spec["weights"] = draw(weights(versions))
    elif untagged == "default" or "prod" not in versions:
        spec["default"] = draw(st.sampled_from(versions))
    rules = st.fixed_dictionaries({"match": matches(), "weights": weights(versions)})
    spec["rules"] = draw(st.lists(rules, max_size=2))
    if draw(st.integers(0, 3)) == 0:
        spec["mirror"] = {"version": draw(st.sampled_from(versions)), "percent": draw(st.sampled_from((100, 12.5)))}
    spec["carries"] = draw(st.sampled_from(("both", "both", "header", "baggage", "none")))
    return spec


OUTSIDE = ("api.pay.example.com", "sandbox.pay.example.com", "test.pay.example.net", "mail.example.com")


@st.composite
def outside_services(draw: st.DrawFn, lanes: list[str], external: Value | None = None) -> Value:
    """A service outside the mesh: a host for each version, and maybe a name of its own."""
    versions = draw(st.lists(st.sampled_from(["prod", *lanes, "v9"]), min_size=1, max_size=3, unique=True))
    hosts = draw(st.permutations(OUTSIDE))
    spec: Value = {
        "host": draw(st.sampled_from((hosts[0], hosts[-1]))),
        "port": 80,
        "external": draw(st.sampled_from(({}, {"tls": "SIMPLE"}, {"port": 8443, "tls": "SIMPLE"})))
        if external is None
        else external,
        "versions": {version: {"host": host} for version, host in zip(versions, hosts, strict=False)},
    }
    if len(versions) > 1 and (draw(st.booleans()) or "prod" not in versions):
        spec |= draw(st.sampled_from(({"default": versions[0]}, {"weights": {versions[0]: 3, versions[1]: 1}})))
    rules = st.fixed_dictionaries({"match": matches(), "weights": weights(versions)})
    spec["rules"] = draw(st.lists(rules, max_size=1))
    return spec


@st.composite
def outside_specs(draw: st.DrawFn, external: Value | None = None) -> Value:
    """A random spec that has a service outside the mesh too, which its entries may lead to."""
    value: Value = draw(specs())
    spec = value["spec"]
    spec["services"]["pay"] = draw(outside_services(sorted(spec["lanes"].keys() - {"prod"}), external))
    for entry in spec["entries"]:
        if draw(st.booleans()):
            entry["routes"].insert(0, {"service": "pay", "path": {"prefix": "/api"}})
    return value


@st.composite
def lane_specs(draw: st.DrawFn, names: list[str], found: dict[str, Value]) -> Value:
    lanes: Value = {"prod": {}}
    for name in names:
        lane: Value = {"mode": draw(st.sampled_from(("permissive", "permissive", "strict")))}
        if draw(st.booleans()):
            service = draw(st.sampled_from(sorted(found)))
            lane["versions"] = {service: draw(st.sampled_from(sorted(found[service]["versions"])))}
        lanes[name] = lane
    return lanes


def sticky(lanes: list[str]) -> st.SearchStrategy[Value]:
    order = st.lists(st.sampled_from(["prod", *lanes]), max_size=2, unique=True)
    sizes = st.sampled_from((2, 5, 10, 100))
    return st.fixed_dictionaries({"cookie": st.just("bucket"), "buckets": sizes}, optional={"order": order})


@st.composite
def entries(draw: st.DrawFn, host: str, lanes: list[str], names: list[str]) -> Value:
    paths = st.sampled_from(PATHS).flatmap(lambda path: st.sampled_from(({"prefix": path}, {"exact": path})))
    route = st.fixed_dictionaries({"service": st.sampled_from(names)}, optional={"path": paths})
    routes = draw(st.lists(route, min_size=1, max_size=3))
    spec: Value = {
        "hosts": [host],
        "gateway": {"selector": {"istio": "ingressgateway"}, "port": 80},
        "tag": draw(st.sampled_from(("trusted", "untrusted"))),
        "baggage": draw(st.sampled_from(("replace", "replace", "keep"))),
        "routes": routes,
    }
    if draw(st.integers(0, 2)) == 0:
        spec["cookie"] = "lane"
        spec |= draw(st.sampled_from(({}, {"links": "/.lane"})))
    if draw(st.integers(0, 3)) == 0:
        spec["laneHosts"] = f"{{lane}}.{host}"
    admit = st.fixed_dictionaries({"lane": st.sampled_from(["prod", *lanes]), "match": matches()})
    spec["admit"] = draw(st.lists(admit, max_size=2))
    if draw(st.booleans()):
        spec["split"] = draw(weights(["prod", *lanes]))
    if draw(st.integers(0, 2)):
        spec["sticky"] = draw(sticky(lanes))
    return spec


@st.composite
def specs(draw: st.DrawFn, *, namespace: str = "demo", baggage: bool = True) -> Value:
    """The value of a `kind: LaneGroup` document; a few are refused (a split into a strict lane that has a hole, or one
    with more shares than sticky keeps apart)."""
    lanes = draw(st.lists(st.sampled_from(LANES), max_size=3, unique=True))
    names = draw(st.lists(st.sampled_from(SERVICES), min_size=1, max_size=4, unique=True))
    found = {name: draw(services(name, lanes, 9001)) for name in names}
    hosts = draw(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2, unique=True))
    return {
        "apiVersion": "graylane/v1",
        "kind": "LaneGroup",
        "metadata": {"name": "random", "namespace": namespace},
        "spec": {
            "tag": {"header": "env", "default": "prod", "baggage": baggage and draw(st.booleans())},
            "trail": draw(st.booleans()),
            **draw(st.sampled_from(({}, {}, {"drift": "report"}, {"limits": {"previews": 3}}))),
            "lanes": draw(lane_specs(lanes, found)),
            "services": found,
            "entries": [draw(entries(host, lanes, names)) for host in hosts],
        },
    }


Asked = tuple[str, str, str, tuple[tuple[str, str], ...]]


@st.composite
def asked(draw: st.DrawFn, hosts: tuple[str, ...] = HOSTS) -> Asked:
    """One request: host, method, path with its query, and headers, some of them twice."""
    tags = st.sampled_from(("gray", "blue", "canary", "prod", "daily", "gray,prod", "Gray"))
    baggage = st.sampled_from(BAGGAGE)
    cookies = st.sampled_from(COOKIES + BUCKETS)
    header = st.one_of(
        st.tuples(st.just("env"), tags),
        st.tuples(st.just("env"), tags),
        st.tuples(st.sampled_from(HEADERS), st.sampled_from(WORDS)),
        st.tuples(st.just("baggage"), baggage),
    )
    headers = draw(st.lists(header, max_size=4)) + [("cookie", one) for one in draw(st.lists(cookies, max_size=1))]
    query = draw(st.sampled_from(("", "?q=alice", "?v=bob&q=a.b", "?qq=alice", "?q=")))
    path = draw(st.sampled_from((*PATHS, "/api/v1/x", "/c", "/.lane/gray", "/.lane/prod", "/.lane/gray/x")))
    lane_hosts = [f"{lane}.{host}" for host in hosts for lane in ("gray", "prod")]
    return (
        draw(st.sampled_from((*hosts, *hosts, *hosts, *lane_hosts))),
        draw(st.sampled_from(METHODS)),
        path + query,
        tuple(headers),
    )
