"""Whatever a next hop answers, it becomes hops of the chain, never an exception."""

import itertools
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from canned import answering
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from demo_services import app, wsgi
from demo_services.hop import Service, read

URL = "http://mouse-svc:9001/sayHello"
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5
)
documents = values | st.dictionaries(st.sampled_from(["chain", "other"]), values)


@given(st.binary() | documents.map(lambda document: json.dumps(document).encode()) | st.just(b"[" * 100_000))
def test_any_body_becomes_hops(body: bytes) -> None:
    chain = read(URL, httpx.Response(200, content=body))
    try:
        sent = json.loads(body)["chain"]
    except (ValueError, KeyError, TypeError, RecursionError):
        sent = None
    if not isinstance(sent, list):
        sent = [{"service": None, "url": URL, "status": 200, "error": "the answer is not JSON with a chain"}]
    assert chain == sent


@given(st.integers(100, 599).filter(lambda status: status != 200))
def test_any_other_status_is_reported(status: int) -> None:
    (hop,) = read(URL, httpx.Response(status, content=b'{"chain": []}'))
    assert (hop["service"], hop["url"], hop["status"]) == (None, URL, status)


def asked_by_asgi(service: Service) -> Any:
    return TestClient(app.create_app(service)).get("/sayHello").json()


def asked_by_wsgi(service: Service) -> Any:
    with httpx.Client(transport=httpx.WSGITransport(app=wsgi.create_app(service)), base_url="http://cat-svc") as client:
        return client.get("/sayHello").json()


@pytest.mark.parametrize("ask", [asked_by_asgi, asked_by_wsgi])
def test_a_name_that_is_not_found_for_a_moment_is_looked_up_again(
    ask: Callable[[Service], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a cluster's DNS changes."""
    found, asked = socket.getaddrinfo, itertools.count()

    def lookup(host: Any, *arguments: Any, **more: Any) -> Any:
        if host not in ("mouse-svc", b"mouse-svc"):
            return found(host, *arguments, **more)
        if next(asked) == 0:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return found("127.0.0.1", *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with answering((200, json.dumps({"chain": [{"service": "mouse", "env": "v1"}]}))) as mouse:
        service = Service("cat", "v1", "env", urls=(mouse.url.replace("127.0.0.1", "mouse-svc"),))
        answer = ask(service)
    assert [hop["service"] for hop in answer["chain"]] == ["cat", "mouse"]
