"""`python -m propagation doctor`: what it says, and how it exits."""

import os
import subprocess
import sys
from typing import Any

import pytest
from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from propagation import PropagationConfig, RemoteFieldsPropagator, instrument, uninstrument
from propagation.doctor import main

APPS = """
import requests
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from opentelemetry.baggage import set_baggage
from opentelemetry.context import attach
from propagation import ASGIMiddleware, WSGIMiddleware
from propagation.clients.requests import PropagatingAdapter

def ask(adapter):
    with requests.Session() as session:
        session.mount("http://", adapter)
        return session.get("http://mouse-svc:9002/sayHello").text

def carrying(request):
    return PlainTextResponse(ask(PropagatingAdapter()))

def losing(request):
    return PlainTextResponse(ask(requests.adapters.HTTPAdapter()))

def make(endpoint):
    app = Starlette(routes=[Route("/", endpoint)])
    app.add_middleware(ASGIMiddleware)
    return app

good, lossy = make(carrying), make(losing)
bare = Starlette(routes=[Route("/", carrying)])
flask = Flask("cat")
flask.add_url_rule("/hello", view_func=lambda: ask(PropagatingAdapter()))
flask.wsgi_app = WSGIMiddleware(flask.wsgi_app)

async def leaving(scope, receive, send):
    for name, value in scope.get("headers", ()):
        if name == b"env":
            attach(set_baggage("env", value.decode()))
    if scope["type"] == "http":
        await good(scope, receive, send)

async def failing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})

not_an_app = 3
"""


@pytest.fixture(autouse=True)
def _apart(tmp_path, monkeypatch, environment):
    (tmp_path / "doctors_apps.py").write_text(APPS)
    (tmp_path / "doctors_broken.py").write_text("1 / 0")
    (tmp_path / "doctors_script.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = propagate.get_global_textmap()
    yield
    uninstrument()
    propagate.set_global_textmap(before)
    sys.modules.pop("doctors_apps", None)


@pytest.fixture
def doctor(capsys):
    """doctor(arguments…) gives the exit code and the lines printed."""

    def run(*arguments):
        code = main(["doctor", *arguments])
        printed = capsys.readouterr()
        return code, (printed.out + printed.err).splitlines()

    return run


def line(lines, *words):
    """The one line that has all of these words."""
    (found,) = [one for one in lines if all(word in one for word in words)]
    return found


def test_it_says_of_each_library_whether_it_carries_the_tag(doctor):
    instrument("requests", "celery")
    code, lines = doctor()
    assert code == 0
    for name in ("requests", "celery"):
        assert line(lines, f" {name} ").split()[0] == "ok"
    for name in ("httpx", "httpx2", "urllib3", "aiohttp", "grpc", "confluent_kafka", "aiokafka"):
        assert line(lines, f" {name} ", "does not carry the tag", f'instrument("{name}")').split()[0] == "no"
    assert not any("threading" in one or "grpc_server" in one for one in lines)


def test_carried_or_not_is_tried_out(doctor):
    # Nothing that `instrument` knows of: the library itself was changed.
    import requests

    adapter: Any = requests.adapters.HTTPAdapter
    send = adapter.send

    def send_with_tag(self, request, **kwargs):
        request.headers["env"] = "gray"
        return send(self, request, **kwargs)

    adapter.send = send_with_tag
    try:
        _, lines = doctor()
    finally:
        adapter.send = send
    assert line(lines, " requests ", "carries the tag").split()[0] == "ok"


def test_a_library_that_tells_strangers_is_a_leak(doctor, environment):
    environment(allowed_hosts=".svc.cluster.local,10.0.0.0/8")
    instrument("urllib3", config=PropagationConfig())
    instrument("httpx")
    code, lines = doctor()
    assert code == 1
    assert line(lines, " urllib3 ", "hosts that are not allowed").split()[0] == "LEAK"
    assert line(lines, " httpx ", "carries the tag").split()[0] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("hosts", ["10.0.0.0/8", "fd00::/8", "mouse-svc", ".svc"])
def test_a_host_that_is_allowed_is_found_to_try(doctor, environment, hosts):
    environment(allowed_hosts=hosts)
    instrument("requests")
    assert line(doctor()[1], " requests ").split()[0] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("propagators", "code", "mark", "text"),
    [
        ([TraceContextTextMapPropagator()], 1, "lost", "baggage is lost"),
        ([], 1, "lost", "baggage is lost"),
        ([TraceContextTextMapPropagator(), W3CBaggagePropagator()], 0, "note", "remote_fields cures both"),
        ([W3CBaggagePropagator(), RemoteFieldsPropagator()], 0, "ok", "the tag goes as header and in baggage"),
    ],
)
def test_opentelemetrys_propagators(doctor, propagators, code, mark, text):
    propagate.set_global_textmap(CompositePropagator(propagators))
    found, lines = doctor()
    assert found == code
    assert line(lines, text).split()[0] == mark


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [None, "mouse-svc"])
@pytest.mark.parametrize("values", [None, "env=blue|green", "env=blue"])
def test_remote_fields_before_baggage_loses_the_tag(doctor, environment, hosts, values):
    environment(
        **({"allowed_hosts": hosts} if hosts else {}), **({"allowed_values": values} if values else {}), echo="false"
    )
    propagate.set_global_textmap(CompositePropagator([RemoteFieldsPropagator(), W3CBaggagePropagator()]))
    code, lines = doctor()
    assert code == 1
    assert line(lines, "its header and its baggage differ", "list remote_fields last").split()[0] == "lost"
    assert not any(one.split()[0] == "ok" and "the tag goes" in one for one in lines if one.startswith(" "))
    propagate.set_global_textmap(CompositePropagator([W3CBaggagePropagator(), RemoteFieldsPropagator()]))
    code, lines = doctor()
    assert (code, [one for one in lines if " lost " in one]) == (0, [])


