"""What the doctor prints commands no terminal and no CI runner, whatever the app, its answers and the arguments are."""

import sys
from contextlib import suppress
from types import ModuleType

import pytest
from hostile_text import RUNNER, TERMINAL, harm, hostile
from hypothesis import HealthCheck, given, settings

from propagation.doctor import main
from propagation.doctor.finding import one_line

IN_PLACE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


def printed(capsys, *words):
    with suppress(SystemExit):  # of argparse
        main(["doctor", *words])
    found = capsys.readouterr()
    assert not harm(found.out), found.out[-500:]
    assert not harm(found.err), found.err[-500:]
    return found.out + found.err


@given(hostile)
def test_a_line_of_others_is_one_line(text):
    assert "\n" not in one_line(text)
    assert not harm(one_line(text))
    assert one_line(one_line(text)) == one_line(text)


@pytest.mark.slow
@given(hostile)
@IN_PLACE
def test_whatever_an_argument_is(capsys, text):
    printed(capsys, text)
    printed(capsys, f"sys:{text}")
    printed(capsys, "--header", text)
    printed(capsys, "--nosuch", text)
    printed(capsys, "--timeout", text)


@pytest.mark.slow
@pytest.mark.parametrize("text", [*TERMINAL, *RUNNER])
def test_whatever_an_app_says(capsys, monkeypatch, text):
    def app(environ, start_response):
        raise RuntimeError(text)

    module = ModuleType("hostile_app")
    vars(module)["app"] = app
    monkeypatch.setitem(sys.modules, "hostile_app", module)
    assert "RuntimeError" in printed(capsys, "hostile_app:app", "--path", "/x")


@pytest.mark.parametrize("name", ["PROPAGATION_REMOTE_FIELDS", "OTEL_PYTHON_EXCLUDED_URLS"])
def test_whatever_a_variable_has(capsys, monkeypatch, name):
    from propagation.config import default_config

    monkeypatch.setenv(name, "a\r\n::error::x\x1b[2J\u202e\x9b##[error]y ##vso[z]")
    default_config.cache_clear()
    printed(capsys)
    monkeypatch.undo()
    default_config.cache_clear()
