"""Host names, as the rest of the package takes them apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio.hosts import (
    HostMap,
    ServiceName,
    covering,
    covers,
    domain_matches,
    fqdn,
    fqdns,
    intersection,
    is_wildcard,
    namespace_of,
    overlap,
    service_name,
    specificity,
    wildcards,
    wildcards_above,
)

LABELS = st.text("abc-0", min_size=1, max_size=4)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS_OR_HOSTS = st.one_of(HOSTS, HOSTS.map(lambda host: f"*.{host}"), st.just("*"))

# Istio, Destination.host, and pilot's ResolveShortnameToFQDN.
RESOLVED = [
    ("cat", "cat.demo.svc.cluster.local"),
    ("cat.other", "cat.other"),
    ("cat.other.svc.cluster.local", "cat.other.svc.cluster.local"),
    ("api.example.com", "api.example.com"),
    ("*", "*"),
    ("*.example.com", "*.example.com"),
    ("10.0.0.1", "10.0.0.1"),
    ("2001:db8::1", "2001:db8::1"),
    ("", ""),
]


@pytest.mark.parametrize(("written", "full"), RESOLVED)
def test_a_name_without_dots_is_a_service_of_the_resources_own_namespace(written, full):
    assert fqdn(written, "demo") == full


def test_envoy_compares_hosts_in_lower_case():
    assert fqdns(("Cat", "API.example.com"), "demo") == ("cat.demo.svc.cluster.local", "api.example.com")


@given(HOSTS.filter(lambda host: "." not in host), LABELS)
def test_a_services_host_and_its_name_are_inverse(name, namespace):
    assert service_name(fqdn(name, namespace)) == ServiceName(name, namespace)
    assert service_name(ServiceName(name, namespace).host) == (name, namespace)


@given(PATTERNS_OR_HOSTS)
def test_what_is_no_services_host_is_left_as_it_is(host):
    found = service_name(host)
    assert found is None or found.host == host


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


@given(PATTERNS_OR_HOSTS, PATTERNS_OR_HOSTS, PATTERNS_OR_HOSTS)
def test_covering_is_reflexive_and_transitive_and_overlap_is_symmetric(one, other, third):
    assert covers(one, one)
    assert not (covers(one, other) and covers(other, third)) or covers(one, third)
    assert overlap(one, other) == overlap(other, one)


@given(HOSTS)
def test_a_host_falls_under_each_of_its_patterns_the_most_specific_first(host):
    found = list(wildcards(host))
    assert found == covering(host, found)
    assert found[-1] == "*"
    assert sorted(found, key=specificity, reverse=True) == found


@given(PATTERNS_OR_HOSTS, PATTERNS_OR_HOSTS)
def test_the_wildcards_above_a_host_are_those_that_cover_it_the_longest_first(host, pattern):
    found = list(wildcards_above(host))
    assert covering(host, found) == found
    assert not is_wildcard(pattern) or (pattern in found) == covers(pattern, host)


@given(st.lists(PATTERNS_OR_HOSTS, max_size=8), PATTERNS_OR_HOSTS)
def test_a_map_by_hosts_finds_whatever_overlaps(hosts, host):
    found = HostMap((one, number) for number, one in enumerate(hosts)).overlapping(host)
    assert {*found} == {number for number, one in enumerate(hosts) if overlap(one, host)}
