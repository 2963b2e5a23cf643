"""A real Envoy to try configurations on, `graylane` as a process, and requests with exactly the given headers."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from meshconfig.local.config import EnvoyConfig
from meshconfig.local.processes import Reaper
from meshconfig.local.proxy import EnvoyProcess

PATIENCE = 60.0  # seconds for anything that happens at all, also on a machine that is busy with other things
GRAYLANE = [sys.executable, "-c", "from meshconfig.cli import main; main()"]


class Reply(NamedTuple):
    status: int
    body: bytes
    location: str = ""
    set_cookie: str = ""

    @property
    def who(self) -> list[str]:
        """Who answered, the first hop first."""
        return [f"{hop['service']}/{hop['env']}" for hop in json.loads(self.body)["chain"]]


Headers = Sequence[tuple[str, str]]


def ask(port: int, path: str = "/", headers: Headers = (), method: str = "GET") -> Reply:
    """One request on a connection of its own, with exactly these headers."""
    connection = _connection(port)
    try:
        return send(connection, path, headers, method)
    finally:
        connection.close()


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)


def send(connection: http.client.HTTPConnection, path: str, headers: Headers, method: str) -> Reply:
    named = any(name == "host" for name, _ in headers)
    connection.putrequest(method, path, skip_host=named, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    return Reply(reply.status, reply.read(), reply.getheader("location", ""), reply.getheader("set-cookie", ""))


class Envoy:
    """An Envoy that is given one configuration after the other, and a backend that answers for any endpoint."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.folder = folder
        self.connections: dict[int, http.client.HTTPConnection] = {}

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def change(self, config: EnvoyConfig) -> None:
        self.do(self._change(config))

    def ask(self, listener: str, path: str, headers: Headers = (), method: str = "GET") -> Reply:
        """Asks a listener; it tries again while nothing accepts the connection or it breaks off.

        Envoy drains a listener that was changed: it closes its idle connections, and opens the new one shortly after.
        """
        end = time.monotonic() + PATIENCE
        while True:
            port = self.proxy.addresses[listener]
            connection = self.connections.setdefault(port, _connection(port))
            try:
                return send(connection, path, headers, method)
            except Exception as error:
                self.connections.pop(port).close()
                if not isinstance(error, ConnectionError) or time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def port_of(self, name: str) -> int:
        """The port at which the backend answers under this name."""
        if name not in self.ports:
            self.ports[name] = self.do(self._listen(name))
        return self.ports[name]

    async def start(self, reaper: Reaper) -> None:
        self.ports: dict[str, int] = {}
        self.servers: list[asyncio.Server] = []
        self.proxy = EnvoyProcess(self.folder, reaper)
        log = await self.proxy.start()
        self.reading = asyncio.create_task(log.read())

    async def stop(self) -> None:
        for connection in self.connections.values():
            connection.close()
        await self.proxy.stop()
        await self.reading
        for server in self.servers:
            server.close()

    async def _change(self, config: EnvoyConfig) -> None:
        await self.proxy.open(config, {})
        await self.proxy.change(config)

    async def _listen(self, name: str) -> int:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                    method, path, _ = head[0].split(" ")
                    headers = [line.split(": ", 1) for line in head[1:] if line]
                    body = json.dumps({"who": name, "method": method, "path": path, "headers": headers}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        self.servers.append(server)
        return int(server.sockets[0].getsockname()[1])


class Command:
    """`graylane` as a process, its output as it comes, in a temporary folder of its own."""

    def __init__(self, *arguments: str, temporary: Path) -> None:
        self.temporary = temporary
        self.process = subprocess.Popen(
            [*GRAYLANE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.reading = threading.Thread(target=self._read)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def until(self, text: str, times: int = 1, patience: float = PATIENCE) -> str:
        """The line with this text, as soon as it has been printed so many times."""

        def look() -> Any:
            return self.found(text)[times - 1 :] or not self.reading.is_alive()

        found = eventually(look, self.what_it_said, patience)
        assert found is not True, f"it ended without {text!r}: {self.what_it_said()}"
        return str(found[0])

    def found(self, text: str) -> list[str]:
        """The lines so far that hold the text."""
        return [line for line in self.lines if text in line]

    def port(self, start: str) -> int:
        """The port in the line that starts so."""
        return int(self.until(start).split("http://127.0.0.1:")[1].split()[0])

    def stop(self, number: int = signal.SIGINT) -> int:
        """Its exit code after a signal; whatever happens, it is gone then."""
        self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.reading.join(PATIENCE)

    def wait(self) -> int:
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.reading.join(PATIENCE)

    def processes(self) -> dict[int, str]:
        """The command lines of all processes that it started, and that theirs started, by their number."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                if f"TMPDIR={self.temporary}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return {number: line for number, line in found.items() if line}

    def left(self) -> list[str]:
        """What is left of it: processes and files."""
        return [*self.processes().values(), *map(str, self.temporary.iterdir())]

    def what_it_said(self) -> str:
        return f"exit code {self.process.poll()}\n{self.output}"


def eventually(look: Callable[[], Any], or_say: Callable[[], str] = lambda: "", patience: float = PATIENCE) -> Any:
    """What a look gives, as soon as it is something, within so many seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not come:\n{or_say()}")
