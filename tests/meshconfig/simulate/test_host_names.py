"""Host names, as the rest of the package takes them apart."""

import pytest

from meshconfig.simulate.hosts import covers, domain_matches, gateway_name, intersection, overlap
from meshconfig.simulate.registry import namespace_of
from meshconfig.simulate.request import Request, split_port

NAMESPACES = [
    ("cat.demo.svc.cluster.local", "demo"),
    ("cat.demo", None),
    ("cat.demo.svc", None),
    ("cat.svc.cluster.local", None),
    (".demo.svc.cluster.local", None),
    ("a.cat.demo.svc.cluster.local", None),
    ("*.demo.svc.cluster.local", None),
    ("svc.cluster.local", None),
]


@pytest.mark.parametrize(("host", "namespace"), NAMESPACES)
def test_the_namespace_of_a_services_host(host, namespace):
    assert namespace_of(host) == namespace


PATTERNS = [
    ("a.org", "a.org", True),
    ("a.org", "b.org", False),
    ("*.org", "a.org", True),
    ("*.org", "a.com", False),
    ("a.org", "*.org", False),
    ("*.org", "*.a.org", True),
    ("*.a.org", "*.org", False),
    ("*", "*.org", True),
    ("*", "a.org", True),
    ("*.org", "*.org", True),
]


@pytest.mark.parametrize(("pattern", "host", "within"), PATTERNS)
def test_what_a_pattern_covers(pattern, host, within):
    assert covers(pattern, host) is within


def test_two_patterns_overlap_when_one_is_within_the_other():
    assert overlap("*.org", "a.org")
    assert overlap("a.org", "*.org")
    assert not overlap("*.a.org", "*.b.org")


def test_the_hosts_in_common_are_the_narrower():
    assert intersection(["foo.com", "*.net"], ["*.com", "bar.net"]) == ["foo.com", "bar.net"]
    assert intersection(["foo.com", "*.net"], ["*.bar.net"]) == ["*.bar.net"]
    assert intersection(["foo.com"], ["bar.com"]) == []


@pytest.mark.parametrize(
    ("domain", "host", "taken"),
    [("*", "a", True), ("*.a", "b.a", True), ("*.a", ".a", False), ("a", "a", True), ("a", "b", False)],
)
def test_an_envoy_wildcard_stands_for_at_least_one_character(domain, host, taken):
    assert domain_matches(domain, host) is taken


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


AUTHORITIES = [
    ("a.org", ("a.org", None)),
    ("a.org:80", ("a.org", 80)),
    ("a.org:x", ("a.org:x", None)),
    ("[::1]:80", ("[::1]", 80)),
    ("[::1]", ("[::1]", None)),
    ("::1", ("::1", None)),
    ("1::2", ("1::2", None)),
    (":80", ("", 80)),
]


@pytest.mark.parametrize(("authority", "parts"), AUTHORITIES)
def test_host_and_port_of_an_authority(authority, parts):
    assert split_port(authority) == parts
    assert Request(authority).authority_port == parts[1]
