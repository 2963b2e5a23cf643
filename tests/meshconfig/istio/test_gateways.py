"""What a VirtualService is bound to, and what a Gateway's server takes."""

import pytest

from meshconfig.istio import MESH, Resources, Server
from meshconfig.istio.gateways import (
    Handling,
    at_gateways,
    bound_to,
    ends_https,
    gateway_name,
    handling,
    in_mesh,
    is_plain_http,
    routes_http,
    served_host,
)

NAMES = [
    ("mesh", "mesh"),
    ("gw", "demo/gw"),
    ("./gw", "demo/gw"),
    ("other/gw", "other/gw"),
    ("gw.other", "other/gw"),
    ("gw.other.svc.cluster.local", "other/gw"),
]


@pytest.mark.parametrize(("name", "resolved"), NAMES)
def test_a_gateways_name(name, resolved):
    assert gateway_name(name, "demo") == resolved


# Istio, VirtualService.gateways: "if omitted, the default 'mesh' will be used"; with names, `mesh` has to be one.
BOUND = [
    (None, True, ()),
    ([], True, ()),
    (["mesh"], True, ()),
    (["gw"], False, ("gw",)),
    (["gw", "mesh"], True, ("gw",)),
    (("demo/mesh",), False, ("demo/mesh",)),
]


@pytest.mark.parametrize(("written", "mesh", "gateways"), BOUND)
def test_where_a_virtual_service_applies(written, mesh, gateways):
    assert in_mesh(written) is mesh
    assert at_gateways(written) == gateways


def test_the_gateways_of_a_virtual_service_by_their_full_names():
    assert bound_to((), "demo") == {MESH}
    assert bound_to(("gw", "mesh", "other/gw"), "demo") == {"demo/gw", MESH, "other/gw"}


# Istio, Server.hosts: `namespace/dnsName`; `.` is the Gateway's own namespace, `*` any.
SERVED = [
    ("cat.example.com", ("", "cat.example.com"), ("demo", "other")),
    ("*/cat.example.com", ("", "cat.example.com"), ("demo", "other")),
    ("./cat.example.com", ("demo", "cat.example.com"), ("demo",)),
    ("other/*.example.com", ("other", "*.example.com"), ("other",)),
]


@pytest.mark.parametrize(("written", "parts", "namespaces"), SERVED)
def test_whose_virtual_services_may_have_a_servers_host(written, parts, namespaces):
    found = served_host(written, "demo")
    assert found == parts
    assert tuple(one for one in ("demo", "other", "third") if found.open_to(one))[: len(namespaces)] == namespaces
    assert found.open_to("third") is ("third" in namespaces or parts[0] == "")


SERVERS = [
    ("HTTP", None, True, False),
    ("http2", None, True, False),
    ("GRPC", None, True, False),
    ("GRPC-Web", None, True, False),
    ("HTTP", {"httpsRedirect": True}, True, False),
    ("HTTPS", {"mode": "SIMPLE"}, False, True),
    ("HTTPS", {"mode": "MUTUAL"}, False, True),
    ("HTTPS", {"mode": "PASSTHROUGH"}, False, False),
    ("HTTPS", {"mode": "AUTO_PASSTHROUGH"}, False, False),
    ("TLS", {"mode": "SIMPLE"}, False, False),
    ("TCP", None, False, False),
    ("MONGO", None, False, False),
    ("", None, False, False),
]


@pytest.mark.parametrize(("protocol", "tls", "plain", "https"), SERVERS)
def test_what_a_server_reads(protocol, tls, plain, https):
    written = {"port": {"number": 80, "protocol": protocol}, "hosts": ["*"], **({"tls": tls} if tls else {})}
    manifest = {"apiVersion": "networking.istio.io/v1", "kind": "Gateway", "spec": {"servers": [written]}}
    (server,) = Resources.parse([manifest]).gateways[0].spec.servers
    assert (is_plain_http(server), ends_https(server)) == (plain, https)
    assert routes_http(server) is (plain or https)


@pytest.mark.parametrize(
    ("protocol", "tls", "expected"),
    [
        ("HTTP", None, Handling.HTTP),
        ("GRPC", {"httpsRedirect": True}, Handling.HTTP),
        ("HTTPS", {"mode": "SIMPLE"}, Handling.HTTPS),
        ("HTTPS", {"mode": "MUTUAL"}, Handling.HTTPS),
        ("HTTPS", {"mode": "PASSTHROUGH"}, Handling.PASSTHROUGH),
        ("TLS", {"mode": "AUTO_PASSTHROUGH"}, Handling.PASSTHROUGH),
        ("TLS", {"mode": "SIMPLE"}, Handling.TLS),
        ("TCP", {"mode": "SIMPLE"}, Handling.TLS),
        ("TCP", None, Handling.TCP),
        ("MONGO", None, Handling.TCP),
    ],
)
def test_what_a_server_does_with_connections(protocol, tls, expected):
    port = {"number": 443, "name": "p", "protocol": protocol}
    found = handling(Server.model_validate({"port": port, "hosts": ["*"], **({"tls": tls} if tls else {})}))
    assert found is expected
    assert found.tls is (expected in (Handling.HTTPS, Handling.PASSTHROUGH, Handling.TLS))
