"""Which DestinationRule decides what subsets there are."""

import pytest
from istio_world import BASE, from_pod, in_mesh, rule, to, who, world

from meshconfig.simulate import Index

CAT = "cat.demo.svc.cluster.local"
BARE = tuple(one for one in BASE if one["kind"] != "DestinationRule")
ROOT = "istio-system"


def has(subset, *rules, sender="demo", labels=None):
    index = world(*rules, in_mesh("vs", to(subset)), base=BARE)
    return who(from_pod(index, CAT, namespace=sender, labels=labels)) == f"cat/{subset}"


def test_rules_of_one_host_are_merged_and_the_oldest_subset_of_a_name_counts():
    young = rule("cat", ("gray", "blue"), name="a", created="2026-02-01T00:00:00Z")
    old = rule(CAT, ("prod",), name="b", created="2026-01-01T00:00:00Z")
    old["spec"]["subsets"].append({"name": "gray", "labels": {"env": "prod"}})
    assert has("prod", young, old)
    assert has("blue", young, old)
    index = world(young, old, in_mesh("vs", to("gray")), base=BARE)
    assert from_pod(index).outcome.labels == (("env", "prod"),)


def test_the_senders_namespace_goes_first_then_the_services_then_the_root():
    mine = rule(CAT, ("mine",), namespace="other")
    theirs = rule("cat", ("theirs",))
    root = rule(CAT, ("root",), namespace=ROOT)
    assert [has(one, mine, theirs, root, sender="other") for one in ("mine", "theirs", "root")] == [True, False, False]
    assert [has(one, mine, theirs, root, sender="third") for one in ("mine", "theirs", "root")] == [False, True, False]
    assert has("root", root, sender="third")
    assert not has("mine", mine, sender="third")


@pytest.mark.parametrize(
    ("export_to", "sender", "expected"),
    [
        (["."], "demo", True),
        (["."], "other", False),
        (["other"], "other", True),
        (["other"], "third", False),
        (["*"], "third", True),
    ],
)
def test_export_to(export_to, sender, expected):
    assert has("gray", rule("cat", ("gray",), exportTo=export_to), sender=sender) is expected


def test_the_most_specific_host_stands_alone():
    wide = rule("*.demo.svc.cluster.local", ("wide",), name="wide")
    wider = rule("*.svc.cluster.local", ("wider",), name="wider")
    assert has("wide", wide, wider)
    assert not has("wider", wide, wider)
    assert not has("wide", wide, rule("cat", ("gray",)))


def test_a_rule_for_some_workloads():
    some = rule("cat", ("some",), name="some", workloadSelector={"matchLabels": {"app": "probe"}})
    every = rule("cat", ("gray",))
    assert has("some", some, every, labels={"app": "probe"})
    assert not has("gray", some, every, labels={"app": "probe"})
    assert has("gray", some, every, labels={"app": "x"})
    unknown = from_pod_without_labels(world(some, every, in_mesh("vs", to("gray")), base=BARE))
    assert any("selects senders by labels" in doubt for doubt in unknown.undecided)


def from_pod_without_labels(index: Index):
    from meshconfig.simulate import Request, simulate

    return simulate(index, Request("cat", source_namespace="demo", port=9001))


FALLBACK = {
    "outlierDetection": {"consecutive5xxErrors": 1},
    "loadBalancer": {"localityLbSetting": {"enabled": True, "failoverPriority": ["env=gray"]}},
}


def fallback(**policy):
    all_pods = rule("cat", ())
    all_pods["spec"]["subsets"] = [{"name": "gray", "labels": {}, "trafficPolicy": {**FALLBACK, **policy}}]
    return from_pod(world(all_pods, in_mesh("vs", to("gray")), base=BARE)).outcome


def test_a_failover_priority_prefers_workloads():
    one = fallback()
    assert one.workloads == ("demo/cat-prod", "demo/cat-gray")
    assert one.preferred == ("demo/cat-gray",)
    assert one.prefers == (("env", "gray"),)


def test_without_outlier_detection_or_its_pods_it_prefers_none():
    without = {key: value for key, value in FALLBACK.items() if key != "outlierDetection"}
    all_pods = rule("cat", ())
    all_pods["spec"]["subsets"] = [{"name": "gray", "labels": {}, "trafficPolicy": without}]
    assert from_pod(world(all_pods, in_mesh("vs", to("gray")), base=BARE)).outcome.prefers == ()
    absent = fallback(loadBalancer={"localityLbSetting": {"failoverPriority": ["env=blue"]}})
    assert absent.preferred == absent.workloads
