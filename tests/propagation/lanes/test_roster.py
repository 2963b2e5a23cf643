"""Who is meant to be there: what graylane writes, what else may stand there, and how it is read again."""

import http.server
import json
import logging
import os
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propagation import ConfigError
from propagation.messaging.lanes import LaneFilter, Present, Roster, Warnings, parse
from propagation.messaging.lanes import present as present_module

ORDERS = {"kind": "kafka", "topic": "orders", "lanes": {"prod": "orders", "gray": "orders.gray"}}
WRITTEN = {"baseline": "prod", "consumers": {"orders": ORDERS}}


def test_the_roster_of_one_consumer():
    assert parse(json.dumps(WRITTEN)) == Roster(
        "orders", "kafka", "orders", "prod", {"prod": "orders", "gray": "orders.gray"}
    )


def with_orders(**changed):
    return WRITTEN | {"consumers": {"orders": ORDERS | changed}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the document: takes a mapping, not []"),
        ({}, "consumers: takes a mapping, not None"),
        ({"baseline": "prod", "consumers": {}}, "consumers: no 'orders'; there are none"),
        (WRITTEN | {"consumers": {"order": ORDERS}}, "consumers: no 'orders'; did you mean 'order'?"),
        (with_orders(kind="nats"), "consumers.orders.kind: takes one of kafka, rabbitmq, sqs, not 'nats'"),
        (with_orders(kind=[]), "consumers.orders.kind: takes one of kafka, rabbitmq, sqs, not []"),
        (with_orders(topic=""), "consumers.orders.topic: takes a name, not ''"),
        (with_orders(lanes=None), "consumers.orders.lanes: takes a mapping, not None"),
        (
            with_orders(lanes={"prod": ["x"] * 99}),
            "consumers.orders.lanes.prod: takes a name, not " + repr(["x"] * 99)[:57] + "...",
        ),
        (with_orders(lanes={"prod": 3}), "consumers.orders.lanes.prod: takes a name, not 3"),
        (with_orders(lanes={"gray": "g"}), "consumers.orders.lanes: the baseline, 'prod', is missing"),
        ({"consumers": {"orders": ORDERS}}, "baseline: takes a name, not None"),
    ],
)
def test_what_is_wrong_with_it_is_said_in_one_line(document, message):
    with pytest.raises(ConfigError) as error:
        parse(json.dumps(document), "orders")
    assert str(error.value) == message


def test_of_several_consumers_one_is_to_be_named():
    both = WRITTEN | {"consumers": {"orders": ORDERS, "mails": ORDERS}}
    with pytest.raises(ConfigError, match="name one of mails, orders"):
        parse(json.dumps(both))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["baseline", "consumers", "lanes", "x"]), inner),
)


@given(
    st.binary() | JSON.map(lambda value: json.dumps(value).encode()) | st.integers(1, 30_000).map(lambda n: b"[" * n)
)
def test_whatever_stands_there_gives_a_roster_or_a_config_error(text):
    with suppress(ConfigError):
        assert isinstance(parse(text), Roster)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_file_is_read_again_and_a_bad_one_leaves_the_last_good_roster(tmp_path, caplog):
    path, clock = tmp_path / "consumers.json", Clock()
    present = Present(path, "orders", refresh=5, clock=clock)
    with caplog.at_level(logging.WARNING, "propagation.lanes"):
        assert present.roster() is None  # missing
        assert LaneFilter(None, present).handles({"env": "gray"})
        assert not LaneFilter("gray", present).handles({"env": "gray"})
        path.write_text(json.dumps(WRITTEN))
        good = present.read()
        assert good is not None
        path.write_text("{")
        assert present.read() == good
        path.unlink()
        assert present.read() == good
        clock.now += 61
        present.read()
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert str(path) in caplog.text
    assert "the baseline handles every lane" in caplog.records[0].getMessage()
    assert "stays in force (2 more of these in between)" in caplog.records[1].getMessage()


def test_it_is_read_again_in_the_background_when_it_is_due(tmp_path):
    path, clock, read = tmp_path / "consumers.json", Clock(), threading.Event()
    path.write_text(json.dumps(WRITTEN))

    class Watched(Present):
        def read(self):
            try:
                return super().read()
            finally:
                read.set()

    present = Watched(path, refresh=5, clock=clock)
    assert present.roster().names == ORDERS["lanes"]
    read.clear()
    path.write_text(json.dumps(with_orders(lanes={"prod": "orders"})))
    clock.now = 4.9
    assert present.roster().names == ORDERS["lanes"]
    assert not read.is_set()
    clock.now = 5.1
    present.roster()
    assert read.wait(30)
    assert present.roster().names == {"prod": "orders"}


