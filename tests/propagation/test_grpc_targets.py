"""A gRPC target is judged by the host that gRPC would connect to, not by what it looks like."""

import string

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from propagation.clients.grpc import hosts_of
from propagation.hosts import HostRule

RULE = HostRule([".svc.cluster.local", "mouse-svc", "10.0.0.0/8", "fd00::/8"])
ALLOWED = [
    "mouse-svc",
    "mouse-svc:80",
    "MOUSE-svc:http",
    "dns:mouse-svc:80",
    "dns:///mouse-svc:80",
    "DNS:///mouse-svc",
    "dns://10.96.0.10:53/mouse-svc:80",
    "dns:///mouse%2Dsvc:80",
    "mouse-svc?x=.example.com:80",
    "mouse-svc#.example.com:80",
    "xds:///mouse.demo.svc.cluster.local:9003",
    "ipv4:10.0.0.1:80",
    "ipv4:10.0.0.1:80,10.0.0.2",
    "ipv4:10.0.0.1%3A80",
    "ipv6:[fd00::1]:80,[fd00::2]",
    "[fd00::1]:80",
    "dns:///[fd00::1]",
    "fd00::1",
]
NOT_ALLOWED = [
    "example.com:80",
    "dns://mouse-svc/example.com:80",
    "xds://mouse-svc/example.com",
    "mouse-svc%23.example.com:80",
    "dns:///mouse-svc%23.example.com:80",
    "mouse-svc%2F.example.com",
    "mouse-svc%3f.example.com",
    "example.com%40mouse-svc:80",
    "example.com@mouse-svc:80",
    "example.com/mouse-svc:80",
    "dns:example.com/mouse-svc",
    "dns:////mouse-svc",
    "dns:///example.com%2Fmouse-svc",
    "example.com:80#@mouse-svc",
    "example.com?mouse-svc",
    "http://mouse-svc/",
    "https://mouse-svc:80",
    "passthrough:mouse-svc",
    "passthrough:///mouse-svc",
    "google-c2p:///mouse-svc",
    "unix:mouse-svc",
    "unix:///mouse-svc",
    "unix-abstract:mouse-svc",
    "vsock:2:80",
    "ipv4:10.0.0.1:80,11.0.0.1:80",
    "ipv4:mouse-svc.example.com:80",
    "[fd00::1%25eth0]:80",
    "ipv6:[fd00::1%25.svc.cluster.local]:80",
    "dns:///[::1%25.svc.cluster.local]:80",
    "::1%.svc.cluster.local",
    "mouse-svc:80:90",
    "mouse-svc:80/x",
    "mouse svc.svc.cluster.local",
    "[mouse-svc]:80",
    "x,mouse.svc.cluster.local",
    "",
    ":80",
]


def allows(target):
    return all(map(RULE.allows, hosts_of(target)))


@pytest.mark.parametrize("target", ALLOWED)
def test_targets_that_go_where_the_fields_may(target):
    assert allows(target)


@pytest.mark.parametrize("target", NOT_ALLOWED)
def test_targets_that_go_elsewhere_or_nobody_knows_where(target):
    assert not allows(target)


@pytest.mark.parametrize(
    ("target", "looked_up"),
    [
        ("mouse-svc.invalid%23.b.invalid:80", "mouse-svc.invalid#.b.invalid:80"),
        ("mouse-svc.invalid#.b.invalid:80", "mouse-svc.invalid"),
        ("DNS:///mouse-svc.invalid:80", "mouse-svc.invalid:80"),
        ("a.invalid/mouse-svc.invalid:80", "a.invalid/mouse-svc.invalid:80"),
        ("http://mouse-svc.invalid/", "http://mouse-svc.invalid/"),
    ],
)
def test_grpc_reads_targets_so(target, looked_up):
    """The names that these rules take for granted, as gRPC itself says what it could not look up."""
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary("/a/b")(b"", timeout=10)
    assert f" {looked_up}: " in raised.value.details()


@given(
    st.sampled_from(["", "dns:", "dns:///", "dns://", "xds:///", "ipv4:", "http://", "unix:"]),
    st.text(string.ascii_lowercase + "0.-:/@#?%[],2340 ", max_size=20),
    st.sampled_from(["mouse-svc", "mouse-svc:80", ".svc.cluster.local", "mouse-svc%23", ""]),
)
def test_a_name_that_is_allowed_is_a_plain_one(scheme, text, end):
    for host in hosts_of(scheme + text + end):
        if RULE.allows(host):
            assert set(host) <= set(string.ascii_letters + string.digits + "._-:")


@pytest.mark.parametrize("decorate", ["{}%23.example.com", "{}%2F.example.com", "a.example.com@{}", "a.example.com/{}"])
@pytest.mark.parametrize("scheme", ["", "dns:", "dns:///", "xds:///"])
def test_no_ornament_makes_a_stranger_look_allowed(scheme, decorate):
    assert not allows(scheme + decorate.format("mouse-svc") + ":80")
