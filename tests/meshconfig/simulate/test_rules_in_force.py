"""Which DestinationRule decides what subsets there are."""

import pytest
from istio_world import BASE, deployment, from_pod, in_mesh, rule, service, to, who, world

from meshconfig.simulate import Request, simulate

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


def pods(app):
    return {"workloadSelector": {"matchLabels": {"app": app}}}


# What a real istiod gave the sidecars of app cat in demo and of app dog in other, and the ingress gateway.
MEASURED = [
    (
        [
            rule("cat", ("a",), name="1", **pods("cat")),
            rule("cat", ("b",), name="2"),
            rule(CAT, ("c",), name="3", namespace="other", **pods("cat")),
            rule(CAT, ("d",), name="4", namespace=ROOT, exportTo=["."]),
        ],
        {"cat": "a", "dog": "", "gateway": "d"},
    ),
    (
        [
            rule("cat", ("a",), name="1", exportTo=["."]),
            rule("cat", ("b",), name="2", exportTo=["."], **pods("cat")),
            rule("cat", ("c",), name="3", exportTo=["*"]),
        ],
        {"cat": "ab", "dog": "c", "gateway": "c"},
    ),
    (
        [
            rule("cat", ("a",), name="1"),
            rule("cat", ("a", "b"), name="2"),
            rule(CAT, ("c",), name="3", namespace="other"),
            rule(CAT, ("d",), name="4", namespace=ROOT),
        ],
        {"cat": "ab", "dog": "c", "gateway": "ab"},
    ),
    (
        [
            rule("*.demo.svc.cluster.local", ("a",), name="1", exportTo=["other"]),
            rule("cat", ("b",), name="2", exportTo=[ROOT]),
            rule("*.svc.cluster.local", ("c",), name="3", namespace=ROOT),
            rule("*.local", ("d",), name="4", namespace="other", exportTo=["."]),
        ],
        {"cat": "c", "dog": "d", "gateway": "b"},
    ),
    (
        [
            rule("cat", ("a",), name="1", exportTo=["other"]),
            rule("cat", ("b",), name="2", exportTo=["other", ROOT]),
            rule("cat", ("c",), name="3"),
        ],
        {"cat": "c", "dog": "c", "gateway": "c"},
    ),
    (
        [rule("cat", ("a",), name="1", exportTo=["~"]), rule("cat", ("b",), name="2", exportTo=["demo"])],
        {"cat": "b", "dog": "", "gateway": ""},
    ),
    (
        [
            rule("cat", ("a",), name="1", **pods("cat")),
            rule("cat", ("b",), name="2", **pods("cat")),
            rule("cat", ("c",), name="3", **pods("dog")),
            rule("cat", ("d",), name="4", exportTo=["."]),
        ],
        {"cat": "abd", "dog": "", "gateway": ""},
    ),
    (
        [
            rule("cat", ("a",), name="1", exportTo=["other"]),
            rule("cat", ("b",), name="2", exportTo=["other", ROOT]),
            rule("cat", ("c",), name="3", exportTo=["other"]),
        ],
        {"cat": "", "dog": "abc", "gateway": ""},
    ),
    (
        [
            rule("cat", ("a",), name="1", exportTo=["*"], **pods("dog")),
            rule("cat", ("b",), name="2", exportTo=["*"]),
            rule("cat", ("c",), name="3", exportTo=["*", "."]),
        ],
        {"cat": "bc", "dog": "bc", "gateway": "bc"},
    ),
    (
        [
            rule("cat", ("a",), name="1", exportTo=["demo"]),
            rule("cat", ("b",), name="2", exportTo=["other", "demo"]),
            rule("cat", ("c",), name="3", exportTo=["other"], **pods("cat")),
            rule(CAT, ("d",), name="4", namespace="other", exportTo=["demo"]),
        ],
        {"cat": "c", "dog": "b", "gateway": ""},
    ),
    (
        [
            rule("cat", ("a",), name="1", **pods("cat")),
            rule("cat", ("b",), name="2", exportTo=["."], **pods("probe")),
            rule("*.demo.svc.cluster.local", ("c",), name="3"),
            rule(
                CAT,
                ("d",),
                name="4",
                namespace=ROOT,
                workloadSelector={"matchLabels": {"istio": "ingressgateway"}},
            ),
        ],
        {"cat": "a", "dog": "c", "gateway": "d"},
    ),
]
SENDERS = {
    "cat": ("demo", {"app": "cat"}),
    "dog": ("other", {"app": "dog"}),
    "gateway": (ROOT, {"istio": "ingressgateway"}),
}


