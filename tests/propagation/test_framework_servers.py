"""What aiohttp.web's and Tornado's servers need beyond the common suite."""

import asyncio
import http.client
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from servers import AiohttpWeb, OnALoop, Tornado
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from propagation import PropagationConfig, get, instrument, uninstrument, use
from propagation.servers import aiohttp as aiohttp_server
from propagation.servers import tornado as tornado_server

ADAPTERS = {"aiohttp": AiohttpWeb(), "tornado": Tornado()}
EDGE = PropagationConfig(trust_inbound=False)


@pytest.fixture(params=ADAPTERS)
def adapter(request):
    return ADAPTERS[request.param]


def ask(port, path, headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST" if body else "GET", f"/{path}", body, headers or {})
        response = connection.getresponse()
        return response.read().decode(), response.headers
    finally:
        connection.close()


def test_a_websocket_keeps_its_tag(adapter):
    async def main(port):
        async with ClientSession() as session:
            for lane in ("gray", None, "prod"):
                headers = {"env": lane} if lane else {}
                async with session.ws_connect(f"http://127.0.0.1:{port}/socket", headers=headers) as socket:
                    for _ in range(2):
                        await socket.send_str("?")
                        assert await socket.receive_str() == str(lane)

    with adapter.serving() as running:
        asyncio.run(main(running.port))


def test_an_app_at_an_edge_cannot_pass_on_what_was_dropped(adapter):
    with adapter.serving(EDGE) as running:
        headers = {"Env": "gray", "baggage": "env=gray", "x-own": "1"}
        passed = json.loads(ask(running.port, "passed-on", headers)[0])
    lowered = {name.lower(): value for name, value in passed.items()}
    assert lowered["x-own"] == "1"
    assert lowered.keys().isdisjoint({"env", "baggage"})


def test_an_edge_can_still_read_a_body(adapter):
    with adapter.serving(EDGE) as running:
        assert ask(running.port, "upload", {"env": "gray"}, b"x" * 100_000)[0] == "None"


def test_every_answer_is_echoed_errors_and_streams_included(adapter):
    with adapter.serving(PropagationConfig(echo=True)) as running:
        for path in ("stream", "missing", "fail", "nowhere"):
            assert ask(running.port, path, {"env": "gray.next"})[1].get_all("env") == ["gray.next"], path
            assert ask(running.port, path)[1]["env"] is None


def test_the_trail_of_a_requests_calls_is_in_its_answer(adapter):
    with adapter.serving(PropagationConfig(trail=True)) as running:
        _, headers = ask(running.port, "hops", {"env": "gray"})
        assert headers.get_all("x-graylane-trail") == ["ant/v1", "mouse/prod", "own/v1"]
        assert ask(running.port, "hops")[1].get_all("x-graylane-trail") == ["own/v1"]
    with adapter.serving() as running:
        assert ask(running.port, "hops", {"env": "gray"})[1].get_all("x-graylane-trail") == ["own/v1"]


def test_tornado_reads_a_streamed_body_with_the_tag():
    with ADAPTERS["tornado"].serving() as running:
        assert ask(running.port, "streamed-upload", {"env": "gray"}, b"x" * 300_000)[0] == "gray"
        assert ask(running.port, "streamed-upload", {}, b"x" * 300_000)[0] == "None"


def test_a_server_that_was_started_inside_a_block_does_not_give_its_tag_to_requests(adapter):
    with StartedTagged(adapter).serving() as running:
        assert ask(running.port, "tag")[0] == "None"
        assert ask(running.port, "tag", {"env": "prod"})[0] == "prod"


class StartedTagged(OnALoop):
    """Its `main` runs in a `use` block, so that each connection's context has that block's tag."""

    def __init__(self, adapter):
        self.adapter = adapter

    @asynccontextmanager
    async def started(self, watch, config):
        with use(env="gray"):
            async with self.adapter.started(watch, config) as port:
                yield port


def made_by_aiohttp():
    async def tag(request):
        return web.Response(text=str(get("env")))

    app = web.Application()
    app.add_routes([web.get("/tag", tag)])
    return app


def made_by_tornado():
    class Tag(RequestHandler):
        def get(self):
            self.write(str(get("env")))

    return Application([("/tag", Tag)])


async def start(app):
    """How to stop, and the port."""
    if isinstance(app, web.Application):
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner.cleanup, runner.addresses[0][1]
    server = HTTPServer(app)
    sock, port = bind_unused_port()
    server.add_socket(sock)

    async def stop():
        server.stop()
        await server.close_all_connections()

    return stop, port


MAKERS = {"aiohttp_server": made_by_aiohttp, "tornado_server": made_by_tornado}


@pytest.mark.parametrize("name", MAKERS)
def test_instrumented_apps_read_the_tag_until_it_is_taken_back(name):
    async def main():
        instrument(name, config=PropagationConfig(echo=True))
        stop, port = await start(MAKERS[name]())
        body, headers = await asyncio.to_thread(ask, port, "tag", {"env": "gray"})
        assert (body, headers.get_all("env")) == ("gray", ["gray"])
        uninstrument()
        body, headers = await asyncio.to_thread(ask, port, "tag", {"env": "gray"})
        assert (body, headers["env"]) == ("None", None)
        await stop()

    asyncio.run(main())


@pytest.mark.parametrize(("name", "module"), [("aiohttp_server", aiohttp_server), ("tornado_server", tornado_server)])
def test_set_up_and_instrumented_is_read_and_echoed_once(name, module):
    config = PropagationConfig(echo=True)

    async def main():
        instrument(name, config=config)
        app = MAKERS[name]()
        module.setup(app, config)
        stop, port = await start(app)
        body, headers = await asyncio.to_thread(ask, port, "tag", {"env": "gray"})
        assert (body, headers.get_all("env")) == ("gray", ["gray"])
        await stop()

    try:
        asyncio.run(main())
    finally:
        uninstrument()
