"""For connections in which proxies read no HTTP, `explain` says what the real Istio does: by server name (SNI) at a
gateway that passes TLS on, by server name and by port from the sidecars of two namespaces."""

import json
import os
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import pytest
import yaml
from explained_mesh import Mesh, pods
from foreign_manifests import AWAY, DOMAIN, HOME, gw, kind, rule, says, service, vs
from mesh_cluster import acknowledged, gateway_address, kubectl, until

from meshconfig.cli.explain_input import read
from meshconfig.explain import Asked, Names, request
from meshconfig.simulate import Destination, simulate

pytestmark = pytest.mark.cluster

SAMPLES = 20  # connections where the answer is a matter of chance
PORT = 15443  # of the gateway that passes TLS on
NAMES = ("one", "two", "port", "caller", "wide", "twice", "either", "both", "other")  # Services with TLS ports
PLAIN = ("plain", "mixed")


class Connection(NamedTuple):
    """A TLS connection by its server name; from the sidecar of a namespace to a Service, or to the gateway."""

    name: str
    port: int
    namespace: str = ""


def full(name: str) -> str:
    return f"{name}.{HOME}.{DOMAIN}"


def to(*shares: tuple[str, int], **match: Any) -> dict[str, Any]:
    """A tcp or tls route to subsets with weights, with one match."""
    route = [{"destination": {"host": "stream", "subset": one}, "weight": weight} for one, weight in shares]
    return {"route": route, **({"match": [match]} if match else {})}


def stream(name: str, *ports: tuple[int, str]) -> dict[str, Any]:
    return service(name, *ports, app="stream")


def entry(name: str, host: str) -> dict[str, Any]:
    port = {"number": 443, "name": "tls", "protocol": "TLS"}
    return kind(
        "ServiceEntry", name, {"hosts": [host], "ports": [port], "location": "MESH_EXTERNAL", "resolution": "NONE"}
    )


V1, V2 = ("v1", 100), ("v2", 100)


def surroundings() -> list[dict[str, Any]]:
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one, "labels": {"istio-injection": "enabled"}}}
        for one in (HOME, AWAY)
    ]
    return [
        *namespaces,
        *(pods("stream", version) for version in ("v1", "v2")),
        pods("web", "v1"),
        *(pods("probe", one, one) for one in (HOME, AWAY)),
        stream("stream", (443, "tls-in")),
        rule("stream", "stream", "v1", "v2"),
        *(stream(name, (443, "tls-in"), (8443, "https-in")) for name in NAMES),
        stream("plain", (9000, "tcp-in"), (9100, "tcp-other")),
        entry("entry", "entry.test"),
        entry("wild", "*.wild.test"),
        entry("inner", "*.inner.test"),
        stream("mixed", (9000, "tcp-in"), (80, "http")),
    ]


def at_the_gateway() -> list[dict[str, Any]]:
    hosts = ["*.tls.test", "tls.test"]
    deep = to(V2, sniHosts=["b.deep.tls.test"])
    return [
        gw("pass", PORT, hosts, "TLS", tls={"mode": "PASSTHROUGH"}),
        vs("exact", ["a.tls.test"], gateways=["pass"], tls=[to(V1, sniHosts=["a.tls.test"])]),
        vs("split", ["s.tls.test"], gateways=["pass"], tls=[to(("v1", 50), ("v2", 50), sniHosts=["s.tls.test"])]),
        vs("deep", ["*.deep.tls.test"], gateways=["pass"], tls=[to(V1, sniHosts=["*.deep.tls.test"]), deep]),
        vs("p443", ["p.tls.test"], gateways=["pass"], tls=[to(V1, sniHosts=["p.tls.test"], port=443)]),
        vs("here", ["h.tls.test"], gateways=["pass", "mesh"], tls=[
            to(V1, sniHosts=["h.tls.test"], gateways=["mesh"]), to(V2, sniHosts=["h.tls.test"], gateways=["pass"]),
        ]),
        vs("labels", ["l.tls.test"], gateways=["pass"], tls=[
            to(V1, sniHosts=["l.tls.test"], sourceLabels={"app": "nobody"})
        ]),
        vs("twins", ["t.tls.test"], gateways=["pass"], tls=[
            to(V2, sniHosts=["t.tls.test"]), to(V1, sniHosts=["t.tls.test"])
        ]),
        vs("first", ["n.tls.test"], gateways=["pass"], tls=[to(V1, sniHosts=["n.tls.test"])]),
        vs("second", ["n.tls.test"], gateways=["pass"], tls=[to(V2, sniHosts=["n.tls.test"])]),
        vs("upper", ["U.tls.test"], gateways=["pass"], tls=[to(V2, sniHosts=["U.tls.test"])]),
    ]  # fmt: skip


