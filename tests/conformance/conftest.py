"""The loopback server that clients are tested against, and OpenTelemetry's empty context around each test."""

import loopback
import pytest
from opentelemetry.context import Context, attach, detach


@pytest.fixture(autouse=True)
def _clean_context():
    token = attach(Context())
    yield
    detach(token)


@pytest.fixture
def server():
    with loopback.serving() as found:
        yield found
