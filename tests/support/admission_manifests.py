"""Manifests of Istio's kinds, made by a seeded generator: valid ones of several styles, with some random changes.

A change sets, drops, renames, retypes, repeats or moves one field. Values come from pools of what people write in a
field of that name, right and wrong, so that about a third of the manifests is refused, for reasons of all kinds.
"""

import copy
import random
from collections.abc import Iterator
from typing import Any

import yaml

from meshconfig.admission.schema import Array, Map, Node, Object, Scalar, table

Manifest = dict[str, Any]

# Styles of other people: several fields at once that go with each other.
STYLES = """
kind: VirtualService
spec:
  hosts: [cat.demo.svc.cluster.local]
  http:
  - name: gray
    match: [{headers: {env: {exact: gray}}, uri: {prefix: /api}}, {queryParams: {lane: {regex: "g.*"}}}]
    route: [{destination: {host: cat.demo.svc.cluster.local, subset: gray, port: {number: 80}}}]
    timeout: 5s
    retries: {attempts: 3, perTryTimeout: 2s, retryOn: "5xx,connect-failure"}
  - route:
    - {destination: {host: cat.demo.svc.cluster.local, subset: v1}, weight: 90}
    - {destination: {host: cat.demo.svc.cluster.local, subset: v2}, weight: 10, headers: {request: {set: {env: "v2"}}}}
---
kind: VirtualService
spec:
  hosts: [shop.example.com, "*.shop.example.org"]
  gateways: [ingress/public, mesh]
  exportTo: ["."]
  http:
  - match: [{uri: {exact: /old}, method: {exact: GET}, port: 443, gateways: [ingress/public]}]
    redirect: {uri: /new, authority: shop.example.com, redirectCode: 302}
  - match: [{uri: {prefix: /down}, sourceLabels: {app: web}, withoutHeaders: {x: {regex: "*"}}}]
    directResponse: {status: 503, body: {string: "later"}}
  - match: [{uri: {prefix: /v1/}, authority: {exact: shop.example.com}, scheme: {exact: https}}]
    rewrite: {uri: /, authority: inner.example.com}
    fault: {delay: {fixedDelay: 2s, percentage: {value: 10}}, abort: {httpStatus: 500, percentage: {value: 0.5}}}
    corsPolicy: {allowOrigins: [{exact: https://a.example.com}], allowMethods: [GET], allowHeaders: [x-a], maxAge: 24h}
    mirrors: [{destination: {host: copy}, percentage: {value: 5}}]
    headers: {request: {set: {x-a: "%REQ(x-b)%"}, remove: [x-c]}, response: {add: {server: mesh}}}
    route: [{destination: {host: shop}}]
---
kind: VirtualService
spec:
  hosts: [shop.example.com]
  gateways: [public]
  http:
  - match: [{uri: {prefix: /cart}, headers: {"@request.auth.claims.group": {exact: beta}}}]
    delegate: {name: cart, namespace: cart}
  - route: [{destination: {host: shop, port: {number: 8080}}}]
    mirror: {host: copy, subset: v2}
    mirrorPercentage: {value: 12.5}
---
kind: VirtualService
spec:
  http:
  - match: [{uri: {regex: "/cart/[0-9]+"}, ignoreUriCase: true}]
    rewrite: {uriRegexRewrite: {match: "^/cart/(.*)$", rewrite: '/\\1'}}
    route: [{destination: {host: cart}}]
---
kind: VirtualService
spec:
  hosts: [db.example.com, "*.db.example.com"]
  gateways: [mesh, public]
  tls:
  - match: [{sniHosts: [db.example.com], port: 443, destinationSubnets: [10.0.0.0/8], sourceLabels: {app: web}}]
    route: [{destination: {host: db, port: {number: 443}}, weight: 70}, {destination: {host: db2}, weight: 30}]
  tcp:
  - match: [{port: 5432, gateways: [mesh], sourceNamespace: web}]
    route: [{destination: {host: db}}]
---
kind: DestinationRule
spec:
  host: cat.demo.svc.cluster.local
  exportTo: ["*"]
  trafficPolicy:
    loadBalancer:
      simple: LEAST_REQUEST
      localityLbSetting: {enabled: true, failover: [{from: us-east, to: us-west}], failoverPriority: [version]}
      warmup: {duration: 30s, minimumPercent: 10, aggression: 1.5}
    connectionPool:
      tcp: {maxConnections: 9, connectTimeout: 9ms, tcpKeepalive: {time: 2h, interval: 9s, probes: 3}, idleTimeout: 0s}
      http: {http2MaxRequests: 1000, maxRequestsPerConnection: 10, idleTimeout: 1h, h2UpgradePolicy: UPGRADE}
    outlierDetection: {consecutive5xxErrors: 7, interval: 5m, baseEjectionTime: 15m, maxEjectionPercent: 50}
    tls: {mode: ISTIO_MUTUAL}
  subsets:
  - {name: v1, labels: {version: v1}}
  - name: v2
    labels: {version: v2, app.kubernetes.io/name: cat}
    trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 0s}, maglev: {tableSize: 65537}}}}
---
kind: DestinationRule
spec:
  host: "*.example.com"
  workloadSelector: {matchLabels: {app: web}}
  trafficPolicy:
    portLevelSettings:
    - port: {number: 443}
      tls: {mode: SIMPLE, sni: shop.example.com, caCertificates: /etc/ca.pem, subjectAltNames: [shop.example.com]}
    - port: {number: 80}
      connectionPool: {http: {http2KeepAlive: {interval: 10s, timeout: 5s}, useClientProtocol: true}}
      loadBalancer: {consistentHash: {httpHeaderName: x-user, ringHash: {minimumRingSize: 1024}}}
    retryBudget: {percent: 25, minRetryConcurrency: 5, budgetInterval: 10s}
---
kind: DestinationRule
spec:
  host: proxy
  trafficPolicy:
    tunnel: {protocol: CONNECT, targetHost: db.example.com, targetPort: 5432}
    loadBalancer:
      localityLbSetting: {distribute: [{from: us-east/a/*, to: {us-east/a/*: 80, us-east/b/*: 20}}]}
    outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 5, minHealthPercent: 30}
    tls: {mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem}
---
kind: DestinationRule
spec:
  host: ratings
  trafficPolicy:
    loadBalancer: {simple: RANDOM, zoneAwareLbSetting: {enabled: true, failover: [{from: a, to: b}], minClusterSize: 3}}
    proxyProtocol: {version: V2}
    tls: {mode: SIMPLE, credentialName: ratings, insecureSkipVerify: false}
---
kind: Gateway
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
    tls: {httpsRedirect: true}
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [shop.example.com, "./*.example.org"]
    tls: {mode: SIMPLE, credentialName: shop, minProtocolVersion: TLSV1_2}
  - port: {number: 15443, name: tls, protocol: TLS}
    hosts: ["*.local"]
    tls: {mode: AUTO_PASSTHROUGH}
---
kind: Gateway
spec:
  servers:
  - port: {number: 9443, name: mtls, protocol: https}
    bind: 10.0.0.1
    name: inner
    hosts: [ns1/shop.example.com]
    tls: {mode: MUTUAL, serverCertificate: /c.pem, privateKey: /k.pem, caCertificates: /ca.pem, subjectAltNames: [a]}
  - port: {number: 31400, name: tcp, protocol: TCP}
    hosts: ["*"]
  - port: {number: 8443, name: two, protocol: HTTPS}
    hosts: [a.example.com]
    tls: {mode: OPTIONAL_MUTUAL, credentialNames: [one, two], maxProtocolVersion: TLSV1_3, cipherSuites: [ALL]}
---
kind: ServiceEntry
spec:
  hosts: [db.example.com]
  addresses: [10.1.0.0/16, 10.2.3.4]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 443, name: tls, protocol: TLS}, {number: 80, name: http, protocol: HTTP, targetPort: 8080}]
  endpoints: [{address: 10.0.0.1, ports: {http: 8080}, labels: {app: db}, locality: us/a, weight: 2}]
  exportTo: [".", other]
---
kind: ServiceEntry
spec:
  hosts: [api.example.com, www.example.com]
  resolution: DNS
  ports: [{number: 443, name: https, protocol: HTTPS}]
  endpoints: [{address: eu.example.com}]
---
kind: ServiceEntry
spec:
  hosts: [vm.demo.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: vm}}
---
kind: Sidecar
spec:
  workloadSelector: {labels: {app: web}}
  ingress:
  - port: {number: 9080, protocol: HTTP, name: http}
    defaultEndpoint: 127.0.0.1:8080
  - port: {number: 9443, protocol: HTTPS, name: https}
    defaultEndpoint: unix:///var/run/web.sock
    tls: {mode: SIMPLE, privateKey: /k.pem, serverCertificate: /c.pem}
  egress:
  - port: {number: 3306, protocol: MYSQL, name: mysql}
    captureMode: NONE
    bind: 127.0.0.1
    hosts: ["*/mysql.example.com"]
  - hosts: ["./*", "istio-system/*", "~bad/*"]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  inboundConnectionPool: {http: {http1MaxPendingRequests: 10}}
"""

