"""A peer that checks signatures takes what every client sends, as clouds do."""

import pytest
from http_clients import ADAPTERS
from opentelemetry.context import Context
from signing import QUERIES, is_valid, sign

from propagation import PropagationConfig, extract, uninstrument, use

ELSEWHERE = PropagationConfig(allowed_hosts=("mouse-svc",))
OWN = {"x-date": "20261128T000000Z", "baggage": "sentry-sampled=true,own=1"}


@pytest.fixture(params=ADAPTERS)
def client(request):
    yield ADAPTERS[request.param]
    uninstrument()


@pytest.mark.slow
@pytest.mark.parametrize("config", [None, ELSEWHERE], ids=["allowed", "a stranger"])
@pytest.mark.parametrize("signed", [("baggage", "x-date"), ("baggage", "env", "x-date"), ("x-date",)])
@pytest.mark.parametrize("arrived", [{}, {"env": "gray"}, {"baggage": "user=alice,sentry-sampled=true"}])
def test_a_signed_request_stays_valid(client, server, config, signed, arrived):
    own = {**OWN, "env": "blue"} if "env" in signed else OWN
    with use(extract(arrived, context=Context())):
        client.send(server.url, sign(own, signed), config=config)
    (seen,) = server.seen
    assert is_valid(dict(seen.headers))


def test_what_is_not_signed_goes_on(client, server):
    with use(env="gray"):
        client.send(server.url, sign({"x-date": "20261128T000000Z"}, ("x-date",)))
    assert server.seen[0].ours == {"env": "gray", "baggage": "env=gray"}


def test_a_url_can_say_what_is_signed(client, server):
    with use(env="gray"):
        client.send(f"{server.url}/?{QUERIES['AWS'](['host', 'baggage'])}", {"baggage": "own=1"})
    assert server.seen[0].ours == {"env": "gray", "baggage": "own=1"}
