"""What a rollout asks of the cluster, from the first Pod to the old version's end, and on the way back."""

from datetime import timedelta

import pytest
from rollout_world import AUTO, NOW, SIZES, Run, retired, rollout, routes, scaled, work

from meshconfig.rollout.actions import Notify, Route, Scale, Wait, WatchPods
from meshconfig.rollout.analysis import Answer
from meshconfig.rollout.events import (
    Abort,
    ApplyFailed,
    Approve,
    Elapsed,
    Pause,
    PodsFailed,
    Published,
    Resume,
    Rollback,
    Supersede,
)
from meshconfig.rollout.machine import resume
from meshconfig.rollout.state import Phase, Stage
from meshconfig.rollout.status import status

NEW = WatchPods({"cat": "v2", "mouse": "v2"})


def names(run):
    return [str(entry.action) for entry in run.state.log]


def changes(run):
    """What it asked to be changed: Pods, requests, in this order."""
    asked = [one for one in run.asked if isinstance(one, Scale | Route)]
    return [scaled([one]) if isinstance(one, Scale) else routes([one])[0] for one in asked]


def test_the_whole_way():
    run = Run().start()
    assert scaled(run.actions) == [("cat", "v2", 2), ("mouse", "v2", 1)]
    run.obey()
    assert routes(run.actions) == [(10,)]
    run.obey()
    assert (run.state.phase, work(run.actions)) == (Phase.PAUSED, (NEW,))
    run.send(Approve("eva", note="looks fine")).until(Stage.WAIT)
    assert run.now == NOW + timedelta(minutes=5)
    assert work(run.actions) == (Wait(NOW + timedelta(minutes=15)), NEW)
    run.until(Stage.SUCCEEDED)
    assert routes(run.asked) == [(10,), (50,), (100,), (100, "taken over")]
    assert retired(run.asked[-1:]) == [("cat", "v1"), ("mouse", "v1")]
    assert run.now == NOW + timedelta(minutes=45)
    by_eva = [entry for entry in run.state.log if entry.who == "eva"]
    assert [(str(entry.action), entry.why) for entry in by_eva] == [("start", ""), ("approve", "looks fine")]


def test_without_keep_old_nothing_is_retired():
    run = Run(rollout([{"weight": 100}], keepOld=None)).start().until(Stage.SUCCEEDED)
    assert retired(run.asked) == []


def test_a_batch_scales_the_old_down_after_the_requests_have_moved():
    steps = [{"weight": 50, "replicas": "50%"}, {"weight": 75, "replicas": 6}, {"weight": 100}]
    run = Run(rollout(steps)).start().until(Stage.TAKE_OVER)
    assert changes(run) == [
        *([("cat", "v2", 4), ("mouse", "v2", 2)], (50,), [("cat", "v1", 4), ("mouse", "v1", 2)]),
        *([("cat", "v2", 6), ("mouse", "v2", 6)], (75,), [("cat", "v1", 2), ("mouse", "v1", 1)]),
        *([("cat", "v2", 8), ("mouse", "v2", 6)], (100,), (100, "taken over")),
    ]


def test_an_abort_moves_requests_first_and_pods_after():
    run = (
        Run(rollout([{"weight": 50, "replicas": "50%"}, {"pause": {}}, {"weight": 100}])).start().until(Stage.APPROVAL)
    )
    run.asked.clear()
    run.send(Abort("eva", note="too slow")).until(Stage.ABORTED)
    assert changes(run) == [(0, "back"), [("cat", "v1", 8), ("mouse", "v1", 4), ("cat", "v2", 1), ("mouse", "v2", 1)]]
    assert (run.state.phase, run.state.why) == (Phase.ABORTED, "too slow")


def test_an_abort_before_anything_began_leaves_pods_alone():
    run = Run().send(Abort("eva"))
    assert changes(run) == [(0, "back")]
    run.until(Stage.ABORTED)
    assert changes(run) == [(0, "back")]


@pytest.mark.parametrize(("event", "phase"), [(Rollback("eva"), Phase.ROLLED_BACK), (Abort("eva"), Phase.ABORTED)])
def test_the_way_back_ends_as_it_began(event, phase):
    run = Run().start().send(event)
    run.send(Abort("eva")).send(Rollback("eva")).until(Stage.ABORTED, Stage.ROLLED_BACK)
    assert run.state.phase is phase


def test_superseded_means_back_first_and_says_by_whom():
    run = Run().start().until(Stage.ROUTE).send(Supersede("eva", by="cat-v3"))
    assert (routes(work(run.actions)), run.state.why) == ([(0, "back")], "by rollout cat-v3")
    assert run.until(Stage.ABORTED).state.why == "by rollout cat-v3"


@pytest.mark.parametrize("event", [PodsFailed, ApplyFailed])
def test_what_fails_in_one_service_moves_all_back(event):
    run = Run().start().report(event, why="mouse-v2: 0 of 1 ready").until(Stage.ROLLED_BACK)
    assert changes(run)[1] == (0, "back")
    assert run.state.why == "mouse-v2: 0 of 1 ready"


def test_held_a_failure_stays_at_its_weight_until_somebody_decides():
    run = Run(rollout(onFail="hold")).start().until(Stage.ROUTE).report(ApplyFailed, why="refused")
    assert (run.state.phase, run.state.weight, work(run.actions)) == (Phase.DEGRADED, 10, ())
    assert routes(run.send(Resume("eva")).actions) == [(10,)]


