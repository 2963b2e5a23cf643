"""What of a DestinationRule's policy holds for a subset, and whom a load balancer prefers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio import Subset
from meshconfig.istio.policies import agreeing, effective, failover_in_force, failover_priority

PREFERS = {"loadBalancer": {"localityLbSetting": {"failoverPriority": ["env=gray", "app"]}}}


def test_a_subsets_policy_replaces_the_rules_field_by_field():
    rule = {"tls": {"mode": "SIMPLE"}, "loadBalancer": {"simple": "RANDOM"}}
    own = Subset(name="gray", traffic_policy={"loadBalancer": {"simple": "ROUND_ROBIN"}})
    assert effective(rule, own) == {"tls": {"mode": "SIMPLE"}, "loadBalancer": {"simple": "ROUND_ROBIN"}}
    assert effective(rule, Subset(name="gray")) == effective(rule, None) == rule
    assert effective(None, None) == {}


@pytest.mark.parametrize("odd", [{}, {"loadBalancer": None}, {"loadBalancer": {"localityLbSetting": None}}])
def test_a_policy_that_prefers_nobody(odd):
    assert failover_priority(odd) == ()


def test_an_order_of_labels_has_an_effect_only_with_outlier_detection():
    assert failover_priority(PREFERS) == ("env=gray", "app")
    assert failover_in_force(PREFERS) == ()
    # pilot asks whether the field is there, not whether anything stands in it
    assert failover_in_force({**PREFERS, "outlierDetection": {}}) == ("env=gray", "app")


def test_an_order_that_is_switched_off():
    setting = {**PREFERS["loadBalancer"]["localityLbSetting"], "enabled": False}
    assert failover_priority({"loadBalancer": {"localityLbSetting": setting}}) == ()


WANTED = (("env", "gray"), ("zone", ""), ("app", "cat"))


@pytest.mark.parametrize(
    ("labels", "count"),
    [
        ({}, 0),
        ({"env": "gray"}, 2),  # a label that is not there equals an empty one
        ({"env": "gray", "zone": "a", "app": "cat"}, 1),
        ({"env": "gray", "app": "cat"}, 3),
        ({"env": "prod", "app": "cat"}, 0),
    ],
)
def test_the_first_label_that_differs_decides(labels, count):
    assert agreeing(labels, WANTED) == count


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy")), st.permutations("abc"))
def test_a_pod_agrees_with_its_own_labels(labels, order):
    wanted = [(name, labels.get(name, "")) for name in order]
    assert agreeing(labels, wanted) == len(wanted)
