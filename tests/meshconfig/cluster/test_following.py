"""When a command that follows an object is done: never by what the status says of an earlier spec."""

from datetime import UTC, datetime

import pytest
from fake_api import api_server
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.cluster import conditions
from meshconfig.cluster.client import Client
from meshconfig.cluster.following import (
    OBSERVED,
    Course,
    GoneError,
    NotObservedError,
    StalledError,
    Told,
    TooSlowError,
    follow,
)
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.errors import ApiError, ClusterError, Unreachable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATED = {
    "ready": conditions.ready("Applied", "at every proxy"),
    "reconciling": conditions.reconciling("Applying", "work is under way"),
    "stalled": conditions.stalled("NoPort", "cat-svc has no port"),
    "nothing": (),
}


def thing(generation=2, observed=0, stated="nothing", about=None, step=None, uid="a", **metadata):
    status = {
        "observedGeneration": observed,
        "conditions": conditions.written(STATED[stated], (), observed if about is None else about, NOW),
    }
    if step:
        status["change"] = {"steps": 9, "step": step, "title": "routes", "waitingFor": ["demo/cat-1"]}
    named = {"name": "pets", "namespace": "demo", "uid": uid, "generation": generation, **metadata}
    return GroupObject({"kind": "LaneGroup", "metadata": named, "status": status})


moments = st.builds(
    thing,
    generation=st.integers(1, 4),
    observed=st.integers(0, 4),
    stated=st.sampled_from(sorted(STATED)),
    about=st.integers(0, 4),
    step=st.integers(0, 9),
)


@given(st.lists(moments, max_size=8))
def test_the_end_is_what_is_said_of_the_newest_spec(seen):
    course = Course(thing(), 0.0, 300.0)
    for number, one in enumerate(seen):
        condition = one.condition("Ready") or {"observedGeneration": -1}
        newest = min(one.observed, condition["observedGeneration"]) >= one.generation
        try:
            ended = course.take(one, float(number))
        except StalledError:
            assert one.is_true("Stalled")
            assert newest
            return
        assert ended == (one.is_true("Ready") and newest)
        if ended:
            return


@given(st.lists(moments, max_size=8))
def test_whatever_happens_somebody_says_when_it_is_too_late(seen):
    course = Course(thing(), 0.0, 300.0, deleting=True)
    for number, one in enumerate(seen):
        try:
            course.take(one, float(number))
        except StalledError:
            return
        assert course.now <= number
    assert course.limit <= course.now + 300
    assert isinstance(course.too_late(), NotObservedError | TooSlowError)


def test_a_controller_that_has_not_looked_has_30_seconds_and_one_at_work_as_long_as_it_makes_progress():
    course = Course(thing(), 5.0, 300.0)
    assert course.limit == 5.0 + OBSERVED
    course.take(thing(observed=1, stated="reconciling", step=1), 10.0)  # busy with the spec before
    assert course.limit == 310.0
    course.take(thing(observed=1, stated="reconciling", step=1), 20.0)
    assert course.limit == 310.0
    course.take(thing(observed=2, stated="reconciling", step=2), 30.0)
    assert course.limit == 330.0
    assert "no progress within 300 s: step 2 of 9 (routes), waiting for demo/cat-1" in str(course.too_late())


def test_an_object_that_is_deleted_or_made_anew_is_no_end_of_an_apply():
    course = Course(thing(), 0.0, 300.0)
    with pytest.raises(GoneError, match="being deleted"):
        course.take(thing(deletionTimestamp="2026-01-01T00:00:00Z"), 1.0)
    with pytest.raises(GoneError, match="was deleted"):
        course.take_gone()
    with pytest.raises(GoneError):
        course.take(thing(uid="b", observed=2, stated="ready"), 1.0)
    gone = Course(thing(), 0.0, 300.0, deleting=True)
    assert not gone.take(thing(deletionTimestamp="2026-01-01T00:00:00Z", observed=2, stated="ready"), 1.0)
    assert gone.take_gone()
    assert gone.take(thing(uid="b"), 1.0)


def test_an_api_server_that_is_away_is_named_in_place_of_the_controller():
    course = Course(thing(), 0.0, 300.0)
    course.take_error(Unreachable("no answer from the API server"))
    assert "cannot be followed: no answer from the API server" in str(course.too_late())
    course.take(thing(), 1.0)
    assert isinstance(course.too_late(), NotObservedError)
    with pytest.raises(ClusterError, match="list and watch on lanegroups"):
        course.take_error(ApiError(403, "Forbidden", "eva may not watch lanegroups"))


def test_an_object_that_has_gone_before_anybody_looks_has_gone(tmp_path, monkeypatch):
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        told = Told(lambda one: None, lambda one: None, lambda error: None)
        assert follow(Client.connect(), thing(), told, timeout=20, deleting=True).key.name == "pets"