@pytest.mark.parametrize(("rules", "expected"), MEASURED)
def test_which_subsets_a_real_istiod_gives(rules, expected):
    index = world(*rules, base=BARE)
    for sender, (namespace, labels) in SENDERS.items():
        selected, uncertain = index.rules.select(CAT, "demo", namespace, labels)
        assert ("".join(sorted(selected.subsets)), uncertain) == (expected[sender], False), sender


def test_a_rule_for_some_workloads():
    some = rule("cat", ("some",), name="some", workloadSelector={"matchLabels": {"app": "probe"}})
    every = rule("cat", ("gray",))
    assert has("some", some, every, labels={"app": "probe"})
    assert not has("gray", some, every, labels={"app": "probe"})
    assert has("gray", some, every, labels={"app": "x"})
    unknown = from_pod_without_labels(world(some, every, in_mesh("vs", to("gray")), base=BARE))
    assert any("selects senders by labels" in doubt for doubt in unknown.undecided)


def from_pod_without_labels(index):
    return simulate(index, Request("cat", source_namespace="demo", port=9001))


DETECTION = {"outlierDetection": {"consecutive5xxErrors": 1}}


def fallback(*priority, sender=None, enabled=True, policy=DETECTION, all_policy=None):
    """A subset of all Pods that prefers some."""
    locality = {"loadBalancer": {"localityLbSetting": {"enabled": enabled, "failoverPriority": list(priority)}}}
    all_pods = rule("cat", (), **({"trafficPolicy": all_policy} if all_policy else {}))
    all_pods["spec"]["subsets"] = [{"name": "gray", "labels": {}, "trafficPolicy": {**locality, **policy}}]
    index = world(all_pods, deployment("cat", "blue", tier="x"), in_mesh("vs", to("gray")), base=BARE)
    return from_pod(index, labels=sender or {})


def preferred(*priority, **more):
    return tuple(name.removeprefix("demo/cat-") for name in fallback(*priority, **more).outcome.preferred)


ALL = ("prod", "gray", "blue")


def test_a_failover_priority_prefers_workloads():
    one = fallback("env=gray").outcome
    assert one.workloads == ("demo/cat-prod", "demo/cat-gray", "demo/cat-blue")
    assert one.preferred == ("demo/cat-gray",)
    assert one.prefers == (("env", "gray"),)


def test_the_first_label_that_differs_decides():
    assert preferred("app=cat", "env=blue") == ("blue",)
    assert preferred("env=blue", "tier=y") == ("blue",)
    assert preferred("env=violet", "tier=x") == ALL
    assert preferred("app=cat", "env=violet") == ALL


def test_a_priority_without_a_value_is_the_senders():
    assert preferred("env", sender={"env": "blue"}) == ("blue",)
    assert preferred("tier", sender={"env": "blue"}) == ("prod", "gray")
    index = world(
        rule(
            "cat",
            ("gray",),
            trafficPolicy={**DETECTION, "loadBalancer": {"localityLbSetting": {"failoverPriority": ["env"]}}},
        ),
        in_mesh("vs", to("gray")),
        base=BARE,
    )
    assert "the sender's label env" in from_pod_without_labels(index).undecided[0]


def test_it_needs_outlier_detection_here_or_for_the_whole_rule():
    assert preferred("env=gray", policy={}) == ALL
    assert preferred("env=gray", policy={}, all_policy=DETECTION) == ("gray",)
    assert preferred("env=gray", enabled=False) == ALL


def test_of_merged_rules_the_oldest_with_a_policy_gives_it():
    locality = {"loadBalancer": {"localityLbSetting": {"failoverPriority": ["env=gray"]}}}
    everything = {"name": "gray", "labels": {}}
    rules = [
        rule("cat", (), name="a"),
        rule("cat", (), name="b", trafficPolicy={**DETECTION, **locality}),
        rule("cat", (), name="c", trafficPolicy={"tls": {}}),
    ]
    rules[0]["spec"]["subsets"] = [everything]
    assert from_pod(world(*rules, in_mesh("vs", to("gray")), base=BARE)).outcome.preferred == ("demo/cat-gray",)


def test_a_subset_that_contradicts_the_services_selector_has_no_pods():
    odd = rule("cat", ())
    odd["spec"]["subsets"] = [{"name": "gray", "labels": {"app": "mouse"}}]
    assert from_pod(world(odd, in_mesh("vs", to("gray")), base=BARE)).outcome.workloads == ()


def test_workloads_are_unknown_where_none_of_the_namespace_is_given_or_the_service_selects_none():
    some = tuple(one for one in BARE if one["kind"] != "Deployment")
    assert from_pod(world(base=some)).outcome.workloads is None
    assert from_pod(world(service("still", selector={})), "still").outcome.workloads is None
