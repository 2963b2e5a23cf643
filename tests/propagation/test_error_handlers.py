"""Starlette's handler of `Exception`, outside of all that `add_middleware` adds, works as the request that failed."""

import functools

import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from propagation import ASGIMiddleware, PropagationConfig, get, inject, use

ECHO = PropagationConfig(echo=True)


def fail(request):
    raise RuntimeError(request.headers.get("env"))


async def answer_async(request, error):
    return PlainTextResponse(f"{get('env')} {inject({}).get('baggage')}", 500)


def answer(request, error):
    return PlainTextResponse(f"{get('env')} {inject({}).get('baggage')}", 500)


async def answer_later(request, error):
    async def parts():
        yield f"{get('env')} "
        yield f"{inject({}).get('baggage')}"

    return StreamingResponse(parts(), 500)


class Answering:
    async def __call__(self, request, error):
        return await answer_async(request, error)


HANDLERS = {
    "async": answer_async,
    "sync": answer,
    "streaming": answer_later,
    "partial": functools.partial(answer_async),
    "object": Answering(),
}


def client(handler=None, config=ECHO, **options):
    """Of an app whose one route fails, with our middleware added as the docs say."""
    app = Starlette(routes=[Route("/", fail)], exception_handlers={Exception: handler} if handler else {}, **options)
    app.add_middleware(ASGIMiddleware, config=config)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_the_handler_and_its_answer_have_the_tag_of_each_request(handler):
    asked = client(handler)
    for lane in ("gray", None, "prod", None, "gray"):
        response = asked.get("/", headers={"env": lane} if lane else {})
        assert response.status_code == 500
        assert response.text == (f"{lane} env={lane}" if lane else "None None")
        assert response.headers.get("env") == lane


def test_starlettes_own_answer_echoes_too():
    response = client().get("/", headers={"env": "gray"})
    assert (response.text, response.headers["env"]) == ("Internal Server Error", "gray")
    assert "env" not in client().get("/").headers


def test_the_error_goes_on_to_the_server_and_nothing_is_left_around_it():
    asked = client(answer)
    asked._transport.raise_server_exceptions = True
    with pytest.raises(RuntimeError, match="gray"):
        asked.get("/", headers={"env": "gray"})
    assert get("env") is None


def test_an_edges_handler_has_nothing_of_what_was_dropped():
    response = client(answer, PropagationConfig(trust_inbound=False, echo=True)).get("/", headers={"env": "gray"})
    assert response.text == "None None"


def test_other_middleware_may_stand_between():
    app = Starlette(routes=[Route("/", fail)], exception_handlers={Exception: answer_async})
    app.add_middleware(ASGIMiddleware, config=ECHO)
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    response = TestClient(app, raise_server_exceptions=False).get("/", headers={"env": "gray"})
    assert (response.text, response.headers["env"]) == ("gray env=gray", "gray")


def test_an_app_under_another_has_its_own_handler():
    inner = Starlette(routes=[Route("/", fail)], exception_handlers={Exception: answer_async})
    inner.add_middleware(ASGIMiddleware, config=ECHO)
    outer = Starlette(routes=[Mount("/inner", inner)], exception_handlers={Exception: answer})
    response = TestClient(outer, raise_server_exceptions=False).get("/inner/", headers={"env": "gray"})
    assert (response.text, response.headers["env"]) == ("gray env=gray", "gray")


def test_a_handler_that_fails_itself_leaves_nothing():
    async def failing(request, error):
        raise ZeroDivisionError(get("env"))

    asked = client(failing)
    asked._transport.raise_server_exceptions = True
    with pytest.raises(ZeroDivisionError, match="gray"):
        asked.get("/", headers={"env": "gray"})
    assert get("env") is None


def test_what_a_handler_sets_is_its_own():
    async def setting(request, error):
        use(env="prod").__enter__()
        return PlainTextResponse(get("env"), 500)

    asked = client(setting)
    assert asked.get("/", headers={"env": "gray"}).text == "prod"
    assert get("env") is None
