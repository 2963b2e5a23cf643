"""The doctor and what is no app, is an unusual one, or refuses everything."""

import asyncio

import pytest
from doctor_lines import marks

from propagation import ASGIMiddleware, PropagationConfig, WSGIMiddleware
from propagation.probe.app import Kind, try_app

NONE = PropagationConfig()


NO_APPS = {
    "aiohttp": ("from aiohttp import web\nfound = web.Application()", "an aiohttp.web application"),
    "a runner": ("from aiohttp import web\nfound = web.AppRunner(web.Application())", "an aiohttp.web application"),
    "a factory": ("def found():\n    return lambda environ, start_response: []", "is it a factory?"),
    "a factory with options": ("def found(settings=None):\n    return 1", "is it a factory?"),
    "a factory with two options": (
        "from flask import Flask\ndef found(name='cat', debug=False):\n    return Flask('cat')",
        "it returned <Flask 'cat'>; is it a factory?",
    ),
    "a factory with three options": (
        "from starlette.applications import Starlette\ndef found(a, b, c):\n    return Starlette()",
        "is it a factory?",
    ),
    "an async factory": ("async def found():\n    return None", "it is a coroutine function that takes neither"),
    "a coroutine": ("async def make():\n    pass\nfound = make()\nfound.close()", "it cannot be called"),
    "a class": ("from starlette.applications import Starlette as found", "it is a class; name an instance"),
    "Flask's class": ("from flask import Flask as found", "it is a class; name an instance"),
    "a module": ("import json as found", "it cannot be called"),
    "ASGI of old": (
        "def found(scope):\n    async def app(receive, send):\n        pass\n    return app",
        "takes neither",
    ),
    "a view": ("def found(request):\n    return 'hello'", "takes neither 3 nor 2 arguments"),
    "ASGI in WSGI's": (
        "import propagation\nfrom fastapi import FastAPI\nfound = propagation.WSGIMiddleware(FastAPI())",
        "which takes ASGIMiddleware",
    ),
    "WSGI in ASGI's": (
        "import propagation\nfrom flask import Flask\nfound = propagation.ASGIMiddleware(Flask('cat'))",
        "which takes WSGIMiddleware",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NO_APPS)
def test_what_is_no_app_is_one_line_that_says_why(doctor, name):
    code, reason = NO_APPS[name]
    exit_code, out, err = doctor(code, "shop:found")
    assert (exit_code, len(err)) == (2, 1)
    assert err[0].startswith("propagation doctor: ")
    assert "found" in err[0] or "factory" in err[0]
    assert reason in err[0]
    assert "0x" not in err[0]
    assert not any(word in line for line in out for word in ("LEAK", "lost", "Traceback"))


def test_a_tornado_application_is_one_line(doctor):
    pytest.importorskip("tornado")
    exit_code, _, err = doctor("from tornado.web import Application\nfound = Application()", "shop:found")
    assert (exit_code, len(err)) == (2, 1)
    assert "a Tornado application" in err[0]


APPS = {
    "a class for each request": """
        class app:
            def __init__(self, scope, receive, send):
                self.scope, self.send = scope, send
            def __await__(self):
                return self.answer().__await__()
            async def answer(self):
                if self.scope["type"] == "http":
                    await self.send({"type": "http.response.start", "status": 200, "headers": []})
                    await self.send({"type": "http.response.body", "body": b""})
        import propagation
        app = propagation.ASGIMiddleware(app)
    """,
    "a function that gives a coroutine": """
        import propagation
        from starlette.applications import Starlette
        inner = propagation.ASGIMiddleware(Starlette())
        def app(scope, receive, send):
            return inner(scope, receive, send)
    """,
    "any arguments": """
        import functools, propagation
        from flask import Flask
        flask = Flask("cat")
        flask.add_url_rule("/", view_func=lambda: "hello")
        inner = propagation.WSGIMiddleware(flask.wsgi_app)
        app = functools.partial(inner)
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", APPS)
def test_unusual_apps_are_apps(doctor, name):
    exit_code, out, err = doctor(APPS[name], "shop:app")
    assert err == []
    assert marks(out, "env: gray →") in (["ok"], ["note"])
    assert exit_code == (0 if marks(out, "env: gray →") == ["ok"] else 1)


def answering(*statuses):
    """A WSGI app that answers these, one after the other."""
    left = list(statuses)

    def app(environ, start_response):
        start_response(f"{left.pop(0)} Answer", [])
        return [b""]

    return WSGIMiddleware(app)


@pytest.mark.parametrize("statuses", [(404, 404, 404), (500, 502, 401)])
def test_an_app_that_only_refuses_is_said_so(statuses, assert_propagates):
    faults = [fault for one in try_app(answering(*statuses), config=NONE) for fault in one.wrong]
    assert [fault.kind for fault in faults] == [Kind.FAILED]
    assert ", ".join(dict.fromkeys(map(str, statuses))) in faults[0].text
    with pytest.raises(AssertionError, match="fail: the app answered every request with an error"):
        assert_propagates(answering(*statuses))


@pytest.mark.parametrize("statuses", [(200, 404, 404), (404, 404, 302)])
def test_an_app_that_answers_once_is_not(statuses, assert_propagates):
    assert assert_propagates(answering(*statuses)) == []


@pytest.mark.slow
def test_a_header_lets_a_request_in(doctor):
    code = """
        import propagation
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        def page(request):
            return PlainTextResponse("hi", 200 if request.headers.get("authorization") == "Bearer x:y" else 401)
        app = Starlette(routes=[Route("/", page)])
        app.add_middleware(propagation.ASGIMiddleware)
    """
    assert doctor(code, "shop:app")[0] == 1
    exit_code, out, _ = doctor(code, "shop:app", "--header", "Authorization: Bearer x:y")
    assert (exit_code, marks(out, "→ 200")) == (0, ["ok"] * 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--header", "nonsense"], "--header: 'nonsense' is not NAME:VALUE"),
        (["--header", ": x"], "is not NAME:VALUE"),
        (["--timeout", "0"], "--timeout: 0.0 is no number of seconds"),
        (["--timeout", "nan"], "--timeout: nan is no number of seconds"),
    ],
)
def test_a_wrong_option_is_one_line(doctor, arguments, message):
    exit_code, _, err = doctor("", "shop:app", *arguments)
    assert (exit_code, len(err)) == (2, 1)
    assert message in err[0]


def test_an_app_that_ends_the_program_is_bad_input(doctor):
    code = "import sys\nasync def app(scope, receive, send):\n    sys.exit(3)"
    exit_code, _, err = doctor(code, "shop:app")
    assert (exit_code, err) == (2, ["propagation doctor: the app ends the program: SystemExit(3)"])


def test_the_app_of_the_readme_is_met_with_no_no(doctor):
    code = """
        import httpx, propagation
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        from propagation.clients.httpx import AsyncPropagatingTransport
        client = httpx.AsyncClient(transport=AsyncPropagatingTransport())
        async def page(request):
            return PlainTextResponse((await client.get("http://mouse-svc:9002/")).text)
        app = Starlette(routes=[Route("/", page)])
        app.add_middleware(propagation.ASGIMiddleware)
    """
    exit_code, out, _ = doctor(code, "shop:app")
    assert exit_code == 0
    assert not any(line.strip().startswith("no ") for line in out)
    assert marks(out, "1 call(s) out, each as it should be") == ["ok"] * 3


def test_a_tag_that_is_sent_twice_is_lost_and_another_ones_is_a_leak():
    import http.client

    def calling(*tags):
        def app(environ, start_response):
            connection = http.client.HTTPConnection("mouse-svc", 9002)
            connection.putrequest("GET", "/")
            for tag in tags if "HTTP_ENV" in environ else ():
                connection.putheader("env", environ["HTTP_ENV"] if tag == "own" else tag)
            connection.endheaders()
            connection.getresponse().read()
            start_response("200 OK", [])
            return [b""]

        return [fault.kind for one in try_app(WSGIMiddleware(app), config=NONE)[:1] for fault in one.wrong]

    assert calling("own") == []
    assert calling() == [Kind.LOST]
    assert calling("own", "own") == [Kind.LOST]
    assert calling("own", "green") == [Kind.LEAK]
    assert calling("green") == [Kind.LEAK]


def test_an_app_may_use_the_loop_that_runs_the_test(assert_propagates):
    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def test():
        return assert_propagates(ASGIMiddleware(app))

    assert asyncio.run(test()) == []
