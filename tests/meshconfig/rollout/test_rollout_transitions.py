"""Every stage met with every event: where it leads, or that it is refused by naming what is possible."""

import pytest
from rollout_world import SIZES, Run, rollout

from meshconfig.rollout import events
from meshconfig.rollout.analysis import Answer, Reading
from meshconfig.rollout.events import word
from meshconfig.rollout.machine import IllegalEventError, resume, step
from meshconfig.rollout.pending_actions import until
from meshconfig.rollout.state import PHASE, Phase, Stage, State, UnreadableStateError

STEPS = [
    {"weight": 50, "replicas": "50%"},
    {"pause": {}},
    {"pause": {"for": "10m"}},
    {"analysis": {"for": "1m"}},
    {"weight": 100},
]
S = Stage
BACK = {"abort": S.ROUTES_BACK, "rollback": S.ROUTES_BACK, "supersede": S.ROUTES_BACK}
FORWARD = {**BACK, "pause": S.HELD}
FAILED = {"pods failed": S.ROUTES_BACK, "apply failed": S.ROUTES_BACK}
EXPECTED = {
    S.PENDING: {**FORWARD, "start": S.SCALE, "apply failed": S.ROUTES_BACK},
    S.SCALE: {**FORWARD, **FAILED, "pods ready": S.ROUTE},
    S.ROUTE: {**FORWARD, **FAILED, "routed": S.SHRINK},
    S.SHRINK: {**FORWARD, **FAILED, "pods ready": S.APPROVAL},
    S.APPROVAL: {**BACK, "pods failed": S.ROUTES_BACK, "approve": S.WAIT},
    S.WAIT: {**FORWARD, "pods failed": S.ROUTES_BACK, "approve": S.ANALYSE, "elapsed": S.ANALYSE},
    S.ANALYSE: {**FORWARD, "pods failed": S.ROUTES_BACK, "measured": S.SCALE},
    S.TAKE_OVER: {**FORWARD, **FAILED, "routed": S.KEEP},
    S.KEEP: {**FORWARD, "elapsed": S.RETIRE},
    S.RETIRE: {"apply failed": S.RETIRE, "old retired": S.SUCCEEDED},
    S.HELD: {**BACK, "resume": S.ROUTE},
    S.NO_DATA: {**BACK, "resume": S.ANALYSE, "approve": S.SCALE},
    S.BAD_METRICS: {**BACK, "resume": S.ANALYSE, "approve": S.SCALE},
    S.BAD_CHANGE: {**BACK, "resume": S.ROUTE},
    S.ROUTES_BACK: {**dict.fromkeys([*BACK, *FAILED], S.ROUTES_BACK), "routed": S.PODS_BACK},
    S.PODS_BACK: {**dict.fromkeys([*BACK, *FAILED], S.PODS_BACK), "pods ready": S.ROLLED_BACK},
    S.SUCCEEDED: {},
    S.ABORTED: {},
    S.ROLLED_BACK: {},
}
SAID = [events.Approve, events.Pause, events.Resume, events.Abort, events.Rollback, events.Supersede]
REPORTS = [events.Start, events.PodsReady, events.Routed, events.Elapsed, events.OldRetired]
KINDS = [*SAID, *REPORTS, events.PodsFailed, events.ApplyFailed, events.Measured]


def going():
    """A run that goes its whole way, stopping at each stage."""
    run = Run(rollout(STEPS))
    yield run
    run.start()
    while run.state.stage is not S.SUCCEEDED:
        yield run
        if run.state.stage is S.APPROVAL:
            run.send(events.Approve("eva"))
        else:
            run.obey()
    yield run


def reached(stage):
    """A run that is in this stage."""
    for run in going():
        if run.state.stage is stage:
            return run
        if stage is S.HELD and run.state.stage is S.ROUTE:
            return run.send(events.Pause("eva"))
        if stage is S.NO_DATA and run.state.stage is S.ANALYSE:
            while run.state.stage is S.ANALYSE:
                run.measure(Answer.NO_DATA, None)
            return run
        if stage in (S.BAD_METRICS, S.BAD_CHANGE):
            return held(stage)
        if stage in (S.ROUTES_BACK, S.PODS_BACK, S.ROLLED_BACK) and run.state.stage is S.ROUTE:
            return run.send(events.Rollback("eva")).until(stage)
        if stage is S.ABORTED and run.state.stage is S.ROUTE:
            return run.send(events.Abort("eva")).until(stage)
    raise AssertionError(stage)


