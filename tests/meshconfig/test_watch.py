"""`--watch` in a pipe: what the command returns at Ctrl-C is what it showed last."""

import pytest

from meshconfig.cli import watch
from meshconfig.cli.common import Output
from meshconfig.errors import ClusterError


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(watch, "EVERY", 0)


@pytest.fixture
def shown(monkeypatch):
    """Runs a view until it has shown `bad`, when Ctrl-C comes at once; returns what was shown."""
    said = []

    def say(text, **_):
        said.append(text)
        if text == "bad":
            raise KeyboardInterrupt

    monkeypatch.setattr(watch, "say_json", say)
    return said


def view():
    return watch.View(text=lambda one, _: one, as_json=lambda one: one)


def test_the_value_that_was_shown_last_is_returned_however_soon_ctrl_c_comes(shown):
    values = iter(["well", "bad"])
    assert watch.follow("well", lambda: next(values), view(), Output.JSON) == "bad"
    assert shown == ["well", "bad"]


def test_a_value_is_shown_after_an_error_only_if_it_has_changed(shown, capsys):
    answers = iter([ClusterError("nobody answers"), "well", "bad"])

    def look():
        one = next(answers)
        if isinstance(one, ClusterError):
            raise one
        return one

    assert watch.follow("well", look, view(), Output.JSON) == "bad"
    assert shown == ["well", "bad"]
    assert "nobody answers" in capsys.readouterr().err
