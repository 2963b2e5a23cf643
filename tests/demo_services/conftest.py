"""Real service processes on free ports, and a plain HTTP client that sends exactly the headers it is given."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

Header = tuple[str, str]


@dataclass
class Process:
    """One running service."""

    port: int
    popen: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/sayHello"

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, *headers: Header, path: str = "/sayHello") -> tuple[int, Any]:
        """Status and answer of one request on a connection of its own."""
        connection = self.connect()
        try:
            send(connection, *headers, path=path)
            return answer(connection)
        finally:
            connection.close()

    def chain(self, *headers: Header) -> list[dict[str, Any]]:
        status, body = self.ask(*headers)
        assert status == 200, body
        chain: list[dict[str, Any]] = body["chain"]
        return chain

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and stderr after that signal."""
        self.popen.send_signal(number)
        _, stderr = self.popen.communicate(timeout=20)
        return self.popen.returncode, stderr


def send(connection: http.client.HTTPConnection, *headers: Header, path: str = "/sayHello") -> None:
    connection.putrequest("GET", path)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()


def answer(connection: http.client.HTTPConnection) -> tuple[int, Any]:
    response = connection.getresponse()
    body = response.read()
    return response.status, json.loads(body) if response.headers.get_content_subtype() == "json" else body


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def wait(happened: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what} took over {seconds} s"
        time.sleep(0.01)


@contextmanager
def running(*flags: str, fields: str = "env,x-request-id", **options: str) -> Iterator[Process]:
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PROPAGATION_", "OTEL_"))}
    # Nothing answers at that proxy: a call that takes it fails.
    environ = inherited | {"PROPAGATION_REMOTE_FIELDS": fields, "http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    environ |= {f"PROPAGATION_{name.upper()}": value for name, value in options.items()}
    command = [sys.executable, "-m", "demo_services", "--port", str(port), *flags]
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as popen:
        try:
            wait(lambda: popen.poll() is not None or listening(port), "start")
            assert popen.poll() is None, popen.communicate()[1]
            yield Process(port, popen)
        finally:
            popen.terminate()


@pytest.fixture(scope="session")
def start() -> Callable[..., Any]:
    """start(*flags, fields=…, trail=…) as a context manager: a service that runs, and ends with the block."""
    return running


@pytest.fixture(scope="session")
def tools() -> Any:
    """send, answer, listening and wait, for tests that keep connections of their own."""
    return sys.modules[__name__]
