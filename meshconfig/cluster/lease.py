"""A group's Lease as a value: its holder, and whether another process may take it. Reads processes, no cluster.

Source: Kubernetes API reference, coordination.k8s.io/v1 Lease; the fields' use is that of client-go's leaderelection.
"""

import os
import platform
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from getpass import getuser
from pathlib import Path
from typing import Any

from meshconfig.cluster.objects import Key, Manifest
from meshconfig.render import GROUP, MANAGED_BY

DURATION = 15  # seconds without a renewal after which a Lease expires
MACHINE = "graylane.dev/machine"  # annotation: on the same machine, the holder's process id shows whether it still runs


def lease_key(namespace: str, group: str) -> Key:
    return Key("Lease", namespace, f"graylane-{group}")


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a Lease. `holder` is empty if it is free. Times are by the holder's clock, None if missing."""

    holder: str = ""
    machine: str = ""
    acquired: datetime | None = None
    renewed: datetime | None = None
    duration: int = DURATION
    transitions: int = 0

    @property
    def id(self) -> tuple[int, str] | None:
        """The holder's process id, and the start of that process in the kernel's clock ticks."""
        match self.holder.rsplit("/", 3):
            case [_, pid, start, _] if pid.isdecimal() and len(pid) < 10:  # no kernel counts further
                return int(pid), start
        return None

    @property
    def name(self) -> str:
        """The holder as text: `ann@laptop, process 4711`."""
        return f"{self.holder.rsplit('/', 3)[0]}, process {self.id[0]}" if self.id else self.holder

    def age(self, now: datetime) -> timedelta | None:
        return now - self.renewed if self.renewed else None


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that may hold a Lease: its name, unique over all processes ever, and its machine, empty if unknown."""

    name: str
    machine: str = ""


class Standing(StrEnum):
    """The state of a Lease, as seen by a process that wants it."""

    FREE = "free"
    MINE = "mine"
    DEAD = "dead"  # its process ran on this machine and has ended
    EXPIRED = "expired"  # not renewed in time, judged by two machines' clocks, which may differ
    HELD = "held"


def judge(record: Record | None, now: datetime, me: Holder, running: Callable[[int, str], bool]) -> Standing:
    """Decide whether `me` may take a Lease.

    Parameters:
        record: the Lease; None if it does not exist.
        now: the time by this machine's clock.
        running: tells whether the process of this machine with a given id and start time still runs.
    """
    if record is None or not record.holder:
        return Standing.FREE
    if record.holder == me.name:
        return Standing.MINE
    if me.machine and record.machine == me.machine and record.id and not running(*record.id):
        return Standing.DEAD
    age = record.age(now)
    return Standing.EXPIRED if age is None or age >= timedelta(seconds=record.duration) else Standing.HELD


def parse(lease: Manifest) -> Record:
    """Reads a Lease. Anybody may have written it, so what is no time or no number in it counts as not given."""
    spec, annotations = _mapping(lease.get("spec")), _mapping(_mapping(lease.get("metadata")).get("annotations"))
    return Record(
        holder=str(spec.get("holderIdentity") or ""),
        machine=str(annotations.get(MACHINE, "")),
        acquired=_time(spec.get("acquireTime")),
        renewed=_time(spec.get("renewTime")),
        duration=_number(spec.get("leaseDurationSeconds")) or DURATION,
        transitions=_number(spec.get("leaseTransitions")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int:
    """A number as Kubernetes takes it there (int32, not negative); otherwise 0."""
    return value if isinstance(value, int) and 0 <= value < 1 << 31 else 0


def manifest(key: Key, group: str, record: Record, version: str = "") -> Manifest:
    """The Lease to write. `version` is the resourceVersion that it replaces; empty creates a new Lease."""
    spec = {
        "holderIdentity": record.holder,
        "leaseDurationSeconds": record.duration,
        "acquireTime": _text(record.acquired),
        "renewTime": _text(record.renewed),
        "leaseTransitions": record.transitions,
    }
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "labels": {MANAGED_BY: "graylane", GROUP: group},
            "annotations": {MACHINE: record.machine},
            **({"resourceVersion": version} if version else {}),
        },
        "spec": spec,
    }


def myself() -> Holder:
    """This process as a holder, `user@host/pid/START/random`. Each call returns a different holder."""
    return Holder(f"{process()}/{secrets.token_hex(4)}", machine())


def process() -> str:
    """This process: `user@host/pid/START`."""
    pid = os.getpid()
    return f"{operator()}/{pid}/{started(pid)}"


def operator() -> str:
    """`user@host` of this machine."""
    try:
        user = getuser()
    except (OSError, KeyError):  # a container may run as a user id that has no name
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def machine() -> str:
    """Identifies this boot of this machine and the PID namespace, as each container counts its own processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return ""


def running(pid: int, start: str) -> bool:
    """Whether the process with this id and start time still runs. True in doubt, as other users' may be hidden."""
    fields = _stat(pid)
    if fields is not None:
        return fields[0] not in "ZXx" and fields[19] == start  # a zombie only waits to be reaped
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def started(pid: int) -> str:
    """The start of a process, in clock ticks since boot; empty if unknown."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def _stat(pid: int) -> list[str] | None:
    """Fields 3 and later of proc_pid_stat(5); the name before them may hold anything, parentheses too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except (TypeError, ValueError, OverflowError):
        return None


def _text(time: datetime | None) -> str | None:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z" if time else None
