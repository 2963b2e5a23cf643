"""What the tests of propagation share."""

import loopback
import pytest
from opentelemetry.context import Context, attach, detach, get_current

from propagation.config import default_config


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