def test_without_remote_fields_the_order_is_of_no_matter(doctor):
    propagate.set_global_textmap(CompositePropagator([W3CBaggagePropagator(), TraceContextTextMapPropagator()]))
    assert doctor()[0] == 0


def test_what_opentelemetry_excludes_and_sends_everywhere_is_noted(doctor, environment, monkeypatch):
    environment(allowed_hosts="mouse-svc")
    monkeypatch.setenv("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", "healthz")
    _, lines = doctor()
    assert line(lines, "OTEL_PYTHON_HTTPX_EXCLUDED_URLS=healthz").split()[0] == "note"
    assert line(lines, "to every host").split()[0] == "note"


@pytest.mark.parametrize("app", ["good", "flask --path=/hello"])
def test_an_app_that_carries_the_tag(doctor, app):
    name, *options = app.split()
    code, lines = doctor(f"doctors_apps:{name}", *options)
    assert code == 0
    for sent in ("env: gray", "env: prod", "no env"):
        assert line(lines, f"{sent} → 200; 1 call(s) out").split()[0] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("app", "mark", "text"),
    [
        ("lossy", "lost", "env: gray → GET http://mouse-svc:9002/sayHello went out without it"),
        ("bare", "lost", "env: prod → GET http://mouse-svc:9002/sayHello went out without it"),
        ("leaving", "LEAK", "env: gray → env is still 'gray' after the request"),
        ("leaving", "LEAK", "no env → GET http://mouse-svc:9002/sayHello carries env: prod"),
    ],
)
def test_an_app_that_does_not(doctor, app, mark, text):
    code, lines = doctor(f"doctors_apps:{app}")
    assert code == 1
    assert line(lines, text).split()[0] == mark


def test_an_app_that_only_refuses_shows_nothing(doctor):
    code, lines = doctor("doctors_apps:flask", "--path=/no-such-path")
    assert code == 1
    assert line(lines, "env: gray → 404; 0 call(s) out").split()[0] == "note"
    assert line(lines, "every request with an error (404) and called nobody").split()[0] == "fail"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("doctors_apps", "'doctors_apps': give module:app"),
        ("doctors_app:good", "doctors_app:good: there is no module 'doctors_app'"),
        ("doctors_apps:goood", "doctors_apps:goood: no 'goood' there; did you mean 'good'?"),
        ("doctors_apps:not_an_app", "3 is neither an ASGI nor a WSGI app: it cannot be called"),
        ("doctors_apps:failing", "the app did not start: no database"),
        ("doctors_broken:app", "importing it fails: ZeroDivisionError"),
        ("doctors_script:app", "importing it ends the program: SystemExit(0)"),
    ],
)
def test_bad_input_is_one_line(doctor, app, message):
    code, lines = doctor(app)
    assert code == 2
    assert message in lines[-1]
    assert lines[-1].startswith("propagation doctor: ")
    assert not any("Traceback" in one for one in lines)


def test_a_config_that_cannot_work_is_one_line(doctor, environment):
    environment(remote_fields="env", key_names="env=cookie")
    code, lines = doctor()
    assert (code, len(lines)) == (2, 1)
    assert "'cookie'" in lines[0]


def test_a_config_without_a_field_is_one_line(doctor, environment):
    environment(remote_fields=",")
    message = "PROPAGATION_REMOTE_FIELDS: empty; unset it for the default, or give a value"
    assert doctor() == (2, [f"propagation doctor: {message}"])


@pytest.mark.slow
@pytest.mark.parametrize(("propagators", "code"), [("tracecontext", 1), ("tracecontext,bagage", 2)])
def test_as_a_command(propagators, code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "propagation", "doctor"],
        env={**os.environ, "OTEL_PROPAGATORS": propagators},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert f"OTEL_PROPAGATORS={propagators}: baggage is lost" in done.stdout or "bagage not found" in done.stderr
    assert "Traceback" not in done.stderr
