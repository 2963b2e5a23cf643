"""The doctor and what never ends."""

import os
import subprocess
import sys
import textwrap
import threading

import pytest
import requests
from doctor_lines import marks

from propagation import WSGIMiddleware

pytestmark = pytest.mark.slow  # it waits for what never ends

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
