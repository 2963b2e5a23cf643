"""A group's Lease as a value: who holds it, and what that means at a moment. Pure, but for looking at processes.

Source: Kubernetes API reference, coordination.k8s.io/v1 Lease; the fields' use is that of client-go's leaderelection.
"""

import os
import platform
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from getpass import getuser
from pathlib import Path

from meshconfig.cluster.objects import Key, Manifest
from meshconfig.render import GROUP, MANAGED_BY

DURATION = 15  # seconds
MACHINE = "graylane.dev/machine"  # annotation: on one machine, a process id tells whether the holder still runs


def lease_key(namespace: str, group: str) -> Key:
    return Key("Lease", namespace, f"graylane-{group}")


@dataclass(frozen=True, slots=True)
class Record:
    """What a Lease says. `holder` is empty where it is free; times are by the holder's clock, None if not written."""

    holder: str = ""
    machine: str = ""
    acquired: datetime | None = None
    renewed: datetime | None = None
    duration: int = DURATION
    transitions: int = 0

    @property
    def id(self) -> tuple[int, str] | None:
        """The holder's process id and when that process started, in the kernel's ticks."""
        match self.holder.rsplit("/", 3):
            case [_, pid, start, _] if pid.isdecimal():
                return int(pid), start
        return None

    @property
    def name(self) -> str:
        """For people: `ann@laptop, process 4711`."""
        return f"{self.holder.rsplit('/', 3)[0]}, process {self.id[0]}" if self.id else self.holder

    def age(self, now: datetime) -> timedelta | None:
        return now - self.renewed if self.renewed else None


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who may hold a Lease: a name that no other process ever had, and the machine, empty if not known."""

    name: str
    machine: str = ""


class Standing(StrEnum):
    """What a Lease means to somebody who wants it."""

    FREE = "free"
    MINE = "mine"
    DEAD = "dead"  # its process ran on this machine and does not any more
    EXPIRED = "expired"  # not renewed in time, as far as two machines' clocks can tell
    HELD = "held"


def judge(record: Record | None, now: datetime, me: Holder, running: Callable[[int, str], bool]) -> Standing:
    """May `me` take it?

    Parameters:
        record: None where there is no Lease.
        now: by the clock of this machine.
        running: does a process of this machine with this id and this start still run?
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
    spec, metadata = lease.get("spec") or {}, lease["metadata"]
    return Record(
        holder=spec.get("holderIdentity") or "",
        machine=(metadata.get("annotations") or {}).get(MACHINE, ""),
        acquired=_time(spec.get("acquireTime")),
        renewed=_time(spec.get("renewTime")),
        duration=spec.get("leaseDurationSeconds") or DURATION,
        transitions=spec.get("leaseTransitions") or 0,
    )


def manifest(key: Key, group: str, record: Record, version: str = "") -> Manifest:
    """What to write; `version` is the resourceVersion that it replaces, without it the Lease is new."""
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
    """This process; each call is another holder. `user@host/pid/START/random`."""
    return Holder(f"{process()}/{secrets.token_hex(4)}", machine())


def process() -> str:
    """This process: `user@host/pid/START`."""
    pid = os.getpid()
    return f"{operator()}/{pid}/{started(pid)}"


def operator() -> str:
    """`user@host` of this machine."""
    try:
        user = getuser()
    except (OSError, KeyError):  # a container's user id without a name
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def machine() -> str:
    """This machine since it was started, and the process ids' namespace: containers of one machine each have theirs."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{platform.node()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return ""


def running(pid: int, start: str) -> bool:
    """Does the process with this id that started then still run? In doubt yes: another user's may be hidden."""
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
    """When a process started, in ticks since boot; empty where that cannot be told."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def _stat(pid: int) -> list[str] | None:
    """Fields 3 and later of proc_pid_stat(5); the name before them may hold anything, parentheses too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _text(time: datetime | None) -> str | None:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}Z" if time else None