def in_the_mesh() -> list[dict[str, Any]]:
    one, two, port, caller, wide, twice, either, _, _ = map(full, NAMES)
    return [
        vs("one", ["one"], tls=[to(V2, sniHosts=[one])]),
        vs("two", [two], tls=[to(V1, sniHosts=[two], port=8443), to(V2, sniHosts=[two], port=443)]),
        vs("port", ["port"], tls=[to(V1, sniHosts=[port], port=8443)]),
        vs("caller", [caller], tls=[
            to(V1, sniHosts=[caller], sourceNamespace=HOME), to(V2, sniHosts=[caller], sourceLabels={"app": "probe"}),
        ]),
        vs("wide", ["wide"], tls=[to(V1, sniHosts=[f"*.{HOME}.{DOMAIN}"]), to(V2, sniHosts=[wide])]),
        vs("twice", [twice], tls=[to(V1, sniHosts=[twice]), to(V2, sniHosts=[twice])]),
        vs("either", [either], tls=[
            {**to(V1), "match": [{"sniHosts": [either], "port": 1}, {"sniHosts": [either], "port": 443}]},
            to(V2, sniHosts=[either]),
        ]),
        vs("both", ["both"], tcp=[to(V1)]),
        vs("other", ["other", "other.tls.test"], tls=[to(V1, sniHosts=["other.tls.test"])]),
        vs("entry", ["entry.test"], tls=[to(V2, sniHosts=["entry.test"])]),
        vs("wild", ["*.wild.test"], tls=[to(V1, sniHosts=["a.wild.test"]), to(V2, sniHosts=["*.b.wild.test"])]),
        vs("inner", ["a.inner.test"], tls=[to(V2, sniHosts=["a.inner.test"])]),
        vs("plain", ["plain"], tcp=[to(V1, port=9100), to(V2, sourceNamespace=AWAY)]),
        vs("mixed", ["mixed"], says(418), tcp=[to(("v1", 50), ("v2", 50))]),
    ]  # fmt: skip


def asked() -> list[Connection]:
    outside = ["a", "s", "b.deep", "c.deep", "x.b.deep", "deep", "p", "h", "l", "u", "t", "n", "unknown"]
    sent = [Connection(f"{one}.tls.test", PORT) for one in outside]
    for namespace in (HOME, AWAY):
        sent += [Connection(full(name), port, namespace) for name in NAMES for port in (443, 8443)]
        sent += [Connection(full("plain"), port, namespace) for port in (9000, 9100)]
        sent.append(Connection(full("mixed"), 9000, namespace))
        sent += [
            Connection(name, 443, namespace)
            for name in ("entry.test", "a.wild.test", "c.b.wild.test", "b.wild.test", "a.inner.test", "b.inner.test")
        ]
    return [*sent, Connection("one", 443, HOME), Connection(f"two.{HOME}", 443, AWAY)]


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    if "GRAYLANE_GATEWAY" in os.environ:
        pytest.skip("these tests call the gateway's Pod itself, on ports that no Service has")
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all([*surroundings(), marker(298)]))
    for one in (HOME, AWAY):
        kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", one, "--timeout=110s")
    yield Mesh()
    kubectl("delete", "namespace", HOME, AWAY, "--wait=false")


def marker(status: int) -> dict[str, Any]:
    return kind("VirtualService", "marker", {"hosts": ["marker.tls.test"], "http": [says(status)]})


def greeting(server_name: str) -> bytes:
    """The first message of a TLS client."""
    written = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), written, server_hostname=server_name)
    with suppress(ssl.SSLWantReadError):  # it has written the message, and waits for the answer
        client.do_handshake()
    return written.read()


def from_outside(one: Connection) -> str:
    try:
        with socket.create_connection((gateway_address().partition(":")[0], one.port), timeout=10) as connection:
            connection.sendall(greeting(one.name))
            return connection.recv(200).decode()
    except OSError:
        return ""


def answer(mesh: Mesh, one: Connection) -> str:
    """`NAME/VERSION` of the Pod that got the connection; empty where it was closed."""
    if not one.namespace:
        return from_outside(one)
    name = one.name if "." in one.name else f"{one.name}.{one.namespace}"
    address = mesh.services.get(".".join(name.split(".")[:2]), mesh.pod)  # a ServiceEntry has no address of its own
    headers = [("x-ask", f"BYTES //{address}:{one.port}"), ("x-ask-bytes", greeting(one.name).hex())]
    status, body, _ = mesh.send(mesh.probes[one.namespace], 9001, "GET", "/", headers, "probe")
    assert status == 200, body
    return json.loads(body)["body"]


def expected(names: Names, one: Connection) -> set[str]:
    source = f"{one.namespace}/probe-{one.namespace}" if one.namespace else None
    decision = simulate(
        names.given.index,
        request(names, Asked(f"https://{one.name}:{one.port}", "/", (), "GET", source, gateway=None))[0],
    )
    assert not decision.undecided, (one, decision)
    found = set()
    for share in decision.shares:
        # What is outside of the mesh is the address that was called, where nobody listens.
        pods = share.outcome.workloads if isinstance(share.outcome, Destination) else None
        found |= {each.rpartition("/")[2].replace("-", "/") for each in pods or ()} or {""}
    return found


def test_connections_go_where_explain_says(mesh, tmp_path):
    manifests = [*surroundings(), *at_the_gateway(), *in_the_mesh()]
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(manifests))
    until(acknowledged, "every proxy's acknowledgement")
    until(partial(lambda one: answer(mesh, one) == "stream/v1", Connection("a.tls.test", PORT)), "the gateway's route")
    mesh = Mesh()
    file = tmp_path / "all.yaml"
    known = json.loads(kubectl("get", "services,deployments", "-n", "istio-system", "-o", "json").stdout)
    file.write_text(yaml.safe_dump_all([*manifests, known]))
    names = Names(read([str(file)], "default"))
    wrong = []
    for one in asked():
        said = expected(names, one)
        got = Counter(answer(mesh, one) for _ in range(1 if len(said) == 1 else SAMPLES))
        if set(got) != said:
            wrong.append(f"{one}: Istio {dict(got)}, explain {said}")
    print(f"\n{len(asked())} connections, {len(wrong)} disagree")
    assert not wrong, "\n".join(wrong)
