"""Ports of this machine: whether one is free, and who listens on it."""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from meshconfig.errors import LocalMeshError
from meshconfig.local.listener import LOCALHOST

_LISTENING = "0A"  # a socket's state in /proc/net/tcp. Source: Linux, include/net/tcp_states.h


def check_free(port: int, what: str) -> None:
    """Check that nobody listens on a port. Envoy itself would share the port with another Envoy.

    Parameters:
        what: what the port is wanted for, for the error.

    Raises:
        LocalMeshError: it is in use, or must not be used; the message names the process, where that can be seen.
    """
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that ended a moment ago does no harm
        try:
            one.bind((LOCALHOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise LocalMeshError(f"port {port}, {what}: {error.strerror}") from None
            holders = " and ".join(_holders(port)) or "another process"
            hint = "end it, or give another port in the LocalMesh (gatewayPort, ports), or none for any free port"
            raise LocalMeshError(f"port {port}, {what}, is in use by {holders}: {hint}") from None


def _holders(port: int) -> Iterator[str]:
    """`PID (command)` of each process that listens on a port, as far as Linux shows them to this user."""
    inodes = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):
            if any(str(one.readlink()) in inodes for one in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                ours = "/graylane-" in command and "envoy" in command
                yield f"process {process.name} ({'the Envoy of another `graylane local up`' if ours else command[:80]})"


def _inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text("ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]
