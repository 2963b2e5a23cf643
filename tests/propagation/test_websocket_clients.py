"""The clients of websockets: the request that opens a connection has the tag."""

import asyncio
import http
import threading
from contextlib import contextmanager

import pytest
from trails import hops, tagged
from websockets.asyncio.client import connect as connect_async
from websockets.datastructures import Headers
from websockets.sync.client import connect
from websockets.sync.server import serve

from propagation import PropagationConfig, extract, instrument, uninstrument, use
from propagation.trail import HEADER


@contextmanager
def serving():
    """A websocket server's port, and the headers it was asked with; `/to` leads to `/` under another name."""
    seen = []

    def look(connection, request):
        seen.append(
            [(name, value) for name, value in request.headers.raw_items() if name.lower() in ("env", "baggage")]
        )
        if request.path.startswith("/to"):
            response = connection.respond(http.HTTPStatus.FOUND, "")
            response.headers["Location"] = f"ws://localhost:{port}/"
            response.headers[HEADER] = "cat/gray"
            return response
        return None

    def answer(connection, request, response):
        if not request.path.startswith("/to"):
            response.headers[HEADER] = "ant/v1"
            response.headers[HEADER] = "mouse/prod, owl/v3"

    with serve(lambda socket: None, "127.0.0.1", 0, process_request=look, process_response=answer) as server:
        port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield port, seen
        finally:
            server.shutdown()
            thread.join()


def by_sync(url, **options):
    with connect(url, **options):
        pass


def by_async(url, **options):
    async def main():
        async with connect_async(url, **options):
            pass

    asyncio.run(main())


@pytest.fixture(params=[by_sync, by_async])
def client(request):
    yield request.param
    uninstrument()


def test_the_tag_goes_on(client):
    instrument("websockets")
    with serving() as (port, seen):
        client(f"ws://127.0.0.1:{port}/")
        with use(extract({"env": "gray.next", "baggage": "user=alice;ttl=5"})):
            client(f"ws://127.0.0.1:{port}/")
    assert seen == [[], [("env", "gray.next"), ("baggage", "env=gray.next,user=alice;ttl=5")]]


def test_the_programs_own_headers_win_and_are_not_changed(client):
    instrument("websockets")
    own = Headers([("Env", "prod"), ("baggage", "a=1"), ("baggage", "b=2")])
    with serving() as (port, seen), use(env="gray"):
        client(f"ws://127.0.0.1:{port}/", additional_headers=own)
    assert seen == [[("Env", "prod"), ("baggage", "env=prod,a=1,b=2")]]
    assert list(own.raw_items()) == [("Env", "prod"), ("baggage", "a=1"), ("baggage", "b=2")]


def test_a_redirect_to_a_stranger_takes_nothing_along(client):
    instrument("websockets", config=PropagationConfig(allowed_hosts=("127.0.0.0/8",)))
    with serving() as (port, seen), use(env="gray"):
        client(f"ws://127.0.0.1:{port}/to")
    assert seen == [[("env", "gray"), ("baggage", "env=gray")], []]


def test_uninstrumented_nothing_is_sent(client):
    instrument("websockets")
    uninstrument("websockets")
    with serving() as (port, seen), use(env="gray"):
        client(f"ws://127.0.0.1:{port}/")
    assert seen == [[]]


@pytest.mark.parametrize(
    ("path", "allowed", "expected"),
    [
        ("/", None, ["ant/v1", "mouse/prod", "owl/v3"]),
        ("/to", None, ["cat/gray", "ant/v1", "mouse/prod", "owl/v3"]),
        ("/to", ("127.0.0.0/8",), ["cat/gray"]),  # the second hop is a stranger's
        ("/", ("elsewhere",), []),
    ],
)
def test_the_answer_to_each_handshake_is_added_to_the_trail(client, path, allowed, expected):
    instrument("websockets")
    with serving() as (port, _), tagged(PropagationConfig(trail=True, allowed_hosts=allowed)):
        client(f"ws://127.0.0.1:{port}{path}")
        assert hops() == expected
