"""The names of Envoy's clusters, made and taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio.cluster_names import ClusterName, host_of, parse

CAT = "cat-svc.demo.svc.cluster.local"
WORDS = st.text(st.characters(exclude_characters="|", exclude_categories=["Cs"]), max_size=12)


def test_a_subsets_cluster():
    name = ClusterName(CAT, 9001, "gray")
    assert str(name) == f"outbound|9001|gray|{CAT}"
    assert parse(str(name)) == name
    assert str(ClusterName(CAT, 80)) == f"outbound|80||{CAT}"


def test_the_inbound_cluster_of_a_sidecar():
    assert parse("inbound|9001||") == ClusterName("", 9001, "", "inbound")


OTHERS = [
    "",
    "BlackHoleCluster",
    "PassthroughCluster",
    "xds-grpc",
    "outbound|80|cat",
    "outbound|x||cat",
    "a|²||c",
    f"a|{'9' * 5000}||c",
]


@pytest.mark.parametrize("name", [*OTHERS, f"outbound_.80_._.{CAT}", f"outbound|80||{CAT}|more"])
def test_a_cluster_that_is_no_services(name):
    assert parse(name) is None


@given(WORDS, st.integers(0, 65535), WORDS, st.sampled_from(["outbound", "inbound", "inbound-vip"]))
def test_making_and_taking_apart_are_inverse(host, port, subset, direction):
    name = ClusterName(host, port, subset, direction)
    assert parse(str(name)) == name
    assert host_of(str(name)) == host


@given(st.text("outbound|0123456789.c", max_size=30))
def test_any_text_is_taken_apart_or_left(text):
    found = parse(text)
    assert found is None or (str(found).split("|")[2:] == text.split("|")[2:] and found.host == host_of(text))