def held(stage):
    run = Run(rollout([{"weight": 50}, {"analysis": {"for": "1m"}}, {"weight": 100}], onFail="hold")).start()
    if stage is S.BAD_CHANGE:
        return run.until(S.ROUTE).report(events.ApplyFailed, why="refused")
    run.until(S.ANALYSE)
    while run.state.stage is S.ANALYSE:
        run.measure(Answer.FAIL, 0.5)
    return run


def event(kind, state):
    """One of a kind, such that it would have its effect: time is over, all metrics have passed."""
    if issubclass(kind, events.Supersede):
        return kind("eva", by="cat-v3")
    if issubclass(kind, events.Decision):
        return kind("eva", note="because")
    if kind is events.Start:
        return kind(state.turn, sizes=SIZES)
    if kind is events.Measured:
        keys = [("success", "cat"), ("success", "mouse"), ("queue", "")]
        readings = [Reading(metric=one, service=service, answer=Answer.PASS) for one, service in keys]
        return kind(state.turn, readings=tuple(readings))
    return kind(state.turn)


def test_every_stage_is_walked_and_has_a_phase():
    assert set(EXPECTED) == set(Stage) == set(PHASE)
    assert {PHASE[stage] for stage in Stage} == set(Phase)
    assert {PHASE[stage] for stage in Stage if not EXPECTED[stage]} == {one for one in Phase if one.final}


@pytest.mark.parametrize("kind", KINDS, ids=word)
@pytest.mark.parametrize("stage", Stage, ids=str)
def test_every_pair(stage, kind):
    run = reached(stage)
    state, now = run.state, until(run.state)
    if word(kind) not in EXPECTED[stage]:
        with pytest.raises(IllegalEventError) as refused:
            step(state, event(kind, state), now)
        assert f"is {state.phase} ({stage})" in str(refused.value)
        possible = {word(one) for one in KINDS if word(one) in EXPECTED[stage]}
        if issubclass(kind, events.Decision):
            possible &= {word(one) for one in SAID if one is not events.Supersede}  # which nobody types
        named = str(refused.value).partition("; possible: ")[2]
        assert set(filter(None, named.split(", "))) == possible
        return
    after, _ = step(state, event(kind, state), now)
    assert after.stage is EXPECTED[stage][word(kind)]
    assert after.turn > state.turn or issubclass(kind, events.Decision)
    assert after.log[-1].at == now
    assert after.log[-1].who == ("eva" if issubclass(kind, events.Decision) else "graylane")


@pytest.mark.parametrize("stage", Stage, ids=str)
def test_a_stored_state_is_taken_up_where_it_was(stage):
    state = reached(stage).state
    again = State.from_json(state.to_json())
    assert again == state
    assert resume(again) == resume(state)


def test_nothing_of_the_rollout_is_lost_where_it_is_stored():
    hook = {"url": "https://hooks.example.com", "secretRef": {"name": "hook"}}
    state = Run(rollout(STEPS, notify=[hook], entry="cat.example.com", onFail="hold", keepOld="90s")).start().state
    again = State.from_json(state.to_json())
    assert again.rollout.model_dump() == state.rollout.model_dump()
    assert again.rollout.spec.notify[0].secret_ref.key == "secret"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "stored state of a rollout: Invalid JSON"),
        ('{"colour": "red"}', "stored state of a rollout: rollout: Field required"),
    ],
)
def test_a_state_that_is_none_of_ours_is_refused_in_words(text, said):
    with pytest.raises(UnreadableStateError) as refused:
        State.from_json(text)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("stage", Stage, ids=str)
def test_a_report_that_comes_too_late_changes_nothing(stage):
    state = reached(stage).state
    for kind in (events.PodsReady, events.Routed, events.Elapsed, events.OldRetired, events.ApplyFailed):
        assert step(state, kind(state.turn - 1), until(state)) == resume(state)


@pytest.mark.parametrize("stage", Stage, ids=str)
def test_webhooks_may_be_told_at_any_time_and_it_changes_nothing_else(stage):
    state = reached(stage).state
    after, _ = step(state, events.Published(1), until(state))
    assert after == state.model_copy(update={"told": 1})


def test_a_refusal_says_what_is_possible():
    run = reached(S.APPROVAL)
    with pytest.raises(IllegalEventError) as refused:
        run.send(events.Resume("eva"))
    said = "rollout cat-v2 is Paused (awaiting approval): resume is not possible; possible: "
    assert str(refused.value) == f"{said}abort, rollback, approve"
    with pytest.raises(IllegalEventError, match=r"is Succeeded \(succeeded\): abort is not possible any more"):
        reached(S.SUCCEEDED).send(events.Abort("eva"))
