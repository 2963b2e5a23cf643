"""The doctor and what is no app, never ends, refuses everything, or sends by what cannot be seen."""

import asyncio
import os
import subprocess
import sys
import textwrap

import pytest

from propagation import ASGIMiddleware, PropagationConfig, WSGIMiddleware, instrument, uninstrument
from propagation.doctor import main
from propagation.probe.app import Kind, try_app

NONE = PropagationConfig()


@pytest.fixture
def doctor(tmp_path, monkeypatch, capsys):
    """doctor(code, arguments…) writes the module `shop`; gives the exit code, and what was printed to both streams."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(code, *arguments):
        (tmp_path / "shop.py").write_text(textwrap.dedent(code))
        sys.modules.pop("shop", None)
        exit_code = main(["doctor", *arguments])
        printed = capsys.readouterr()
        return exit_code, printed.out.splitlines(), printed.err.splitlines()

    yield run
    uninstrument()
    sys.modules.pop("shop", None)


def marks(lines, *words):
    """The marks of the lines that have all of these words."""
    return [line.split()[0] for line in lines if all(word in line for word in words)]


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


ENDLESS = {
    "an import": ("while True:\n    try:\n        time.sleep(60)\n    except Exception:\n        pass", 2),
    "a WSGI request": (
        """
        def app(environ, start_response):
            time.sleep(600)
        app = propagation.WSGIMiddleware(app)
        """,
        1,
    ),
    "a WSGI body": (
        """
        def app(environ, start_response):
            start_response("200 OK", [])
            while True:
                time.sleep(0.01)
                yield b"x"
        app = propagation.WSGIMiddleware(app)
        """,
        1,
    ),
    "an async request": (
        """
        async def app(scope, receive, send):
            if scope["type"] == "http":
                await asyncio.sleep(600)
        app = propagation.ASGIMiddleware(app)
        """,
        1,
    ),
    "a loop that is blocked": (
        """
        async def app(scope, receive, send):
            if scope["type"] == "http":
                time.sleep(600)
        app = propagation.ASGIMiddleware(app)
        """,
        1,
    ),
    "a thread of an endpoint": (
        """
        from fastapi import FastAPI
        app = FastAPI()
        app.add_middleware(propagation.ASGIMiddleware)
        @app.get("/")
        def page():
            time.sleep(600)
        """,
        1,
    ),
    "a start": (
        """
        async def app(scope, receive, send):
            await asyncio.sleep(600)
        """,
        2,
    ),
    "a start that is blocked": (
        """
        async def app(scope, receive, send):
            time.sleep(600)
        """,
        2,
    ),
    "a shutdown": (
        """
        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                time.sleep(600)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        app = propagation.ASGIMiddleware(app)
        """,
        0,
    ),
    "a thread in the background": (
        """
        import threading
        threading.Thread(target=time.sleep, args=(600,)).start()
        def app(environ, start_response):
            start_response("200 OK", [])
            return [b""]
        app = propagation.WSGIMiddleware(app)
        """,
        0,
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_does_not_keep_the_doctor(tmp_path, name):
    code, expected = ENDLESS[name]
    seconds = "8" if "fastapi" in code else "1"  # its import takes a while
    (tmp_path / "shop.py").write_text("import asyncio, time, propagation\n" + textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, "-m", "propagation", "doctor", "shop:app", "--timeout", seconds],
        cwd=tmp_path,
        env={**os.environ, "OTEL_PROPAGATORS": "baggage"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if expected == 1:
        assert marks(done.stdout.splitlines(), f"did not answer within {seconds} s")[:1] == ["fail"]
    if expected == 2:
        assert len(done.stderr.splitlines()) == 1


def test_after_a_request_that_never_ends_all_is_as_before(assert_propagates, server):
    import threading

    import requests

    end = threading.Event()

    def app(environ, start_response):
        end.wait(60)
        return []

    with pytest.raises(AssertionError, match=r"within 0\.05 s and could not be stopped; nothing was sent to it after"):
        assert_propagates(WSGIMiddleware(app), timeout=0.05)
    try:
        requests.get(server.url)
        assert len(server.seen) == 1
    finally:
        end.set()


def test_an_app_that_ends_the_program_is_bad_input(doctor):
    code = "import sys\nasync def app(scope, receive, send):\n    sys.exit(3)"
    exit_code, _, err = doctor(code, "shop:app")
    assert (exit_code, err) == (2, ["propagation doctor: the app ends the program: SystemExit(3)"])


def test_a_client_in_c_is_said_to_be_unseen(doctor, monkeypatch):
    code = """
        import pycurl, propagation
        def app(environ, start_response):
            start_response("200 OK", [])
            return [b""]
        app = propagation.WSGIMiddleware(app)
    """
    pytest.importorskip("pycurl")
    exit_code, out, _ = doctor(code, "shop:app")
    assert exit_code == 0
    assert marks(out, "calls by", "pycurl", "are not seen") == ["note"]
    assert not any("each as it should be" in line for line in out)


@pytest.mark.parametrize(
    ("package", "distribution", "summary", "text"),
    [
        ("curl_cffi", "curl-cffi", "libcurl ffi bindings for Python", "its calls are not seen"),
        ("primp", "primp", "", "its calls are not seen"),
        ("treq", "treq", "High-level Twisted HTTP Client API", "knows nothing of"),
        ("hexhttp", "hex-http", "The sixteenth-generation HTTP client", "knows nothing of"),
        ("quickws", "quickws", "A fast WebSocket client and server", "knows nothing of"),
        ("ourmq", "ourmq", "Clients for AMQP 1.0", "knows nothing of"),
    ],
)
def test_a_client_that_it_does_not_know_is_listed(doctor, tmp_path, package, distribution, summary, text):
    (tmp_path / f"{package}.py").write_text("")
    info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\nSummary: {summary}\n")
    (info / "RECORD").write_text(f"{package}.py,,\n")
    _, out, _ = doctor("")
    assert marks(out, f"{package} 1.2", text) == ["note"]
    app = APP.replace("propagation.instrument()", "").format(before="", after="")
    _, out, _ = doctor(app, "shop:app")
    assert marks(out, "not loaded by the app", package) == ["note"]
    _, out, _ = doctor(f"import {package}\n{app}", "shop:app")
    assert marks(out, f"{package} 1.2", text) == ["note"]
    sys.modules.pop(package, None)


def test_what_is_no_client_is_not_listed(doctor):
    _, out, _ = doctor("")
    for package in (
        "starlette",
        "uvicorn",
        "h11",
        "httpcore",
        "yarl",
        "flask",
        "jinja2",
        "kubernetes",
        "requests_oauthlib",
    ):
        assert not any(f" {package} " in line for line in out), package


EARLY = {
    "a function": ("from grpc import insecure_channel", "shop.insecure_channel is grpc.insecure_channel"),
    "another name": ("from grpc import secure_channel as connect", "shop.connect is grpc.secure_channel"),
    "grpc.aio": ("from grpc.aio import insecure_channel", "shop.insecure_channel is grpc.aio.insecure_channel"),
    "a class": ("from confluent_kafka import Producer", "shop.Producer is confluent_kafka.Producer"),
    "a channel": ("import grpc\nmade = grpc.insecure_channel('mouse-svc:9003')", "channel to dns:///mouse-svc:9003"),
    "an intercepted channel": (
        "import grpc\nclass I(grpc.UnaryUnaryClientInterceptor):\n    def intercept_unary_unary(self, c, d, r): ...\n"
        "made = grpc.intercept_channel(grpc.insecure_channel('mouse-svc:9003'), I())",
        "channel to dns:///mouse-svc:9003",
    ),
    "a producer": (
        "import confluent_kafka\nmade = confluent_kafka.Producer({})",
        "1 confluent_kafka.Producer was made",
    ),
}
APP = """
import propagation
{before}
propagation.instrument()
{after}
@propagation.WSGIMiddleware
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
"""


@pytest.mark.parametrize("name", EARLY)
def test_what_was_there_before_instrument_is_found(tmp_path, name):
    early, text = EARLY[name]

    def run(**parts):
        (tmp_path / "shop.py").write_text(APP.format(**{"before": "", "after": "", **parts}))
        done = subprocess.run(
            [sys.executable, "-m", "propagation", "doctor", "shop:app"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()

    code, out = run(before=early)
    assert marks(out, text, "before instrument()") == ["lost"]
    assert code == 1
    code, out = run(after=early)
    assert marks(out, "before instrument()") == []
    assert code == 0


def test_a_channel_with_an_interceptor_of_ours_is_not_early(doctor):
    code = """
        import grpc, propagation
        from propagation.clients.grpc import PropagatingInterceptor, aio_interceptors
        made = grpc.intercept_channel(grpc.insecure_channel("mouse-svc:9003"), PropagatingInterceptor("mouse-svc:9003"))
        propagation.instrument("grpc")
        @propagation.WSGIMiddleware
        def app(environ, start_response):
            start_response("200 OK", [])
            return [b""]
    """
    _, out, _ = doctor(code, "shop:app")
    assert marks(out, "before instrument()") == []


def test_taken_back_nothing_is_early(doctor):
    instrument("grpc")
    uninstrument("grpc")
    assert marks(doctor("from grpc import insecure_channel")[1], "before instrument()") == []


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
