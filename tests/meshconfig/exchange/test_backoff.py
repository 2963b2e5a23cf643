"""When a failed request is sent again, by a clock that moves as the test says."""

import threading
from email.utils import formatdate

import pytest
import yaml
from canned import answering
from hypothesis import given
from hypothesis import strategies as st
from own_thread import here_only

from meshconfig.cluster.client import Client
from meshconfig.cluster.guarded import ANSWER
from meshconfig.cluster.retries import SECONDS, PatientRetry
from meshconfig.errors import ApiError
from meshconfig.exchange import backoff
from meshconfig.exchange.backoff import LONGEST, asked
from meshconfig.exchange.send import NoAnswerError, Reply


class Clock:
    def __init__(self):
        self.now = 100.0

    def sleep(self, seconds):
        assert 0 <= seconds <= LONGEST
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(backoff, "clock", here_only(lambda: found.now, backoff.clock))
    monkeypatch.setattr(backoff, "sleep", here_only(found.sleep, backoff.sleep))
    return found


WAITS = st.sampled_from(["", "0", "1", "40", "86400", "9" * 5000, "soon", "-5", formatdate(4e9, usegmt=True)])
OUTCOMES = st.builds(
    lambda status, wait: Reply(status, {"retry-after": wait}), st.sampled_from([429, 502, 503, 504]), WAITS
)
FAILURES = OUTCOMES | st.just(NoAnswerError("reset", ConnectionResetError()))


@given(st.lists(st.tuples(FAILURES, st.floats(0, 1)), min_size=200, max_size=200))
def test_all_retries_end_within_25_seconds_whatever_the_server_asks_for(outcomes):
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(backoff, "clock", here_only(lambda: clock.now, backoff.clock))
        answered = threading.Event()
        answered.set()
        retries, first, attempts = PatientRetry(answered), None, 0
        for outcome, share in outcomes:
            attempts += 1
            clock.now += min(ANSWER, retries.left or ANSWER) * share  # how long this attempt takes
            first = clock.now if first is None else first
            pause = retries.pause(outcome)
            if pause is None:
                break
            clock.sleep(pause)
        else:
            raise AssertionError("it never ends")
        assert attempts > 1
        assert clock.now - first <= SECONDS + 1e-6


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("3", 3),
        ("86400", LONGEST),
        ("9" * 5000, LONGEST),
        ("-1", 0),
        ("x", 0),
        ("1.5", 0),
        ("٣", 0),
        ("Mon, 99", 0),
    ],
)
def test_what_retry_after_asks_for(header, seconds):
    assert asked(header) == seconds


def test_retry_after_may_be_a_date(monkeypatch):
    monkeypatch.setattr(backoff, "wall", lambda: 1_800_000_000.0)
    assert asked(formatdate(1_800_000_005, usegmt=True)) == 5
    assert asked(formatdate(1_700_000_000, usegmt=True)) == 0
    assert asked(formatdate(1_900_000_000, usegmt=True)) == LONGEST


@pytest.fixture
def connect(tmp_path, monkeypatch):
    def connect(url):
        one = {"name": "one"}
        contexts = [{**one, "context": {"cluster": "one"}}]
        config = {"current-context": "one", "clusters": [{**one, "cluster": {"server": url}}], "contexts": contexts}
        (tmp_path / "config").write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        return Client.connect()

    return connect


def test_a_server_that_restarts_is_waited_for_for_25_seconds(clock, connect):
    with answering((200, "{}"), (503, "away")) as server:
        client = connect(server.url)
        assert client.request("GET", "/version") == {}
        with pytest.raises(ApiError, match="away"):
            client.request("GET", "/again")
        attempts = len(server.seen) - 1
    assert clock.now == 100.0 + SECONDS - backoff.LEAST
    assert attempts == 9


def test_and_each_attempt_has_a_minute_or_what_is_left(clock, monkeypatch, connect):
    from meshconfig.cluster import guarded

    limits = []
    real = guarded.send_once

    def send(*given, **more):
        limits.append(more["limits"].seconds)
        clock.now += 3.0
        return real(*given, **more)

    monkeypatch.setattr(guarded, "send_once", here_only(send, real))
    with answering((200, "{}"), (503, "")) as server:
        client = connect(server.url)
        client.request("GET", "/version")
        with pytest.raises(ApiError):
            client.request("GET", "/again")
    assert limits[:2] == [ANSWER, ANSWER]
    assert all(one <= SECONDS for one in limits[2:])
    assert limits[2:] == sorted(limits[2:], reverse=True)
    assert min(limits) == backoff.LEAST
