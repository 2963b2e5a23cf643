"""What clients are tested against and with, and OpenTelemetry's empty context around each test."""

import loopback
import pytest
from grpc_clients import CLIENTS
from opentelemetry.context import Context, attach, detach

from propagation import uninstrument


@pytest.fixture(autouse=True)
def _clean_context():
    token = attach(Context())
    yield
    detach(token)


@pytest.fixture
def server():
    with loopback.serving() as found:
        yield found


@pytest.fixture(params=CLIENTS, ids=lambda one: one.__name__)
def grpc_client(request):
    yield request.param()
    uninstrument()
