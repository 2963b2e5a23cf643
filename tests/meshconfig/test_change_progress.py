"""What a change prints while it is under way: each line is a line, and what others wrote breaks none."""

import pytest

from meshconfig.cli.cluster import ProgressPrinter
from meshconfig.cli.common import stderr
from meshconfig.cluster.barrier import Progress, Verification
from meshconfig.cluster.change.check import Refusal
from meshconfig.cluster.objects import Key
from meshconfig.cluster.plan.steps import Step
from meshconfig.cluster.preflight.finding import warning

HOSTILE = "cat\n::error::x\x1b[2J\u202e"


@pytest.fixture
def printed(capsys):
    def lines(show):
        show(ProgressPrinter(stderr()).watcher())
        return capsys.readouterr().err.splitlines()

    return lines


def test_a_warning_is_two_lines_what_is_wrong_and_what_to_do(printed):
    found = printed(
        lambda watcher: watcher.warned([warning("Service demo/cat", "no Pod", "Deploy it"), warning("a", "b", "c")])
    )
    assert found == ["warning: Service demo/cat: no Pod", "  Deploy it", "warning: a: b", "  c"]


def test_each_field_that_is_taken_over_is_a_line(printed):
    refusal = Refusal(Key("VirtualService", "demo", "cat"), (".spec.hosts: kubectl", ".spec.http: argo"), True)
    assert printed(lambda watcher: watcher.adopting([refusal])) == [
        "taking over VirtualService demo/cat: .spec.hosts: kubectl",
        "taking over VirtualService demo/cat: .spec.http: argo",
    ]


@pytest.mark.parametrize("field", range(3))
def test_a_value_with_a_line_break_stays_in_its_line(printed, field):
    values = ["where", "what", "fix"]
    values[field] = HOSTILE
    where, what, fix = values
    found = printed(lambda watcher: watcher.warned([warning(where, what, fix)]))
    assert len(found) == 2
    assert r"cat\n::error::x\x1b[2J\u202e" in "\n".join(found)


def test_a_manager_with_a_line_break_stays_in_its_line(printed):
    refusal = Refusal(Key("VirtualService", "demo", "cat"), (HOSTILE,), True)
    (line,) = printed(lambda watcher: watcher.adopting([refusal]))
    assert r"\n::error::x\x1b[2J" in line


def test_an_unverified_step_names_what_could_not_be_seen(printed):
    seen = Progress(1, 2, (), (f"istiod-1 still makes other configuration for {HOSTILE}",))

    def step(watcher):
        watcher.events.step(0, Step("routes", ""))
        watcher.events.barrier(seen)
        watcher.events.ended(0, Verification.UNVERIFIED, 45.1)

    first, second = printed(step)
    assert first.endswith("0 written, barrier unverified (45.1 s)")
    assert second.startswith("  istiod-1 still makes other configuration for cat")
    assert r"\n::error::x\x1b[2J" in second