_HOSTS = ["cat", "cat.demo", "cat.demo.svc.cluster.local", "shop.example.com", "*.example.com", "*", "db.example.com"]
_BAD_HOSTS = [
    "",
    "a_b.example.com",
    "x..y",
    "10.0.0.1",
    "2001:db8::1",
    "*foo.example.com",
    "*-foo.com",
    "a.*.com",
    "1.2",
]
_TEXT = [
    "a",
    "x-user",
    "v1",
    "A-b",
    "",
    "a b",
    "a.b",
    "*",
    "é",
    "x" * 64,
    "5xx",
    "GET",
    "http",
    "%REQ(a)%",
    "50%",
    "/x",
]
_DURATIONS = ["1s", "500ms", "1h30m", "2.5s", "0s", "1.5ms", "10us", "-1s", "abc", "5", "", "+3s", "1d"]
_REGEXES = ["g.*", "[a-z]+", "*", "", "(?=x)", "a{1001}", "[", "x" * 1025, r"\d+"]
_NUMBERS = [0, 1, 2, 5, 80, 99, 100, 101, 443, 65535, 65536, -1, 200, 302, 404, 599, 600, 601, 2**31, 2**32]
_FLOATS = [0, 0.00001, 0.5, 1, 50, 99.9, 100, 100.5, -0.1]
_LABELS = [{"app": "web"}, {"a/b": "c"}, {"a b": "c"}, {"a": "c d"}, {"": "x"}, {"A/b": "x*"}, {"x" * 64: "y"}, {}]
_LOCALITIES = ["us-east", "us-east/a", "us-east/a/*", "us-west/*", "*", "us//a", "us-*-1", "eu"]
_POOLS: dict[str, list[Any]] = {
    "host": _HOSTS * 2 + _BAD_HOSTS,
    "hosts": [*_HOSTS * 2, *_BAD_HOSTS, "./*", "ns/shop.example.com", "*/*", "/x", "ns/", "NS_/a.b", "~/a.b"],
    "sniHosts": [*_HOSTS * 2, *_BAD_HOSTS, "outbound_.80_._.cat.demo", "outbound_x"],
    "targetHost": [*_HOSTS, "10.0.0.1", "a_b"],
    "authority": ["", "inner.example.com"],
    "gateways": [
        "public",
        "ingress/public",
        "mesh",
        "public.ingress.svc.cluster.local",
        "a/b/c",
        "/b",
        "a/",
        "A_b",
        "*",
    ],
    "exportTo": [".", "*", "demo", "other", "~", "A_b", "", "default"],
    "subset": ["v1", "v1.2", "", "V2", "-x"],
    "regex": _REGEXES,
    "match": ["^/a/(.*)$", "", "("],
    "retryOn": ["5xx", "5xx,reset", "5xx, reset", "503", "999", "unavailable", "gateway-error,retriable-4xx"],
    "grpcStatus": ["UNAVAILABLE", "NOT_FOUND", "unavailable", "14", ""],
    "allowMethods": ["GET", "get", "*", "TRACE", "FOO"],
    "allowHeaders": ["x-a", "*", "x y", ""],
    "exposeHeaders": ["x-a", "*", "x y", ""],
    "protocol": ["HTTP", "HTTPS", "TLS", "TCP", "http2", "GRPC-WEB", "MONGO", "UDP", "QUIC", "", "CONNECT", "POST"],
    "bind": ["10.0.0.1", "::", "unix:///a/b", "unix://@a", "unix://a", "unix:///a/", "x", ""],
    "name": ["v1", "http", "a.b", "A", "x_y", ""],
    "scheme": ["http", "https", "ftp", ""],
    "tableSize": [0, 2, 4, 65537, 65536, 5000011, 999983],
    "credentialName": ["shop", "", "configmap://demo/x", "configmap://other/x", "configmap://x"],
    "destinationSubnets": ["10.0.0.0/8", "10.0.0.1", "10.0.0.0/33", "::/0", "x", "10.0.0.0/08", "1.2.3.4/5/6"],
    "addresses": ["10.0.0.0/8", "10.0.0.1", "::1", "x", "10.0.0.0/40"],
    "address": ["10.0.0.1", "eu.example.com", "a_b", "unix:///a/b", ""],
    "from": _LOCALITIES,
    "to": _LOCALITIES,
    "failoverPriority": ["version", "topology.kubernetes.io/region", "topology.istio.io/subzone", "env=gray"],
    "sourceNamespace": ["web", "A_b", "*", ""],
    "defaultEndpoint": [
        "127.0.0.1:80",
        "[::1]:80",
        ":80",
        "x:80",
        "127.0.0.1",
        "127.0.0.1:x",
        "unix:///a",
        "0.0.0.0:70000",
    ],
    "bytes": ["", "YWI=", "YWI", "!!"],
}
_KEYS: dict[str, list[str]] = {
    "headers": ["x-user", "env", ":path", "x y", "", "@request.auth.claims.group", "@request.auth.claims", "X_A"],
    "set": ["x-user", "host", ":authority", ":path", "Host", ""],
    "to": _LOCALITIES,
    "ports": ["http", "x", "a_b"],
}
_KEYS["withoutHeaders"], _KEYS["add"] = _KEYS["headers"], _KEYS["set"]

