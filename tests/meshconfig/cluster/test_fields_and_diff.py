"""Which part of a live resource graylane decides on, whose the rest is, and what a difference says."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.backend.kinds import KINDS
from meshconfig.cluster.diff import Kind, ResourceDiff, differences
from meshconfig.cluster.fields import managed_part, other_managers
from meshconfig.cluster.objects import key, state
from meshconfig.cluster.owned import Live as LiveSet
from meshconfig.cluster.owned import NotOurs, check_free, label
from meshconfig.render import GROUP, MANAGED_BY

LABELS = {MANAGED_BY: "graylane", GROUP: "pets"}


def rule(subsets=("prod",), labels=LABELS, **spec):
    """A DestinationRule as graylane renders it."""
    named = [{"name": name, "labels": {"env": name}} for name in subsets]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "cat-svc", "namespace": "demo", "labels": dict(labels)},
        "spec": {"host": "cat-svc.demo.svc.cluster.local", **spec, "subsets": named},
    }


def served(manifest, *managers):
    """As the server gives it back: `managers` are (name, operation, fields of the spec)."""
    live = copy.deepcopy(manifest)
    live["metadata"] |= {
        "uid": "u",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    live["metadata"]["managedFields"] = [
        {
            "manager": name,
            "operation": operation,
            "time": f"2026-01-0{number}T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {f"f:{one}": {} for one in LABELS}} if name == "graylane" else {},
                "f:spec": fields,
            },
        }
        for number, (name, operation, fields) in enumerate(managers, 1)
    ]
    return live


OWN = ("graylane", "Apply", {"f:host": {}, "f:subsets": {}})


def test_what_the_server_adds_is_no_difference():
    live = served(rule(), OWN)
    assert differences({key(live): managed_part(live, rule())}, state([rule()])) == []


def test_what_another_manager_adds_beside_ours_is_theirs():
    live = served(rule(exportTo=["."]), OWN, ("kubectl-edit", "Update", {"f:exportTo": {}}))
    assert differences({key(live): managed_part(live, rule())}, state([rule()])) == []
    assert [(one.manager, one.time, one.fields) for one in other_managers(live)] == [
        ("kubectl-edit", "2026-01-02T00:00:00Z", (".spec.exportTo",))
    ]


def test_what_graylane_applied_and_no_longer_wants_is_a_difference():
    own = ("graylane", "Apply", {"f:host": {}, "f:subsets": {}, "f:trafficPolicy": {"f:connectionPool": {}}})
    live = served(rule(trafficPolicy={"connectionPool": {"http": {}}}), own)
    (one,) = differences({key(live): managed_part(live, rule())}, state([rule()]))
    assert [(field.path, field.live, field.wanted) for field in one.fields()] == [
        ("spec.trafficPolicy", {"connectionPool": {"http": {}}}, None)
    ]


def test_a_list_that_another_manager_changed_is_a_difference():
    live = served(rule(("prod", "gray")), ("kubectl-edit", "Update", {"f:subsets": {}}))
    (one,) = differences({key(live): managed_part(live, rule())}, state([rule()]))
    assert one.kind is Kind.CHANGED
    assert "-  - name: gray" in one.unified()
    assert not [line for line in one.unified().splitlines()[2:] if line.startswith("+")]


def test_a_field_inside_an_item_is_named_by_its_path():
    wanted = rule()
    live = served(wanted, OWN)
    live["spec"]["subsets"][0]["labels"]["env"] = "other"
    (one,) = differences({key(live): managed_part(live, wanted)}, state([wanted]))
    assert one.as_json()["fields"] == [{"path": "spec.subsets[0].labels.env", "live": "other", "wanted": "prod"}]


def test_what_is_not_wanted_any_more_is_deleted_and_what_is_missing_created():
    live = served(rule(), OWN)
    (gone,) = differences({key(live): managed_part(live, None)}, {})
    assert str(gone) == "deleted DestinationRule demo/cat-svc"
    (new,) = differences({}, state([rule()]))
    assert str(new) == "created DestinationRule demo/cat-svc"
    assert new.unified().count("\n+") > 5


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "kubectl label destinationrules.networking.istio.io cat-svc -n demo"),
        ({GROUP: "pets"}, "is nobody's"),
        ({MANAGED_BY: "Helm", GROUP: "pets"}, "is nobody's"),
        ({MANAGED_BY: "graylane", GROUP: "shop"}, "belongs to group shop"),
    ],
)
def test_a_name_that_is_somebody_elses_stops_the_change(labels, said):
    live = served(rule(labels=labels))
    unmanaged = {key(live): live}
    assert label(live) in (None, "shop")
    with pytest.raises(NotOurs, match="DestinationRule demo/cat-svc") as refused:
        check_free(LiveSet({}, {}, unmanaged, "v1"), state([rule()]), "pets")
    assert said in str(refused.value)
    check_free(LiveSet({}, {}, unmanaged, "v1"), {}, "pets")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("VirtualService", "virtualservices.networking.istio.io"),
        ("Gateway", "gateways.networking.istio.io"),  # with Gateway API's CRDs, `gateway` is another kind
        ("HorizontalPodAutoscaler", "horizontalpodautoscalers.autoscaling"),
        ("Service", "services"),
    ],
)
def test_a_kind_is_named_for_kubectl_with_its_group(kind, name):
    assert KINDS[kind].resource == name


values = st.recursive(
    st.integers(0, 2) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), values), st.dictionaries(st.sampled_from("abc"), values))
def test_fields_tell_of_every_difference_and_only_of_one(here, there):
    live, wanted = rule(), rule()
    live["spec"], wanted["spec"] = here, there
    found = differences(state([live]), state([wanted]))
    assert bool(found) == (here != there)
    for one in found:
        assert one.fields()
        assert all(field.live != field.wanted for field in one.fields())


def test_the_order_of_fields_is_no_difference_in_a_unified_diff():
    def route(rule):
        return {
            "apiVersion": "v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "a", "namespace": "demo"},
            "spec": {"rules": [rule]},
        }

    live, wanted = (
        route({"backends": 1, "matches": 2, "name": "x", "more": 0}),
        route({"name": "x", "matches": 3, "backends": 1}),
    )
    text = ResourceDiff(key(live), live, wanted).unified()
    changed = [line for line in text.splitlines()[2:] if line[:1] in "+-"]
    assert [line[1:].strip() for line in changed] == ["matches: 2", "matches: 3", "more: 0"]
