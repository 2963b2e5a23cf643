"""niquests on a connection that many requests share, where a request is answered by a promise.

niquests takes urllib3's place in an environment, so it is in none of our extras; this runs where it is installed.
"""

import asyncio
import socket
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from trails import hops, tagged

from propagation import instrument, uninstrument
from propagation.trail import HEADER

niquests: Any = pytest.importorskip("niquests")


def answer_all(connection, seen):
    """HTTP/2 as a server with prior knowledge speaks it: each answer has a hop of the request's path."""
    from jh2.config import H2Configuration
    from jh2.connection import H2Connection
    from jh2.events import RequestReceived

    http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    http.initiate_connection()
    connection.sendall(http.data_to_send())
    while data := connection.recv(65536):
        for event in http.receive_data(data):
            if isinstance(event, RequestReceived):
                headers = dict(event.headers)
                seen.append(headers.get("env"))
                answer = [(":status", "200"), (HEADER, f"mouse{headers[':path']}")]
                http.send_headers(event.stream_id, answer, end_stream=True)
        connection.sendall(http.data_to_send())


@contextmanager
def serving():
    """A server's URL, and the tags of its requests."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            connection, _ = listener.accept()
            with connection:
                answer_all(connection, seen)

        thread = Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        thread.join(10)


def by_sync(url):
    with niquests.Session(multiplexed=True, disable_http1=True) as session:
        session.trust_env = False
        for number in range(3):
            session.get(f"{url}/{number}")
        session.gather()


def by_async(url):
    async def main():
        async with niquests.AsyncSession(multiplexed=True, disable_http1=True) as session:
            session.trust_env = False
            for number in range(3):
                await session.get(f"{url}/{number}")
            await session.gather()

    asyncio.run(main())


@pytest.mark.parametrize("names", [("niquests",), ()], ids=["alone", "with all others"])
@pytest.mark.parametrize("ask", [by_sync, by_async])
def test_each_request_has_the_tag_and_adds_its_answer_to_the_trail(ask, names):
    instrument(*names)
    try:
        with serving() as (url, seen), tagged():
            ask(url)
            assert hops() == ["mouse/0", "mouse/1", "mouse/2"]
        assert seen == ["gray"] * 3
    finally:
        uninstrument()
