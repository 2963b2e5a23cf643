"""The other end of every call: what it makes of each protocol, and that no client waits for it in vain."""

import asyncio
import contextlib
import http.client
import smtplib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propagation import ASGIMiddleware, PropagationConfig, WSGIMiddleware
from propagation.probe import recorder
from propagation.probe.app import try_app
from propagation.probe.recorder import recording
from propagation.probe.wire import not_http


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(recorder, "_PATIENCE", 0.3)


def raw(sent, host="db"):
    """A client that sends this and waits for an answer."""

    def connect():
        with socket.create_connection((host, 5432)) as connection:
            connection.sendall(sent)
            connection.recv(100)

    return connect


SPEAKS_FIRST = "waits for the server to speak first"
CLIENTS = {
    "SMTP": (lambda: smtplib.SMTP("mail", 25), "mail:25", SPEAKS_FIRST),
    "MySQL": (raw(b""), "db:5432", SPEAKS_FIRST),
    "PostgreSQL": (raw(b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), "db:5432", "no HTTP"),
    "AMQP": (raw(b"AMQP\x00\x00\x09\x01"), "db:5432", "no HTTP"),
    "Redis": (raw(b"*1\r\n$4\r\nPING\r\n"), "db:5432", "no HTTP"),
    "Redis inline": (raw(b"PING\r\n"), "db:5432", "no HTTP"),
    "STOMP": (raw(b"CONNECT\naccept-version:1.2\n\n\x00"), "db:5432", "no HTTP"),
    "memcached": (raw(b"get cat\r\n"), "db:5432", "no HTTP"),
    "MQTT": (raw(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"), "db:5432", "no HTTP"),
    "TLS": (raw(b"\x16\x03\x01\x02\x00\x01\x00"), "db:5432", "TLS"),
    "HTTP/2": (raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "db:5432", "HTTP/2"),
    "half a line": (raw(b"GET /cats"), "db:5432", "no HTTP"),
    "a tunnel": (raw(b"CONNECT cats:443 HTTP/1.1\r\nhost: cats:443\r\n\r\n"), "db:5432", "TLS through a proxy"),
    "an address": (lambda: smtplib.SMTP("10.1.2.3", 2525), "10.1.2.3:2525", SPEAKS_FIRST),
    "IPv6": (raw(b"", "2001:db8::1"), "[2001:db8::1]:5432", SPEAKS_FIRST),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("wrapped", [WSGIMiddleware, ASGIMiddleware], ids=["wsgi", "asgi"])
def test_a_connection_that_is_no_http_ends_and_is_named(name, wrapped):
    connect, destination, what = CLIENTS[name]

    def wsgi(environ, start_response):
        with contextlib.suppress(Exception):
            connect()
        start_response("200 OK", [])
        return [b""]

    async def asgi(scope, receive, send):
        if scope["type"] == "http":
            with contextlib.suppress(Exception):
                connect()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    tried = try_app(wrapped(wsgi if wrapped is WSGIMiddleware else asgi), config=PropagationConfig())
    assert [one.outcome.status for one in tried] == [200, 200, 200]
    for one in tried:
        assert (one.wrong, one.outcome.calls) == ([], [])
        (unread,) = one.outcome.unread
        assert destination in unread
        assert what in unread


def test_an_app_that_fails_for_it_is_no_fault_of_the_tag():
    def app(environ, start_response):
        smtplib.SMTP("mail", 25)

    tried = try_app(WSGIMiddleware(app), config=PropagationConfig())
    assert [one.wrong for one in tried] == [[], [], []]
    assert all("mail:25" in one.outcome.unread[0] for one in tried)


def test_a_pair_of_sockets_stays_a_pair():
    # As pika and paho make them where there is no socketpair, to wake up their own loops.
    with recording() as found:
        listener = socket.create_server(("127.0.0.1", 0))
        left = socket.create_connection(listener.getsockname())
        right, _ = listener.accept()
        left.sendall(b"woken")
        assert right.recv(5) == b"woken"
        for one in (listener, left, right):
            one.close()
    assert (found.take(), found.take_unread()) == ([], [])


def test_a_look_whether_a_port_is_open_is_no_call():
    with recording() as found:
        socket.create_connection(("db", 5432)).close()
        assert socket.gethostbyname("db") == socket.gethostbyname("db") != socket.gethostbyname("mail")
    assert (found.take(), found.take_unread()) == ([], [])


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "PURGE", "REPORT", "QUERY"])
def test_every_method_is_a_call(method):
    with recording(b"{}") as found:
        connection = http.client.HTTPConnection("mouse-svc", 9002)
        connection.request(method, "/cats?n=1", body=b"hello", headers={"env": "gray"})
        assert connection.getresponse().read() == b"{}"
        connection.close()
    (call,) = found.take()
    assert (call.method, call.url, call.values("env")) == (method, "http://mouse-svc:9002/cats?n=1", ["gray"])


def test_a_client_that_asks_before_it_sends_its_body():
    head = b"POST / HTTP/1.1\r\nhost: mouse-svc\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    with recording() as found, socket.create_connection(("mouse-svc", 80)) as connection:
        connection.sendall(head)
        assert connection.recv(12) == b"HTTP/1.0 100"
        connection.sendall(b"hi")
        with connection.makefile("rb") as answer:
            assert b"200 OK" in answer.read()
    assert len(found.take()) == 1


def test_asyncio_by_name_and_by_address():
    async def connect(host):
        _, writer = await asyncio.open_connection(host, 80)
        writer.write(b"GET / HTTP/1.1\r\nhost: mouse-svc\r\n\r\n")
        writer.close()

    async def main():
        for host in ("mouse-svc", "10.1.2.3"):
            await connect(host)
            await asyncio.sleep(0.05)

    with recording() as found:
        asyncio.run(main())
        socket.create_connection(("mouse-svc", 1)).close()  # after all else has arrived
    assert len(found.take()) == 2


@pytest.mark.fuzz
@given(st.binary(max_size=60))
def test_fuzz_what_is_no_request_line_is_no_http(begun):
    line = begun.partition(b"\n")[0].rstrip(b"\r")
    what = not_http(begun)
    if what is None:
        assert not begun or line.endswith((b" HTTP/1.1", b" HTTP/1.0"))
    assert not_http(b"GET /" + begun.hex().encode() + b" HTTP/1.1\r\n" + begun) is None