# Metadata of which `istioctl validate` says nothing. The name is `made` where it is not given.
METADATA: list[Manifest] = [
    {},
    {"name": "a.b-c"},
    {"name": "A"},
    {"name": "a_b"},
    {"name": "a..b"},
    {"name": "a" * 253},
    {"name": "a" * 254},
    {"name": ""},
    {"name": None},
    {"name": None, "generateName": "made-"},
    {"name": 5},
    {"names": "a"},
    {"labels": {"a": "b", "example.com/c": ""}},
    {"labels": {"a": 1}},
    {"labels": {"a": None}},
    {"labels": {"a b": "c"}},
    {"labels": {"A.b/c": "d"}},
    {"labels": {"a.b/C_d": "e"}},
    {"labels": {"a": "b c"}},
    {"labels": {"a": "b" * 64}},
    {"labels": ["a"]},
    {"annotations": {"A.b/C": "any text, of any length"}},
    {"annotations": {"a b": "c"}},
    {"annotations": {"a": True}},
    {"annotations": {"a/b/c": "d"}},
    {"finalizers": ["a/b"]},
    {"finalizers": "a"},
    {"generation": "1"},
    {"clusterName": "a"},
]


def styles() -> list[Manifest]:
    """The valid manifests that the generator begins with."""
    return [{"apiVersion": "networking.istio.io/v1", **one} for one in yaml.safe_load_all(STYLES)]