def test_a_roster_may_be_served(caplog):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/consumers.json" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(WRITTEN).encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        assert Present(f"{base}/consumers.json").roster().topic == "orders"
        with caplog.at_level(logging.WARNING, "propagation.lanes"):
            assert Present(f"{base}/other").roster() is None
        assert "404" in caplog.text
    finally:
        server.shutdown()
        server.server_close()
    with caplog.at_level(logging.WARNING, "propagation.lanes"):
        assert Present(f"{base}/consumers.json").roster() is None


@contextmanager
def answering(answer, goes_on=False):
    """The URL of a server that gives this answer, whatever it is asked, and then ends or says no more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    kept.append(connection)
                    connection.recv(4096)
                    connection.sendall(answer)
                    if not goes_on:
                        connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/consumers.json"
        server.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


@pytest.mark.parametrize(
    "answer", [b"", b"not HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"\xff" * 99_999]
)
def test_a_server_that_answers_anything_gives_no_roster_and_no_error(answer, caplog):
    with answering(answer) as url:
        present = Present(url)
        assert present.roster() is None
        assert LaneFilter(None, present).handles({"env": "gray"})
    assert "the baseline handles every lane" in caplog.text


def test_a_server_that_never_ends_its_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(present_module, "_FIRST_SECONDS", 0.2)
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", goes_on=True) as url:
        clock = Clock()
        present = Present(url, clock=clock)
        before = threading.active_count()
        assert present.roster() is None
        for clock.now in (10.0, 20.0, 30.0):
            assert present.roster() is None
        assert threading.active_count() <= before + 1


def test_what_is_no_file_is_not_opened(tmp_path, caplog):
    """Opening a pipe that nobody writes to would never end."""
    os.mkfifo(tmp_path / "consumers.json")
    assert Present(tmp_path / "consumers.json").roster() is None
    assert "not a regular file" in caplog.text


def test_a_process_without_more_threads_keeps_its_roster(tmp_path, monkeypatch, caplog):
    path, clock = tmp_path / "consumers.json", Clock()
    path.write_text(json.dumps(WRITTEN))
    present = Present(path, clock=clock)
    assert present.roster() is not None

    def fail(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(present_module.Thread, "start", fail)
    assert Present(path).roster() is None
    clock.now = 6.0
    assert present.roster().names == ORDERS["lanes"]
    assert "can't start new thread" in caplog.text


@pytest.mark.parametrize(
    ("lanes", "message"),
    [
        ({"prod": "o" * 250}, "consumers.orders.lanes.prod: takes a name of at most 249 printable bytes, not 'oooo"),
        (
            {"prod": "o", "gray": "\ud800"},
            "consumers.orders.lanes.gray: takes a name of at most 249 printable bytes, not",
        ),
        ({"prod": "o", "a\nb": "\x1b[2J"}, "consumers.orders.lanes.'a\\nb': takes a name of at most 249"),
        ({f"lane-{number}": "g" for number in range(1001)}, "consumers.orders.lanes: at most 1000 lanes, not 1001"),
    ],
)
def test_names_that_a_client_would_not_take_are_refused(lanes, message):
    with pytest.raises(ConfigError) as error:
        parse(json.dumps(with_orders(lanes=lanes)))
    assert str(error.value).startswith(message)
    assert str(error.value).isprintable()


def test_what_is_far_too_large_is_not_read(tmp_path, caplog):
    path = tmp_path / "consumers.json"
    path.write_bytes(b" " * (1 << 21))
    assert Present(path).roster() is None
    assert "larger than 1 MiB" in caplog.text


def test_a_warning_of_a_kind_is_logged_once_a_minute_with_how_many_were_not(caplog):
    clock = Clock()
    warnings = Warnings(clock)
    with caplog.at_level(logging.WARNING, "propagation.lanes"):
        for at in (0, 1, 59.9, 60, 61, 200):
            clock.now = at
            warnings.warn("a", "a at %s", at)
        warnings.warn("b", "b")
    assert [record.getMessage() for record in caplog.records] == [
        "a at 0",
        "a at 60 (2 more of these in between)",
        "a at 200 (1 more of these in between)",
        "b",
    ]
