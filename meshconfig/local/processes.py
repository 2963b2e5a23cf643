"""Child processes, each in its own process group with its output in a file, and the reaper that outlives graylane."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from meshconfig.errors import LocalMeshError
from meshconfig.local import reaper as reaper_program
from meshconfig.local.listener import LOCALHOST

_READY = 30.0  # seconds to wait until a child listens
_PAUSE = 0.02
_TAIL = 12  # lines of a child's log that an error message shows


class Reaper:
    """Context manager: a process that ends all children and removes `folder`, even if graylane is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> "Reaper":
        command = [sys.executable, "-I", "-S", reaper_program.__file__, str(self.folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
        self.process.wait()

    def began(self, group: int) -> None:
        self._tell(f"+{group}")

    def ended(self, group: int) -> None:
        self._tell(f"-{group}")

    @property
    def _pipe(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            print(line, file=self._pipe, flush=True)


@dataclass(eq=False)
class Child:
    """One child process. Its output goes to the log file; `stdout` may be a pipe instead."""

    name: str
    command: Sequence[str]
    log: Path
    reaper: Reaper
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    stdout: int | None = None
    process: asyncio.subprocess.Process = field(init=False)

    async def start(self) -> None:
        """Start it.

        Raises:
            LocalMeshError: there is no such program.
        """
        with self.log.open("wb") as log:
            try:
                self.process = await asyncio.create_subprocess_exec(
                    *self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=self.stdout or log,
                    stderr=log,
                    env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
                    cwd=self.folder,
                    # A group of its own, so that Ctrl-C reaches only graylane, which ends its children in order.
                    start_new_session=True,
                )
            except OSError as error:
                raise LocalMeshError(f"{self.name}: {self.command[0]}: {error.strerror}") from None
        self.reaper.began(self.process.pid)

    async def listening(self, port: int) -> None:
        """Wait until it accepts connections at a local port. If it does not, end it.

        Raises:
            LocalMeshError: it ended or does not listen; the message has the end of its output.
        """
        try:
            await self._until_it_accepts(port)
        except BaseException:
            await self.stop()
            raise

    async def _until_it_accepts(self, port: int) -> None:
        deadline = asyncio.get_running_loop().time() + _READY
        while not await accepts(LOCALHOST, port):
            if self.process.returncode is not None:
                raise LocalMeshError(f"{self.name} {self.fate()} before it listened on port {port}{self.tail()}")
            if asyncio.get_running_loop().time() > deadline:
                raise LocalMeshError(f"{self.name} does not listen on port {port} after {_READY:g} s{self.tail()}")
            await asyncio.sleep(_PAUSE)

    async def ended(self) -> None:
        """Wait until it ends, and end the processes that it left running."""
        await self.process.wait()
        reaper_program.send(self.process.pid, signal.SIGKILL)
        self.reaper.ended(self.process.pid)

    async def stop(self) -> None:
        """End it and the processes that it started: by SIGTERM, and after a while by SIGKILL."""
        reaper_program.send(self.process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), reaper_program.GRACE)
        except TimeoutError:
            reaper_program.send(self.process.pid, signal.SIGKILL)
        await self.ended()

    def fate(self) -> str:
        """How it ended, as text."""
        code = self.process.returncode or 0
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"

    def tail(self) -> str:
        """The last lines of its output, indented, on lines of their own; empty if there is none."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]
        return "".join(f"\n    {line}" for line in lines)


async def accepts(address: str, port: int) -> bool:
    """Whether a process listens at this port."""
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


class ReservedPort:
    """A free port, reserved until the child that it is for listens on it.

    It stays bound but not listening: with SO_REUSEADDR, which servers set, Linux lets another process bind and listen.
    """

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((LOCALHOST, 0))
        self.number: int = self.socket.getsockname()[1]
        if sys.platform != "linux":
            self.socket.close()

    def release(self) -> None:
        self.socket.close()
