"""A proxy that still has what was there before a step differs; one that has what the step wrote shows it."""

import copy

import pytest
from golden_plans import CASES, planned, read
from istiod_dump import dump

from meshconfig.backend import backend
from meshconfig.backend.evidence import Evidence, Written
from meshconfig.cluster.objects import key, state

LABELS = ("prod", "gray", "v3", "gray2", "v4")
PODS = [(f"10.0.0.{number}", {"env": label}) for number, label in enumerate(LABELS)]


def evidence(there, change):
    """What a proxy with this state shows of a change, as a barrier asks."""
    relabelled = backend().relabelled(change.written, change.before)
    pods = {
        (one.host, one.name): [address for address, labels in PODS if set(one.labels) <= labels.items()]
        for one in relabelled
    }
    return backend().evidence(dump(there, PODS), change, pods)


def steps():
    for case in CASES:
        live, made = planned(case)
        model = read(case, "after")[0] or read(case, "before")[0]
        there = state(live)
        for number, step in enumerate(made.steps):
            yield pytest.param(there, step, model.tag, id=f"{case}-{number + 1}")
            there = step.after(there)


ALL = list(steps())


def test_there_are_steps_of_every_kind():
    assert len(ALL) > 80


@pytest.mark.parametrize(("before", "step", "tag"), ALL)
def test_a_proxy_shows_a_step_or_differs(before, step, tag):
    after = step.after(before)
    written = tuple(one for wave in step.waves for one in wave)
    pushed = tuple(one for one in written if one["kind"] in ("VirtualService", "DestinationRule"))
    deleted = tuple(name for name in step.deletes if name.kind in ("VirtualService", "DestinationRule"))
    change = Written(written, deleted, before, tag)
    if pushed:
        assert evidence(after, change) is Evidence.SHOWS
    known = [one for one in pushed if key(one) in before]
    if known or deleted:
        assert evidence(before, change) is Evidence.DIFFERS
    elif pushed:
        assert evidence(before, change) is Evidence.ABSENT
    # Each single resource tells by itself, whichever a barrier looks for.
    for one in known:
        assert evidence(before, Written((one,), (), before, tag)) is Evidence.DIFFERS
        assert evidence(after, Written((one,), (), before, tag)) is Evidence.SHOWS


MESH, RULE = (
    next(one for one in read("policy-alone", "before")[1] if one["kind"] == kind and "mouse" in one["metadata"]["name"])
    for kind in ("VirtualService", "DestinationRule")
)


def route(**fields):
    return lambda spec: spec["http"][0].update(fields)


def subset(**fields):
    return lambda spec: spec["subsets"][0].update(fields)


POLICIES = {
    "time-out": (MESH, route(timeout="3s")),
    "time-out in milliseconds": (MESH, route(timeout="1500ms")),
    "retries": (MESH, route(retries={"attempts": 5})),
    "no retries": (MESH, route(retries={"attempts": 0})),
    "fault": (MESH, route(fault={"abort": {"httpStatus": 418, "percentage": {"value": 100}}})),
    "mirror": (MESH, route(mirror={"host": "dog-svc", "subset": "v3"})),
    "response header": (MESH, route(headers={"response": {"set": {"x-a": "1"}}})),
    "rewrite": (MESH, route(rewrite={"uri": "/other"})),
    "rule's balancer": (RULE, lambda spec: spec.update(trafficPolicy={"loadBalancer": {"simple": "ROUND_ROBIN"}})),
    "rule's limit": (RULE, lambda spec: spec.update(trafficPolicy={"connectionPool": {"tcp": {"maxConnections": 7}}})),
    "subset's time-out": (RULE, subset(trafficPolicy={"connectionPool": {"tcp": {"connectTimeout": "2s"}}})),
    "subset's ejection": (
        RULE,
        subset(trafficPolicy={"outlierDetection": {"consecutive5xxErrors": 3, "interval": "1s"}}),
    ),
    "subset's labels": (RULE, subset(labels={"env": "v3"})),
}


@pytest.mark.parametrize("what", POLICIES)
@pytest.mark.parametrize("comes", [True, False], ids=["comes", "goes"])
def test_what_only_a_policy_or_labels_change_is_seen(what, comes):
    plain, edit = POLICIES[what]
    other = copy.deepcopy(plain)
    edit(other["spec"])
    old, new = (plain, other) if comes else (other, plain)
    change = Written((new,), (), {key(old): old}, "env")
    assert evidence({key(new): new}, change) is Evidence.SHOWS
    assert evidence({key(old): old}, change) is Evidence.DIFFERS


def test_old_routes_are_not_taken_for_a_generation_of_theirs():
    """`gray.next` is another route than `gray`, though its name begins alike."""
    live, made = planned("lane-remapped-in-two-services")
    beside = made.steps[1]
    assert ".next" in beside.title
    for one in beside.waves[0]:
        only = Written((one,), (), state(live), "env")
        assert evidence(state(live), only) is Evidence.DIFFERS


def test_a_proxy_without_the_resource_says_nothing():
    assert evidence({}, Written((MESH,), (), {}, "env")) is Evidence.ABSENT
    assert backend().evidence({}, Written((MESH,), (), {}, "env")) is Evidence.ABSENT


@pytest.mark.parametrize("both", [{"set": {"env": "gray", "baggage": "env=gray"}}, {"remove": ["env", "baggage"]}])
def test_an_entry_that_leaves_baggage_as_it_was_does_not_show_one_that_settles_both(both):
    header = {kind: {"env": "gray"} if kind == "set" else ["env"] for kind in both}
    old, new = copy.deepcopy(MESH), copy.deepcopy(MESH)
    for one, request in ((old, header), (new, both)):
        one["spec"]["http"][0]["route"][0]["headers"] = {"request": request}
    change = Written((new,), (), {key(old): old}, "env")
    assert evidence({key(new): new}, change) is Evidence.SHOWS
    assert evidence({key(old): old}, change) is Evidence.DIFFERS
