"""What the tests of propagation share."""

import sys
import textwrap

import loopback
import pytest
from opentelemetry.context import Context, attach, detach, get_current

from propagation import uninstrument
from propagation.config import default_config
from propagation.doctor import main


@pytest.fixture(autouse=True)
def _clean_context():
    """Each test begins with OpenTelemetry's empty context, and must leave what it found."""
    token = attach(Context())
    before = get_current()
    yield
    assert get_current() is before
    detach(token)


@pytest.fixture
def environment(monkeypatch):
    """Sets PROPAGATION_* for the process's own config, for one test."""

    def set_options(**options):
        for name, value in options.items():
            monkeypatch.setenv(f"PROPAGATION_{name.upper()}", value)
        default_config.cache_clear()

    yield set_options
    monkeypatch.undo()
    default_config.cache_clear()


@pytest.fixture
def server():
    """An HTTP server on loopback that keeps what it was sent."""
    with loopback.serving() as found:
        yield found


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys):
    """doctor(code, arguments…) writes the module `shop`; gives the exit code, and what was printed to both streams."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(code, *arguments):
        (tmp_path / "shop.py").write_text(textwrap.dedent(code))
        sys.modules.pop("shop", None)
        exit_code = main(["doctor", *arguments])
        printed = capsys.readouterr()
        return exit_code, printed.out.splitlines(), printed.err.splitlines()

    yield run
    uninstrument()
    sys.modules.pop("shop", None)
