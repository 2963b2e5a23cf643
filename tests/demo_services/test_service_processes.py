"""One suite for both stacks, on real processes."""

import http.server
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from typing import Any, ClassVar

import pytest

pytestmark = pytest.mark.slow

Start = Callable[..., AbstractContextManager[Any]]

ANSWERS: dict[str, tuple[int, bytes]] = {
    "/503": (503, b'{"chain": []}'),
    "/302": (302, b""),
    "/text": (200, b"hello"),
    "/no-chain": (200, b'{"hello": 1}'),
    "/null-chain": (200, b'{"chain": null}'),
    "/dog": (200, b'{"chain": [{"service": "dog", "env": "prod", "saw": null}]}'),
}


class _Other(http.server.BaseHTTPRequestHandler):
    """A next hop that answers as its path says; /headers repeats what it was sent."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1.5)
        headers = json.dumps({"chain": [{"headers": [(k.lower(), v) for k, v in self.headers.items()]}]}).encode()
        status, body = ANSWERS.get(self.path, (200, headers))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/dog")
        if self.path == "/dog":
            self.send_header("x-graylane-trail", "dog/prod")  # as the mesh's route does
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def other() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Other)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,)).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Suite:
    """What holds for every stack; a subclass names its own."""

    stack: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def cat(cls, start: Start) -> Iterator[Any]:
        """cat in gray, which calls mouse in prod."""
        with (
            start("--name=mouse", "--env=prod", f"--stack={cls.stack}") as mouse,
            start("--name=cat", "--env=gray", f"--stack={cls.stack}", f"--service-url={mouse.url}") as cat,
        ):
            yield cat

    @pytest.mark.parametrize(("tag", "trail"), [("gray", ["dog/prod", "dog/prod"]), (None, [])])
    def test_the_answer_to_a_tagged_request_has_the_trail(
        self, start: Start, other: str, tag: str | None, trail: list[str]
    ) -> None:
        dog = f"--service-url={other}/dog"
        with (
            start("--name=cat", "--env=gray", f"--stack={self.stack}", dog, dog, trail="true") as cat,
            closing(cat.connect()) as connection,
        ):
            connection.request("GET", "/sayHello", headers={"env": tag} if tag else {})
            response = connection.getresponse()
            assert (response.headers.get_all("x-graylane-trail") or []) == trail
            response.read()

    @pytest.mark.parametrize("tag", ["gray", "prod", "daily", None])
    def test_chain_says_who_answered_and_what_each_saw(self, cat: Any, tag: str | None) -> None:
        headers = [("env", tag)] if tag else []
        assert cat.chain(*headers) == [
            {"service": "cat", "env": "gray", "saw": tag},
            {"service": "mouse", "env": "prod", "saw": tag},
        ]

    @pytest.mark.parametrize(
        ("values", "saw"),
        [(("nobody", "gray"), None), (("gray", "gray"), "gray"), (("gray,prod",), None), (("gray.next",), "gray")],
    )
    def test_header_sent_twice_counts_only_where_both_agree(
        self, cat: Any, values: tuple[str, ...], saw: str | None
    ) -> None:
        assert [hop["saw"] for hop in cat.chain(*(("env", value) for value in values))] == [saw, saw]

    def test_simultaneous_requests_see_their_own_tag(self, cat: Any) -> None:
        tags = ["gray", "prod", None] * 60

        def saw(tag: str | None) -> list[str | None]:
            return [hop["saw"] for hop in cat.chain(*[("env", tag)] if tag else [])]

        with ThreadPoolExecutor(12) as pool:
            assert list(pool.map(saw, tags)) == [[tag, tag] for tag in tags]

    def test_healthz_answers_200(self, cat: Any) -> None:
        assert cat.ask(path="/healthz") == (200, b"ok")

    def test_next_hops_are_asked_in_order_and_failing_ones_reported(self, start: Start, other: str) -> None:
        refused = "http://127.0.0.1:1/sayHello"
        urls = [f"{other}{path}" for path in ("/503", "/302", "/text", "/no-chain", "/null-chain", "/slow", "/dog")]
        flags = [f"--service-url={url}" for url in (refused, *urls)]
        with start("--name=cat", "--env=prod", f"--stack={self.stack}", "--timeout=0.3", *flags) as cat:
            first, *failed, last = cat.chain(("env", "gray"))
        assert first["saw"] == "gray"
        assert last == {"service": "dog", "env": "prod", "saw": None}
        assert [(hop["service"], hop["url"], hop["status"]) for hop in failed] == [
            (None, refused, None),
            (None, urls[0], 503),
            (None, urls[1], 302),
            (None, urls[2], 200),
            (None, urls[3], 200),
            (None, urls[4], 200),
            (None, urls[5], None),
        ]
        assert "ConnectError" in failed[0]["error"]
        assert "ReadTimeout" in failed[-1]["error"]

    def test_every_remote_field_goes_on_and_the_first_is_shown(self, start: Start, other: str) -> None:
        flags = ("--name=cat", "--env=prod", f"--stack={self.stack}", f"--service-url={other}/headers")
        with start(*flags, fields="x-lane,x-request-id") as cat:
            hop, sent = cat.chain(("x-lane", "gray"), ("X-Request-Id", "r-1"), ("x-other", "1"), ("env", "prod"))
        assert hop["saw"] == "gray"
        names = dict(sent["headers"])
        assert (names["x-lane"], names["x-request-id"]) == ("gray", "r-1")
        assert not {"x-other", "env"} & set(names)

    def test_fail_rate_is_a_share_of_the_requests_and_spares_healthz(self, start: Start) -> None:
        with start("--name=cat", "--env=prod", f"--stack={self.stack}", "--fail-rate=50") as cat:
            statuses = Counter(cat.ask()[0] for _ in range(60))
            assert set(statuses) == {200, 500}
            assert {cat.ask(path="/healthz")[0] for _ in range(20)} == {200}

    def test_sigterm_loses_neither_a_request_in_flight_nor_one_on_an_open_connection(
        self, start: Start, tools: Any
    ) -> None:
        flags = ("--name=cat", "--env=prod", f"--stack={self.stack}", "--delay=0.3")
        with start(*flags) as cat, closing(cat.connect()) as idle, closing(cat.connect()) as busy:
            tools.send(idle)
            assert tools.answer(idle)[0] == 200
            tools.send(busy)
            time.sleep(0.1)  # until it is surely read
            cat.popen.send_signal(signal.SIGTERM)
            tools.wait(lambda: not tools.listening(cat.port), "refusing new connections")
            sent = time.monotonic()
            tools.send(idle)
            assert [tools.answer(connection)[0] for connection in (busy, idle)] == [200, 200]
            assert time.monotonic() - sent >= 0.3, "answered before --delay was over"
            assert idle.sock is None, "the answer did not say that the connection ends"
            busy.close()
            assert cat.popen.wait(20) == 0

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signal_right_after_the_start_ends_it_quietly(self, start: Start, number: int) -> None:
        with start("--name=cat", "--env=prod", f"--stack={self.stack}") as cat:
            assert cat.end(number) == (0, "")


class TestAsgi(Suite):
    stack = "asgi"


class TestWsgi(Suite):
    stack = "wsgi"