def test_a_change_that_fails_on_the_way_back_is_tried_again():
    run = Run().start().send(Abort("eva"))
    turn = run.state.turn
    for _ in range(3):
        run.report(ApplyFailed, why="no answer")
    assert (run.state.stage, routes(run.actions), run.state.turn) == (Stage.ROUTES_BACK, [(0, "back")], turn + 3)
    assert names(run).count("apply failed") == 1


def test_no_data_pauses_and_says_so():
    run = Run().start().until(Stage.APPROVAL).send(Approve("eva"))
    while run.state.stage is Stage.ANALYSE:
        run.measure(Answer.NO_DATA, None, only="success")
    assert (run.state.phase, run.state.weight) == (Phase.PAUSED, 10)
    assert run.state.why == "success/cat: no data here; success/mouse: no data here"
    assert names(run)[-1] == "no data"
    assert run.now == NOW + timedelta(minutes=2)  # four times without an answer, every 30 s
    run.send(Resume("eva")).until(Stage.WAIT)


def test_failures_are_counted_over_the_whole_analysis():
    run = Run().start().until(Stage.APPROVAL).send(Approve("eva"))
    for answer in (Answer.PASS, Answer.FAIL, Answer.PASS):
        run.measure(answer, only="success")
    assert run.state.stage is Stage.ANALYSE
    run.measure(Answer.FAIL, only="success")
    assert run.state.stage is Stage.ROUTES_BACK
    assert run.state.why == "success/cat: fail here; success/mouse: fail here"


def test_a_pause_by_hand_and_the_clock():
    run = Run().start().until(Stage.APPROVAL).send(Approve("eva")).until(Stage.WAIT)
    run.after(60).send(Pause("eva", note="lunch"))
    assert (run.state.phase, work(run.actions)) == (Phase.PAUSED, ())
    started = run.now
    run.after(300).send(Resume("eva"))
    assert work(run.actions) == (Wait(started + timedelta(minutes=9)), NEW)


@pytest.mark.parametrize("stage", [Stage.WAIT, Stage.KEEP])
def test_a_clock_that_goes_off_too_early_ends_nothing(stage):
    run = Run().start().until(Stage.APPROVAL).send(Approve("eva")).until(stage)
    run.after(599).report(Elapsed)
    assert run.state.stage is stage


def test_an_approval_ends_a_timed_pause():
    run = Run().start().until(Stage.APPROVAL).send(Approve("eva")).until(Stage.WAIT).send(Approve("eva"))
    assert run.state.weight == 100


def test_a_pause_in_the_middle_of_a_change_takes_it_up_again():
    run = Run().start().until(Stage.ROUTE)
    asked = work(run.actions)
    run.send(Pause("eva"))
    assert work(run.send(Resume("eva")).actions) == asked


def test_metrics_drive_the_weight_up():
    run = Run(rollout(AUTO)).start().until(Stage.TAKE_OVER)
    assert routes(run.asked) == [(5,), (45,), (85,), (100,), (100, "taken over")]
    assert run.now == NOW + timedelta(minutes=4)


def test_a_failed_measurement_takes_the_weight_back_and_too_many_end_it():
    run = Run(rollout(AUTO)).start().until(Stage.ANALYSE)
    run.measure().measure()  # 30 s and 60 s
    run.until(Stage.ANALYSE).measure(Answer.FAIL, only="success")
    assert routes(run.asked) == [(5,), (45,)]
    run.until(Stage.ANALYSE)
    assert routes(run.asked) == [(5,), (45,), (5,)]
    run.measure(Answer.FAIL, only="success")
    assert run.state.stage is Stage.ROUTES_BACK


def test_a_webhook_is_told_of_each_transition_once_it_is_known_and_again_until_then():
    run = Run(rollout(notify=[{"url": "https://hooks.example.com"}])).start()
    assert [one.number for one in run.actions if isinstance(one, Notify)] == [1, 2]
    run.obey()
    assert [one.number for one in resume(run.state).actions if isinstance(one, Notify)] == [1, 2, 3]
    run.send(Published(2))
    assert [one.number for one in run.actions if isinstance(one, Notify)] == [3]


def test_the_log_does_not_grow_without_end():
    run = Run().start().send(Abort("eva"))
    for number in range(300):
        run.report(ApplyFailed, why=str(number))
    assert [run.state.log[0].number, run.state.log[-1].number, len(run.state.log)] == [104, 303, 200]


def test_status_shows_what_is_in_force_and_what_is_next():
    run = Run().start().until(Stage.APPROVAL)
    shown = status(run.state)
    assert shown["weights"] == {"cat": {"v1": 90, "v2": 10}, "mouse": {"v1": 90, "v2": 10}}
    assert (shown["phase"], shown["step"], shown["steps"], shown["until"]) == ("Paused", 1, 5, None)
    run.send(Approve("eva"))
    assert status(run.state)["until"] == "2026-01-01T12:05:00Z"
    run.until(Stage.ROUTE)
    assert status(run.state)["weights"]["cat"] == {"v1": 90, "v2": 10}
    run.until(Stage.SUCCEEDED)
    assert status(run.state)["weights"]["cat"] == {"v1": 0, "v2": 100}
    assert status(run.state)["pods"] == {"cat": {"v1": 0, "v2": 8}, "mouse": {"v1": 0, "v2": 4}}
    assert SIZES["cat"]["v1"] == 8
