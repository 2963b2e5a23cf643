"""Which DestinationRule a proxy uses: merging, exportTo, the most specific host.

Source: Istio, "Cross namespace configuration" (client's namespace, Service's, root), and pilot push_context_test.go.
What a real istiod made of eleven sets of rules is in tests/meshconfig/simulate/test_rules_in_force.py.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio import Resources
from meshconfig.istio.destination_rules import DestinationRules

CAT = "cat.demo.svc.cluster.local"


def rule(host, *subsets, name="rule", namespace="demo", created="", **spec):
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    spec = {"host": host, "subsets": [{"name": one, "labels": {"from": name}} for one in subsets], **spec}
    return {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": metadata, "spec": spec}


def selected(*manifests, client="demo", labels=None):
    rules = DestinationRules(Resources.parse(manifests).destination_rules)
    return rules.select(CAT, "demo", client, labels)


def subsets(*manifests, client="demo", labels=None):
    return {
        name: one.labels["from"] for name, one in selected(*manifests, client=client, labels=labels)[0].subsets.items()
    }


def test_rules_of_one_host_and_namespace_are_merged_and_the_oldest_subset_of_a_name_counts():
    old = rule("cat", "a", "b", name="old", created="2026-01-01T00:00:00Z")
    young = rule(CAT, "b", "c", name="young", created="2026-02-01T00:00:00Z")
    assert subsets(young, old) == {"a": "old", "b": "old", "c": "young"}


def test_the_policy_of_the_oldest_that_has_one_counts():
    old = rule("cat", name="old", created="2026-01-01T00:00:00Z")
    young = rule("cat", name="young", created="2026-02-01T00:00:00Z", trafficPolicy={"tls": {"mode": "SIMPLE"}})
    assert selected(young, old)[0].traffic_policy == {"tls": {"mode": "SIMPLE"}}


@pytest.mark.parametrize(
    ("client", "whose"), [("demo", "of-the-service"), ("other", "of-the-client"), ("third", "of-the-service")]
)
def test_the_clients_namespace_comes_first_then_the_services_then_the_root(client, whose):
    every = [
        rule("cat", "a", name="of-the-service"),
        rule(CAT, "a", name="of-the-client", namespace="other"),
        rule(CAT, "a", name="of-the-root", namespace="istio-system"),
    ]
    assert subsets(*every, client=client) == {"a": whose}
    assert subsets(*every[1:], client="third") == {"a": "of-the-root"}


def test_the_most_specific_host_stands_alone():
    every = [rule("*.demo.svc.cluster.local", "wide", name="wide"), rule("*.local", "wider", name="wider")]
    assert subsets(*every) == {"wide": "wide"}
    assert subsets(*every, rule("cat", "a")) == {"a": "rule"}


def test_a_rule_for_certain_workloads_waits_for_their_labels():
    special = rule("cat", "a", name="special", workloadSelector={"matchLabels": {"app": "cat"}})
    general = rule("cat", "b", name="general")
    assert subsets(special, general, labels={"app": "cat"}) == {"a": "special"}
    assert subsets(special, general, labels={"app": "dog"}) == {"b": "general"}
    assert selected(special, general, labels=None)[1]


def test_a_rule_for_certain_workloads_takes_on_what_another_of_its_namespace_keeps_to_itself():
    special = rule("cat", "a", name="special", workloadSelector={"matchLabels": {"app": "cat"}})
    private = rule("cat", "b", name="private", exportTo=["."])
    assert subsets(special, private, labels={"app": "cat"}) == {"a": "special", "b": "private"}


EXPORTS = st.lists(st.sampled_from(["*", ".", "other"]), max_size=2)


@given(EXPORTS, st.sampled_from(["demo", "other", "third"]))
def test_a_rule_is_used_where_its_export_to_says(export_to, client):
    seen = {"demo"} if "." in export_to else set()
    seen |= {"other"} if "other" in export_to else set()
    everywhere = not export_to or "*" in export_to
    used = subsets(rule("cat", "a", exportTo=export_to), client=client)
    assert bool(used) is (everywhere or client in seen)
