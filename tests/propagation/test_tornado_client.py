"""Tornado's clients, beyond the common suite."""

import asyncio

import pytest
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPRequest
from tornado.web import Application
from tornado.websocket import WebSocketHandler, websocket_connect
from trails import hops, tagged

from propagation import PropagationConfig, instrument, uninstrument, use
from propagation.trail import HEADER

TAGGED = {"env": "gray", "baggage": "env=gray"}


@pytest.fixture(autouse=True)
def _instrumented():
    instrument("tornado")
    yield
    uninstrument()


def test_a_request_object_stays_as_it_was(server):
    async def main():
        client = AsyncHTTPClient(force_instance=True)
        request = HTTPRequest(server.url, headers={"accept": "*/*"})
        for lane in ("gray", "prod", None):
            with use(env=lane):
                await client.fetch(request)
        assert dict(request.headers) == {"accept": "*/*"}
        client.close()

    asyncio.run(main())
    assert [seen.ours.get("env") for seen in server.seen] == ["gray", "prod", None]


def test_a_redirect_that_waited_in_the_queue_has_its_own_tag(server):
    """With one connection at a time, a request is sent and redirected by the end of one before it."""

    async def main():
        client = AsyncHTTPClient(force_instance=True, max_clients=1)
        waiting = []
        for lane in ("gray", None, "prod", None):
            with use(env=lane):
                waiting.append(client.fetch(f"{server.url}/to?{server.url}/{lane}"))
        await asyncio.gather(*waiting)
        client.close()

    asyncio.run(main())
    ends = {seen.path: seen.ours.get("env") for seen in server.seen if not seen.path.startswith("/to")}
    assert ends == {"/gray": "gray", "/None": None, "/prod": "prod"}


def test_keywords_with_a_request_object_are_refused_as_before():
    async def main():
        client = AsyncHTTPClient(force_instance=True)
        with pytest.raises(ValueError, match="kwargs"):
            await client.fetch(HTTPRequest("http://127.0.0.1:1/"), method="POST")
        client.close()

    asyncio.run(main())


def test_the_sync_client(server):
    client = HTTPClient()
    with use(env="gray"):
        client.fetch(server.url, headers={"accept": "*/*"})
    client.close()
    assert server.seen[0].ours == TAGGED


@pytest.mark.parametrize(
    ("allowed", "follow", "expected"),
    [(None, True, TAGGED), (("127.0.0.1",), False, TAGGED), (("127.0.0.1",), True, {}), (("elsewhere",), False, {})],
)
def test_libcurl_follows_redirects_to_anywhere_so_it_carries_nothing_where_hosts_are_listed(
    server, allowed, follow, expected
):
    instrument("tornado", config=PropagationConfig(allowed_hosts=allowed))

    async def main():
        client = CurlAsyncHTTPClient(force_instance=True)
        with use(env="gray"):
            await client.fetch(server.url, follow_redirects=follow)
        client.close()

    asyncio.run(main())
    assert server.seen[0].ours == expected


@pytest.mark.parametrize(("allowed", "expected"), [(None, "gray"), (("elsewhere",), None)])
def test_the_websocket_client(allowed, expected):
    instrument("tornado", config=PropagationConfig(allowed_hosts=allowed))
    seen = []

    class Socket(WebSocketHandler):
        def set_default_headers(self):
            self.add_header(HEADER, "mouse/prod")

        def open(self):
            seen.append(self.request.headers.get("env"))
            self.close()

    async def main():
        server = Application([("/", Socket)]).listen(0, "127.0.0.1")
        (port,) = {sock.getsockname()[1] for sock in server._sockets.values()}
        with tagged(PropagationConfig(trail=True, allowed_hosts=allowed)):
            connection = await websocket_connect(f"ws://127.0.0.1:{port}/")
            assert hops() == (["mouse/prod"] if expected else [])
        assert await connection.read_message() is None
        connection.close()
        server.stop()
        await server.close_all_connections()

    asyncio.run(main())
    assert seen == [expected]


def test_a_request_that_waited_in_the_queue_adds_to_its_own_trail(server):
    server.trail = {f"/{number}": [f"mouse/v{number}"] for number in range(4)}

    async def ask(client, number):
        with tagged():
            await client.fetch(f"{server.url}/to?{server.url}/{number}")
            return hops()

    async def main():
        client = AsyncHTTPClient(force_instance=True, max_clients=1)
        found = await asyncio.gather(*(ask(client, number) for number in range(4)))
        client.close()
        return found

    assert asyncio.run(main()) == [[f"mouse/v{number}"] for number in range(4)]


@pytest.mark.parametrize(
    ("allowed", "follow", "expected"),
    [
        (None, True, ["cat/gray", "ant/v1", "mouse/prod"]),
        (("127.0.0.1",), False, ["cat/gray"]),
        (("127.0.0.1",), True, []),  # libcurl may follow to anywhere
        (("elsewhere",), False, []),
    ],
)
def test_libcurl_adds_each_hop_to_the_trail_and_the_programs_callback_has_each_line(server, allowed, follow, expected):
    server.trail = {"/to": ["cat/gray"], "/end": ["ant/v1", "mouse/prod", "no hop"]}
    lines = []

    async def main():
        client = CurlAsyncHTTPClient(force_instance=True)
        with tagged(PropagationConfig(trail=True, allowed_hosts=allowed)):
            await client.fetch(
                f"{server.url}/to?{server.url}/end",
                follow_redirects=follow,
                header_callback=lines.append,
                raise_error=False,
            )
            found = hops()
        client.close()
        return found

    assert asyncio.run(main()) == expected
    assert sum(line.startswith("HTTP/1.1") for line in lines) == (2 if follow else 1)
