"""The quick starts work as typed: their files are written as the page shows them, and its commands are run.

Each server command of a section is started, asked with a tag and without one, and a peer sees what arrives there.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import socket
from typing import Any

import httpx
import pytest
import serving

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "propagation.md"
BIN = Path(sys.executable).parent
FILE = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
SECTIONS = dict(part.split("\n", 1) for part in PAGE.read_text().split("\n## ")[1:])
SERVERS = [
    pytest.param(section, line, id=line.replace(" ", "-").replace("/", "-"))
    for section in ("FastAPI", "Flask", "Django")
    for block in COMMANDS.findall(SECTIONS[section])
    for line in block.splitlines()
]


def write(section, folder):
    """The files of a section, in `folder`; Django's on top of a new project."""
    if section == "Django":
        subprocess.run([BIN / "django-admin", "startproject", "mysite", folder], check=True)
    for name, code in FILE.findall(SECTIONS[section]):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)


@pytest.fixture(params=["FastAPI", "Flask", "Django"])
def quick_start(request, tmp_path):
    write(request.param, tmp_path)
    return request.param, tmp_path


@pytest.fixture
def mouse():
    """A peer that keeps the tags that it was sent, and answers as the demo's mouse does."""

    class Mouse(BaseHTTPRequestHandler):
        server: Any

        def do_GET(self):
            self.server.tags.append(self.headers.get_all("env"))
            body = json.dumps({"path": self.path}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server: Any = serving.LoopbackServer(Mouse)
    server.tags = []
    with serving.serving(server):
        yield server


@contextmanager
def running(command, folder, mouse) -> Iterator[str]:
    """`command` as typed, but for its port; gives the server's URL."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program, *arguments = shlex.split(command.replace("9001", str(port)))
    log = (folder / "log").open("w+")
    process = subprocess.Popen(
        [BIN / program, *arguments],
        cwd=folder,
        env={**os.environ, "MOUSE_URL": mouse.url, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process, folder / "log")
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait()
        log.close()


def wait_for(url, process, log):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(f"{url}/no-such-path")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"no answer: {log.read_text()}")


@pytest.mark.parametrize(("section", "command"), SERVERS)
def test_a_server_carries_the_tag(section, command, tmp_path, mouse):
    write(section, tmp_path)
    with running(command, tmp_path, mouse) as url:
        answers = [
            httpx.get(f"{url}/sayHello", headers={"env": tag} if tag else {}).raise_for_status().json()
            for tag in ("gray", None, "prod")
        ]
    assert answers == [{"lane": tag, "mouse": {"path": "/sayHello"}} for tag in ("gray", None, "prod")]
    assert mouse.tags == [["gray"], None, ["prod"]]


APPS = {"FastAPI": ["main:app"], "Flask": ["app:app"], "Django": ["mysite.wsgi:application", "mysite.asgi:application"]}


def test_the_doctor_finds_nothing_wrong(quick_start):
    section, folder = quick_start
    for app in APPS[section]:
        command = [sys.executable, "-m", "propagation", "doctor", app, "--path", "/sayHello"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "env: gray → 200; 1 call(s) out" in done.stdout
        assert "no env → 200; 1 call(s) out" in done.stdout


def test_the_test_of_the_page_passes(tmp_path):
    write("FastAPI", tmp_path)
    write("Check a service", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_every_framework_with_a_quick_start_is_run():
    assert {section for section, text in SECTIONS.items() if FILE.search(text)} == {*APPS, "Check a service"}


@pytest.mark.parametrize("page", ["README.md", "docs/spec.md", "docs/opentelemetry.md", "docs/propagation.md"])
def test_the_pages_name_the_variable_for_another_header(page):
    assert "PROPAGATION_REMOTE_FIELDS" in (PAGE.parents[1] / page).read_text()
