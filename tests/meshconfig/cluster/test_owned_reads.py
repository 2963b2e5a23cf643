"""What a change reads of a namespace: all that a list of everything would tell it, and little of what others have."""

import sys
from copy import deepcopy

from fake_api import service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollout_world import GROUP, group
from runner_world import cluster, mesh

from meshconfig.cluster import named, owned
from meshconfig.cluster.change import Wanted, prepare
from meshconfig.cluster.objects import Key
from meshconfig.cluster.owned import NotOurs
from meshconfig.compile import compile_group
from meshconfig.render import render

__all__ = ["cluster", "mesh"]

BEFORE = group()
TURNED = group(GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v2"))
COW = "cow: {host: cow-svc, port: 9001, versions: {v1: {labels: {v: v1}, autoscale: {min: 1, max: 2}}}}"
WIDER = group(
    GROUP.replace("prod: {versions: {", "prod: {versions: {cow: v1, ").replace("  entries:", f"    {COW}\n  entries:")
)
SPECS = {"before": BEFORE, "turned": TURNED, "wider": WIDER}
RESOURCES = {
    (f"{one['kind'].lower()}s", one["metadata"]["namespace"], one["metadata"]["name"]): one
    for spec in SPECS.values()
    for one in render([compile_group(spec)])
}
OURS = {"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "pets"}
LABELS = {
    "ours": OURS,
    "another group's": {**OURS, "graylane.dev/group": "pets2"},
    "nobody's": {},
    "half ours": {"graylane.dev/group": "pets"},
}
FATES = st.sampled_from(["as it is", "absent", *LABELS])
module = sys.modules["meshconfig.cluster.change.prepare"]


def told(mesh, spec, **more):
    """The plan and what it is made from, or why there is none."""
    try:
        found = prepare(mesh.client, Wanted("pets", "demo", spec, **more))
    except NotOurs as error:
        return str(error)
    return found.plan, found.differences, found.live, found.inventory


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fates=st.fixed_dictionaries(dict.fromkeys(RESOURCES, FATES)),
    spec=st.sampled_from(sorted(SPECS)),
    gone=st.booleans(),
    few=st.sampled_from([0, 1, 6]),
)
def test_a_plan_is_that_of_a_list_of_everything(mesh, monkeypatch, fates, spec, gone, few):
    there = dict(mesh.api.objects)
    with monkeypatch.context() as patched:
        patched.setattr(named, "FEW", few)
        for place, fate in fates.items():
            if fate == "absent":
                mesh.api.objects.pop(place, None)
            elif fate != "as it is":
                one = deepcopy(RESOURCES[place])
                mesh.api.put({**one, "metadata": {**one["metadata"], "labels": LABELS[fate]}})
        short = told(mesh, SPECS[spec], gone=gone)
        patched.setattr(module, "owned", _Everything)
        assert short == told(mesh, SPECS[spec], gone=gone)
    mesh.api.objects = there


class _Everything:
    """`owned`, where every resource is read."""

    check_free = staticmethod(owned.check_free)

    @staticmethod
    def read(*arguments, others):
        return owned.read(*arguments, others=True)


def test_what_other_groups_have_is_not_read(mesh):
    mesh.apply(BEFORE)
    mesh.api.put(service("cow-svc"))
    for place, one in RESOURCES.items():
        for number in range(20):
            metadata = {**one["metadata"], "name": f"{place[2]}-{number}", "labels": LABELS["another group's"]}
            mesh.api.put({**one, "metadata": metadata})
    read, answer = [], mesh.api.answer

    def counted(*request):
        found = answer(*request)
        read.extend(one["metadata"]["name"] for one in found.get("items", ()))
        return found

    mesh.api.answer = counted
    mesh.apply(WIDER)
    assert read
    assert not [one for one in read if one[-1].isdigit() and "-r" not in one]


def test_what_is_selected_is_asked_for_without_a_limit_so_that_the_server_need_not_decode_all_others(mesh):
    mesh.apply(BEFORE)
    mesh.api.seen.clear()
    mesh.apply(TURNED)
    lists = [url for _, url in mesh.api.seen if "Selector=" in url and "/configmaps" not in url]
    assert lists
    assert not [url for url in lists if "limit=" in url]


FORGED = ["", "cat-svc,metadata.namespace=other", "Cat", "../../secrets/x", "a b"]


def test_a_forged_inventory_has_nothing_else_read(mesh):
    names = [Key(kind, "demo", name) for kind in ("VirtualService", "Secret", "Pod") for name in (*FORGED, "cat-svc")]
    mesh.api.seen.clear()
    owned.read(mesh.client, "pets", ["demo"], [*names, Key("VirtualService", "other", "cat-svc")], {}, "v1")
    (asked,) = [url for _, url in mesh.api.seen]
    assert asked.endswith("/demo/virtualservices?fieldSelector=metadata.name%3Dcat-svc")