def manifests(seed: int, count: int) -> Iterator[Manifest]:
    """`count` manifests, each of a name of its own in namespace `demo`."""
    dice = random.Random(seed)
    starts = styles()
    for number in range(count):
        made = copy.deepcopy(starts[number % len(starts)])
        for _ in range(dice.choice((0, 1, 1, 1, 2, 3))):
            _change(made, dice)
        made["metadata"] = {"name": f"made-{number}", "namespace": "demo"}
        yield made


def _change(manifest: Manifest, dice: random.Random) -> None:
    spec = manifest.get("spec")
    root = table().resource(manifest["kind"])
    if not isinstance(spec, dict):
        return
    places = list(_places(spec, root.below("spec"), "spec"))
    value, node, name = dice.choice(places)
    change = dice.choice((_set, _set, _set, _set, _drop, _rename, _retype, _repeat, _empty, _move))
    change(value, node, name, dice, spec)


def _places(value: Any, node: Node | None, name: str) -> Iterator[tuple[Any, Node, str]]:
    """The mappings and lists of a spec, each with its node and the name of its field."""
    if node is None or not isinstance(value, dict | list):
        return
    yield value, node, name
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _places(part, node.below(key), name if isinstance(key, int) else key)


def _set(value: Any, node: Node, name: str, dice: random.Random, _: Manifest) -> None:
    if isinstance(node, Object) and isinstance(value, dict) and node.fields:
        field = dice.choice(sorted(node.fields))
        value[field] = _made(node.fields[field], field, dice, 0)
    elif isinstance(node, Map) and isinstance(value, dict):
        value[dice.choice(_KEYS.get(name, _TEXT))] = _made(node.values, name, dice, 0)
    elif isinstance(node, Array) and isinstance(value, list):
        value.insert(dice.randrange(len(value) + 1), _made(node.items, name, dice, 0))


