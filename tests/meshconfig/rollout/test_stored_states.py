"""States that earlier versions stored are read, and are written as those versions can read them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.rollout.log import LogAction, LogKind
from meshconfig.rollout.machine import resume
from meshconfig.rollout.state import State, UnreadableStateError

STORED = sorted((Path(__file__).parent / "stored").glob("*.json"))  # as 0.x wrote them, before actions were typed


@pytest.mark.parametrize("file", STORED, ids=lambda file: file.stem)
def test_a_state_of_an_earlier_version_is_read_and_written_as_it_was(file):
    text = file.read_text().strip()
    state = State.from_json(text)
    assert json.loads(state.to_json()) == json.loads(text)
    assert resume(state) == resume(State.from_json(state.to_json()))


def test_the_stored_states_have_every_action():
    logs = [State.from_json(file.read_text()).log for file in STORED]
    assert {entry.action.kind for log in logs for entry in log} == set(LogKind)


def test_the_number_of_a_weight_is_read_as_a_number():
    (state,) = [State.from_json(file.read_text()) for file in STORED if file.stem == "measuring"]
    weights = [entry.action.weight for entry in state.log if entry.action.kind is LogKind.WEIGHT]
    assert weights == [5, 45, 5]


@given(st.builds(LogAction, st.sampled_from([one for one in LogKind if one is not LogKind.WEIGHT])))
def test_an_action_is_its_text_and_back(action):
    assert str(action) == action.kind.value
    assert LogAction.parse(str(action)) == action


@given(st.integers(0, 100))
def test_a_weight_is_its_text_and_back(weight):
    action = LogAction(LogKind.WEIGHT, weight)
    assert str(action) == f"weight {weight}"
    assert LogAction.parse(str(action)) == action


@pytest.mark.parametrize("text", ["", "weight", "weights 5", "weight five", "abort 5", "pods", " weight 5", 5, None])
def test_an_action_that_nobody_wrote_is_refused_with_its_place(text):
    (file,) = [file for file in STORED if file.stem == "measuring"]
    stored = json.loads(file.read_text())
    stored["log"][1]["action"] = text
    with pytest.raises(UnreadableStateError, match=r"^stored state of a rollout: log\[1\]\.action: "):
        State.from_json(json.dumps(stored))
