"""What every HTTP client must do, against a real server on loopback. Adapters: tests/support/http_clients.py."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3
from http_clients import ADAPTERS
from opentelemetry.context import Context

from propagation import PropagationConfig, extract, instrument, uninstrument, use

NUMERIC = PropagationConfig(allowed_hosts=("127.0.0.0/8",))  # so that `localhost` is a stranger
ALICE = "user=alice;ttl=5"


@pytest.fixture(params=ADAPTERS)
def client(request):
    yield ADAPTERS[request.param]
    uninstrument()


def arrived(**headers):
    """Inside a request that came with these headers."""
    return use(extract(headers, context=Context()))


def test_the_tag_goes_on_whole_as_a_header_and_as_a_member_of_baggage(client, server):
    with arrived(env="gray.next"):
        client.send(server.url)
    (seen,) = server.seen
    assert seen.ours == {"env": "gray.next", "baggage": "env=gray.next"}


def test_an_untagged_request_stays_untagged(client, server):
    client.send(server.url, {"accept": "text/plain"})
    (seen,) = server.seen
    assert seen.ours == {}
    assert seen.all("accept") == ["text/plain"]


def test_a_body_goes_with_it(client, server):
    with use(env="gray"):
        client.send(server.url, {"content-type": "text/plain"}, b"hello" * 1000)
    (seen,) = server.seen
    assert (seen.body, seen.all("content-type"), seen.ours["env"]) == (b"hello" * 1000, ["text/plain"], "gray")


@pytest.mark.parametrize("name", ["env", "Env"])
def test_the_callers_own_header_wins(client, server, name):
    with use(env="gray"):
        client.send(server.url, {name: "prod"})
    assert server.seen[0].ours == {"env": "prod", "baggage": "env=prod"}


def test_the_callers_own_baggage_is_added_to(client, server):
    with arrived(env="gray", baggage=ALICE):
        client.send(server.url, {"Baggage": "own=1;p=2"})
    assert server.seen[0].ours == {"env": "gray", "baggage": f"env=gray,own=1;p=2,{ALICE}"}


def test_foreign_members_pass_byte_for_byte(client, server):
    foreign = 'user=alice;ttl=5,a=b+c,d=%C3%A9;x="y"'
    with arrived(baggage=foreign):
        client.send(server.url)
    assert server.seen[0].ours == {"baggage": foreign}


def test_a_stranger_gets_nothing_of_ours(client, server):
    with arrived(env="gray", baggage=ALICE):
        client.send(server.under_another_name, {"baggage": "own=1"}, config=NUMERIC)
    assert server.seen[0].ours == {"baggage": "own=1"}


@pytest.mark.parametrize(
    "own", [{}, {"env": "blue"}, {"baggage": "env=blue"}], ids=["ours", "own header", "own member"]
)
def test_a_redirect_to_a_stranger_and_back_is_decided_hop_by_hop(client, server, own):
    with arrived(env="gray", baggage=ALICE):
        client.send(f"{server.url}/to?{server.under_another_name}/to?{server.url}/back", own, config=NUMERIC)
    first, stranger, last = server.seen
    assert first.ours["env"] == ("blue" if own else "gray")
    assert stranger.host.startswith("localhost:")
    assert stranger.ours == {}
    assert (last.path, last.ours["env"]) == ("/back", first.ours["env"])


def test_without_a_tag_too_a_stranger_does_not_get_the_callers_own(client, server):
    client.send(f"{server.url}/to?{server.under_another_name}", {"env": "blue"}, config=NUMERIC)
    assert [seen.ours for seen in server.seen] == [{"env": "blue"}, {}]


def test_a_retry_carries_the_same_once(client, server):
    with arrived(env="gray", baggage=ALICE):
        client.send(f"{server.url}/flaky", again=True)
    first, second = server.seen
    assert first.ours == second.ours == {"env": "gray", "baggage": f"env=gray,{ALICE}"}


def test_nothing_of_one_request_is_left_for_the_next(client, server):
    headers = {"accept": "*/*", "baggage": "own=1"}
    for lane in ("gray", "prod", None):
        with use(env=lane):
            client.send(server.url, headers)
    assert [seen.ours.get("env") for seen in server.seen] == ["gray", "prod", None]
    assert headers == {"accept": "*/*", "baggage": "own=1"}


def test_threads_do_not_share_a_tag(client, server):
    lanes = ["gray", "prod", None]

    def call(number):
        with use(env=lanes[number % 3]):
            client.send(f"{server.url}/?n={number}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(call, range(12)))
    assert {number: seen.ours.get("env") for number, seen in server.by_number().items()} == {
        number: lanes[number % 3] for number in range(12)
    }


@pytest.mark.parametrize("name", [name for name in ADAPTERS if f"{name} instrumented" in ADAPTERS])
def test_by_hand_and_instrumented_is_once_and_what_may_not_carry_is_not_overruled(name, server):
    ADAPTERS[f"{name} instrumented"].send(server.url)
    try:
        with arrived(env="gray", baggage=ALICE):
            ADAPTERS[name].send(server.url)
            ADAPTERS[name].send(server.under_another_name, config=NUMERIC)
    finally:
        uninstrument()
    assert [seen.ours for seen in server.seen] == [{}, {"env": "gray", "baggage": f"env=gray,{ALICE}"}, {}]


def test_uninstrument_takes_it_back(server):
    for name, adapter in ADAPTERS.items():
        if name.endswith("instrumented"):
            adapter.send(server.url)
            uninstrument()
            assert not adapter.is_patched()


def test_uninstrument_takes_back_what_several_libraries_wrapped():
    instrument()
    uninstrument()
    assert not any(adapter.is_patched() for adapter in ADAPTERS.values())
    assert not hasattr(urllib3.HTTPConnectionPool._make_request, "__wrapped__")  # which requests is built on too