def _made(node: Node, name: str, dice: random.Random, depth: int) -> Any:
    """A value of a node's type."""
    match node:
        case Object():
            wanted = {one for one in node.required if dice.random() < 0.95}
            wanted |= {one for one in node.fields if depth < 3 and dice.random() < 0.3}
            return {one: _made(node.fields[one], one, dice, depth + 1) for one in sorted(wanted)}
        case Map():
            if "abels" in name or name == "selector":
                return dice.choice(_LABELS)
            keys = dice.sample(_KEYS.get(name, _TEXT), dice.choice((0, 1, 1, 2)))
            return {key: _made(node.values, name, dice, depth + 1) for key in keys}
        case Array():
            return [_made(node.items, name, dice, depth + 1) for _ in range(dice.choice((0, 1, 1, 1, 2)))]
        case Scalar():
            return _scalar(node, name, dice)
    return None


def _scalar(node: Scalar, name: str, dice: random.Random) -> Any:
    if node.wanted == "boolean":
        return dice.random() < 0.5
    if node.wanted == "number":
        return dice.choice(_FLOATS)
    if "enum" in node.entry:
        return dice.choice([*node.entry["enum"], *node.entry["enum"], "NONSENSE", node.entry["enum"][0].lower()])
    if name in _POOLS and (node.wanted == "integer") == isinstance(_POOLS[name][0], int):
        return dice.choice(_POOLS[name])
    if node.wanted == "integer":
        return dice.choice(_NUMBERS)
    time = (
        "duration" in node.entry.get("formats", ()) or name.endswith(("imeout", "nterval")) or name in ("ttl", "maxAge")
    )
    return dice.choice(_DURATIONS if time else _TEXT)


def _key(value: Any, dice: random.Random) -> Any:
    return dice.choice(sorted(value)) if isinstance(value, dict) else dice.randrange(len(value))


def _drop(value: Any, node: Node, name: str, dice: random.Random, _: Manifest) -> None:
    if value:
        del value[_key(value, dice)]


def _rename(value: Any, node: Node, name: str, dice: random.Random, _: Manifest) -> None:
    if isinstance(value, dict) and value:
        key = _key(value, dice)
        other = dice.choice((key + "s", key[:-1], key.lower(), key.upper(), "x" + key))
        value[other] = value.pop(key)


def _retype(value: Any, node: Node, name: str, dice: random.Random, _: Manifest) -> None:
    if value:
        key = _key(value, dice)
        old = value[key]
        value[key] = dice.choice((str(old), [old], {"value": old}, True, 7, 0.5, "", [], {}))


def _repeat(value: Any, node: Node, name: str, dice: random.Random, _: Manifest) -> None:
    if isinstance(value, list) and value:
        value.append(copy.deepcopy(dice.choice(value)))


def _empty(value: Any, node: Node, name: str, dice: random.Random, _: Manifest) -> None:
    if value:
        key = _key(value, dice)
        value[key] = None if dice.random() < 0.5 else type(value[key])()


def _move(value: Any, node: Node, name: str, dice: random.Random, spec: Manifest) -> None:
    """A field with its indentation lost."""
    if isinstance(value, dict) and value and value is not spec:
        key = _key(value, dice)
        spec.setdefault(key, value.pop(key))
