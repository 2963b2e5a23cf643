"""Other servers that hang, and browsers that send nothing, keep nobody out."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from console_pets import put_pets, words
from console_served import served
from console_world import api_server, by_kubeconfig
from starlette.responses import PlainTextResponse

from meshconfig.console import serve
from meshconfig.console.asking import Gateway
from meshconfig.console.observed import FromMetrics
from meshconfig.console.outgoing import EACH
from meshconfig.exchange.allowed import Allowed
from meshconfig.exchange.send import Limits
from meshconfig.rollout.prometheus import Prometheus

GRAPH, ASK = "/g/demo/pets/graph", "/g/demo/pets/ask"


class Hanging:
    """A server that takes connections and answers none, until it is closed."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.taken, self.some = [], threading.Semaphore(0)
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self):
        while True:
            try:
                self.taken.append(self._socket.accept()[0])
            except OSError:
                return
            self.some.release()

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        for one in self.taken:
            one.close()


@pytest.fixture
def hanging():
    one = Hanging()
    yield one
    one.close()


@pytest.fixture
def api():
    with api_server() as one:
        put_pets(one)
        yield one


def test_of_a_prometheus_that_hangs_all_pages_say_so_and_it_is_asked_once(api, tmp_path, monkeypatch, hanging):
    for page in ("graph", "carry"):
        monkeypatch.setattr(f"meshconfig.console.pages.{page}.FIRST", 0.05)
    server = Prometheus(hanging.origin, Allowed.of([hanging.origin.removeprefix("http://")]), limits=Limits(30, 999))
    with by_kubeconfig(api, tmp_path, monkeypatch, observer=FromMetrics(server)) as browser:
        with ThreadPoolExecutor(20) as many:
            found = list(many.map(lambda _: browser.get(GRAPH), range(20)))
        assert {one.status_code for one in found} == {200}
        assert all("Prometheus has not answered yet" in words(one.text) for one in found)
        assert len(hanging.taken) == 1
        assert "Prometheus has not answered yet" in words(browser.get("/g/demo/pets/carry").text)
        hanging.close()
        hanging.close = lambda: None


def test_a_gateway_that_hangs_holds_few_requests_and_no_other_page(api, tmp_path, monkeypatch, hanging):
    form = {"host": "cat.example.com", "path": "/"}
    with by_kubeconfig(api, tmp_path, monkeypatch, gateway=Gateway.parse(hanging.origin)) as browser:
        csrf = browser.csrf
        with ThreadPoolExecutor(EACH) as many:
            waiting = [many.submit(browser.form, ASK, {**form, "csrf": csrf}) for _ in range(EACH)]
            for _ in waiting:
                assert hanging.some.acquire(timeout=20)
            refused = browser.form(ASK, {**form, "csrf": csrf})
            assert refused.status_code == 429
            assert "still wait for an answer" in words(refused.text)
            assert "cat/v2" in words(browser.get(ASK, params={**form, "lane": "gray"}).text)
            hanging.close()
            hanging.close = lambda: None
            assert all("No answer came" in words(one.result().text) for one in waiting)
        assert browser.form(ASK, {**form, "csrf": csrf}).status_code == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["nothing", "half a head"])
def test_a_connection_without_a_whole_head_is_closed(monkeypatch, sent):
    monkeypatch.setattr(serve, "PATIENCE", 0.2)
    with (
        served(lambda port: PlainTextResponse("hello")) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as one,
    ):
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(4096).startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as other:
            other.sendall(sent)
            assert other.recv(4096) == b""


def test_a_request_that_takes_long_to_answer_is_not_cut(monkeypatch):
    monkeypatch.setattr(serve, "PATIENCE", 0.05)

    async def slow(scope, receive, send):
        await asyncio.sleep(0.3)
        await PlainTextResponse("hello")(scope, receive, send)

    with served(lambda port: slow) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(4096).startswith(b"HTTP/1.1 200")
