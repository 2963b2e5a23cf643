"""Commands on an API server that fails in every way, and commands that are killed: see `fault_schedules`."""

import pytest
from fault_schedules import tried
from forked import Forked
from fuzzing import LONG
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.fuzz

SEEDS = st.integers(0, 2**32)
# A seed cannot be shrunk, and each takes a second.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


@pytest.fixture(scope="module")
def forked():
    one = Forked()
    yield one
    one.close()


def few(count):
    return settings(
        max_examples=count if LONG else 3, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck)
    )


@pytest.mark.slow
@few(200)
@given(SEEDS)
def test_after_any_faults_the_same_command_reaches_the_wanted_state(forked, seed):
    trial = tried(seed, False, forked)
    assert not trial.wrong, "\n".join([*trial.wrong, *trial.said])


@pytest.mark.slow
@few(160)
@given(SEEDS)
def test_after_a_kill_at_any_request_the_same_command_reaches_the_wanted_state(forked, seed):
    trial = tried(seed, True, forked)
    assert not trial.wrong, "\n".join([*trial.wrong, *trial.said])
