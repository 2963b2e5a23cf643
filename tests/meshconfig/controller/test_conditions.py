"""Conditions say what kstatus expects, and their time is that of the last change of their status."""

from datetime import UTC, datetime, timedelta

from controller_world import document

from meshconfig.cluster.conditions import LONGEST, ready, reconciling, stalled, written
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.controller.reporter import event

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def kstatus(found):
    """What cli-utils makes of conditions: pkg/kstatus/status/core.go, `checkGenericProperties`."""
    there = {one["type"]: one["status"] for one in found}
    if there.get("Reconciling") == "True":
        return "InProgress"
    if there.get("Stalled") == "True":
        return "Failed"
    return "Current" if there.get("Ready", "True") == "True" else "InProgress"


def test_each_state_is_what_git_controllers_wait_for():
    states = {
        "Current": ready("Applied", "it is so"),
        "InProgress": reconciling("Applying", "step 1 of 3"),
        "Failed": stalled("InvalidSpec", "no"),
    }
    assert {kstatus(written(one, (), 1, NOW)): name for name, one in states.items()} == {name: name for name in states}


def test_the_time_changes_with_the_status_alone():
    first = written(reconciling("Applying", "step 1"), (), 1, NOW)
    later = written(reconciling("Applying", "step 2"), first, 2, NOW + timedelta(minutes=1))
    assert [one["lastTransitionTime"] for one in later] == ["2026-11-29T12:00:00Z"] * 2
    assert {one["message"] for one in later} == {"step 2"}
    last = written(ready("Applied", "done"), later, 2, NOW + timedelta(minutes=2))
    assert last[0]["lastTransitionTime"] == "2026-11-29T12:02:00Z"


def test_a_long_message_is_cut():
    (one, _) = written(stalled("Refused", "x" * 5000), (), 1, NOW)
    assert len(one["message"]) == LONGEST


def test_the_same_event_has_the_same_name_and_another_one_has_another():
    metadata = {"name": "pets", "namespace": "demo", "uid": "7", "generation": 2}
    one = GroupObject({**document(), "metadata": metadata})
    names = [
        event(one, "Normal", reason, message, "2", NOW)["metadata"]["name"]
        for reason, message in (("Applied", "revision 1"), ("Applied", "revision 1"), ("Applied", "revision 2"))
    ]
    assert names[0] == names[1] != names[2]
