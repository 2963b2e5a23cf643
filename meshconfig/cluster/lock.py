"""A lock per group: a Kubernetes Lease that a process holds while it changes the group.

Two operators never write at once, because (1) a Lease changes hands only by compare-and-swap on its resourceVersion,
(2) nobody takes one that lives, and (3) a holder stops on its own before others may think that it died. Machines'
clocks differ, so written times alone decide nothing: `break_lock` watches an expired Lease for its whole duration by
this machine's clock, as client-go's leader election does. It takes the Lease only if nobody wrote to it in that time.

While a Lock is held, it guards its client: before each attempt of each write, `check` makes sure of the Lease, and says
how long the attempt may take. So no write is carried out after the Lease may have passed to another.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from meshconfig.backend.kinds import KINDS
from meshconfig.bounded import one_line
from meshconfig.cluster.client import Client
from meshconfig.cluster.lease import (
    DURATION,
    Holder,
    Record,
    Standing,
    judge,
    lease_key,
    manifest,
    myself,
    parse,
    running,
)
from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.paths import collection, path
from meshconfig.errors import ApiError, ClusterError, Conflict

RENEW = 5.0  # seconds between renewals
DEADLINE = (
    10.0  # seconds without a renewal after which no write is begun; the rest of DURATION is for a write under way
)
GOODBYE = 5.0  # seconds to release the Lease if the API server does not answer; after that it expires by itself
PAUSES = (0.1, 0.5, 1.0, 2.0)  # seconds between the tries to release it
ATTEMPTS = 10
LONGEST = 600  # bytes of a message


class LockHeld(ClusterError):  # noqa: N818  what happened, as people say it
    """Another process holds the group's Lease, or ended without releasing it. `holder` is its name, if known."""

    def __init__(self, message: str, holder: str = "") -> None:
        self.holder = holder
        super().__init__(message)


class LockLost(ClusterError):  # noqa: N818
    """The Lease was taken by another process or could not be renewed. The caller must stop writing."""


def now() -> datetime:
    return datetime.now(UTC)


def read(client: Client, namespace: str, group: str) -> Record | None:
    """The group's Lease; None if it does not exist. Makes one API call."""
    lease = client.get(path(lease_key(namespace, group)))
    return parse(lease) if lease else None


def holder(record: Record | None) -> str:
    """The name of the process that holds the group's Lease; empty if none does."""
    standing = judge(record, now(), myself(), running)
    return record.holder if record and standing in (Standing.HELD, Standing.MINE) else ""


class Lock:
    """Context manager: holds a group's Lease while its block runs, and renews it in a thread.

    Parameters:
        client: its writes are checked while the block runs.
        break_lock: take over an expired Lease, after watching it for its whole duration.
        tell: called with a line of text before each long wait, and if the Lease cannot be given back.
        me: the holder; tests set one other than this process.

    Raises:
        LockHeld: by `with`; the message names the holder, the time, and what the user can do.
        ClusterError: the Lease cannot be read or written.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        group: str,
        break_lock: bool = False,
        *,
        tell: Callable[[str], None] = lambda text: None,
        me: Holder | None = None,
    ) -> None:
        self.me = me or myself()
        self._client, self._group, self._break_lock, self._tell = client, group, break_lock, tell
        self._key = lease_key(namespace, group)
        self._record, self._version = Record(), ""
        self._renewed = 0.0
        self._lost = ""
        self._taking = False  # whether a request to take the Lease has no certain answer
        self._over = False  # nobody waits any longer until it is given back
        self._left = "no answer yet"  # why the Lease is not given back; empty once it is
        self._unguard: Callable[[], None] = lambda: None
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="graylane-lease", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._acquire()
        except BaseException:
            if self._taking:  # the server may have carried it out, and only its answer was lost
                self._give_back()
            raise
        self._unguard = self._client.guard(self.check)
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unguard()
        self._stop.set()
        self._given_back()

    def _give_back(self) -> None:
        """Releases a Lease that is not kept."""
        self._stop.set()
        self._keeper.start()
        self._given_back()

    def _given_back(self) -> None:
        self._keeper.join(GOODBYE)
        self._over = True
        if self._left and not self._lost:
            self._tell(_not_released(self._key, self._left))
        self._lost = self._lost or "the lease was given back"

    def check(self) -> float:
        """Make sure that no other process can hold the Lease now. The client's writes are checked before each attempt.

        After a long pause (a sleeping machine, an unreachable API server) the Lease is renewed first. If that succeeds
        by compare-and-swap, no other process has held it in between.

        Returns:
            The seconds that a write begun now may take, until another process may have taken the Lease.

        Raises:
            LockLost: the Lease was taken, or cannot be renewed.
        """
        for _ in range(ATTEMPTS):
            if self._lost:
                raise LockLost(self._lost)
            renewed = self._renewed
            if _clock() - renewed < DEADLINE:
                return renewed + DURATION - _clock()
            try:
                self._renew(renewed)
            except LockLost:
                raise
            except ClusterError as error:
                raise LockLost(f"the lease {self._key} could not be renewed ({error}); stopped, run it again") from None
        raise LockLost(f"the lease {self._key} was renewed too slowly {ATTEMPTS} times; stopped, run it again")

    def _acquire(self) -> None:
        for _ in range(ATTEMPTS):
            lease = self._client.get(path(self._key))
            record = parse(lease) if lease else None
            if record and (standing := judge(record, now(), self.me, running)) in (Standing.HELD, Standing.EXPIRED):
                self._may_break(record, standing)
            try:
                return self._take(record, lease["metadata"]["resourceVersion"] if lease else "")
            except ApiError as error:
                if error.status not in (404, 409):
                    raise
                self._taking = False  # another process wrote the Lease first, or deleted it
        raise LockHeld(f"the lease {self._key} changed hands {ATTEMPTS} times while this waited for it")

    def _may_break(self, record: Record, standing: Standing) -> None:
        """Return if the Lease may be taken from a holder that is not known to be dead; otherwise raise LockHeld."""
        age = record.age(now())
        ahead = (
            age is not None and age.total_seconds() < 0
        )  # its clock is ahead of ours, so its written times prove nothing
        if not self._break_lock or (standing is Standing.HELD and not ahead):
            raise LockHeld(_refusal(self._key.name, record, now(), self._break_lock), record.name)
        self._tell(f"watching the lease of {record.name} for {record.duration} s")
        end = _clock() + record.duration
        while _clock() < end:
            time.sleep(min(1.0, record.duration / 10))
            lease = self._client.get(path(self._key))
            if lease and (newer := parse(lease)) != record:
                said = _refusal(self._key.name, newer, now(), self._break_lock, alive=True)
                raise LockHeld(said, newer.name)

    def _take(self, record: Record | None, version: str) -> None:
        moment = now()
        old = record or Record(transitions=-1)
        transitions = old.transitions + (old.holder != self.me.name)
        self._record = Record(self.me.name, self.me.machine, moment, moment, DURATION, transitions)
        self._version, self._taking = version, True
        self._put(self._record, version)

    def _put(self, record: Record, version: str) -> None:
        """One compare-and-swap. The Lease counts as renewed from before the request, as others may count from then."""
        began = _clock()
        body = manifest(self._key, self._group, record, version)
        where = path(self._key) if version else collection("Lease", self._key.namespace)
        written: Manifest = self._client.request("PUT" if version else "POST", where, body)
        self._record, self._version, self._renewed = record, written["metadata"]["resourceVersion"], began

    def _renew(self, before: float) -> None:
        """Renew the Lease, unless another thread has done so since the renewal at `before`."""
        with self._writing:
            if self._lost:
                raise LockLost(self._lost)
            while self._renewed == before:
                try:
                    self._put(replace(self._record, renewed=now()), self._version)
                except Conflict:
                    self._version = self._still_mine()
                except ApiError as error:
                    if error.status != 404:
                        raise
                    self._lose(None)

    def _still_mine(self) -> str:
        """The Lease's version, where somebody wrote to it who did not take it; or our own write, its answer lost."""
        lease = self._client.get(path(self._key))
        record = parse(lease) if lease else None
        if lease is None or record is None or record.holder != self.me.name:
            self._lose(record)
        return str(lease["metadata"]["resourceVersion"]) if lease else ""

    def _lose(self, record: Record | None) -> None:
        whom = f"{record.name} took it at {_at(record.acquired)}" if record and record.holder else "somebody cleared it"
        self._lost = f"the lease {self._key} was lost: {whom}; stopped, run it again when nobody is at it"
        raise LockLost(self._lost)

    def _keep(self) -> None:
        """Thread: renew the Lease until the block ends. `check`, not this, reports renewals that failed too long."""
        while not self._stop.wait(RENEW):
            with suppress(ClusterError):
                self._renew(self._renewed)
            if self._lost:
                return
        self._release()

    def _release(self) -> None:
        """Give the Lease back, and try again where that fails: otherwise it would keep the next command waiting."""
        for pause in (*PAUSES, 0.0):
            if self._over:  # this process may hold the Lease again by now, under the same name
                return
            try:
                with self._writing:
                    self._put(replace(self._record, holder="", renewed=now()), self._version)
                self._left = ""
                return
            except ClusterError as error:
                self._left = str(error)
                if isinstance(error, ApiError) and error.status in (404, 409) and self._is_free():
                    return
            time.sleep(pause)

    def _is_free(self) -> bool:
        """After a conflict: whether the Lease is not this process's any more. If it is, its version is read."""
        with suppress(ClusterError):
            lease = self._client.get(path(self._key))
            if lease is None or parse(lease).holder != self.me.name:
                self._left = ""
                return True
            self._version = str(lease["metadata"]["resourceVersion"])
        return False


def _not_released(key: Key, reason: str) -> str:
    command = f"kubectl delete {KINDS[key.kind].resource} {key.name} -n {key.namespace}"
    return one_line(
        f"the {key} could not be given back ({reason}); it expires in {DURATION} s, and then --break-lock takes "
        f"it over; to free it now: {command}",
        LONGEST,
    )


def _clock() -> float:
    """Seconds of a clock that also runs while the machine sleeps, because the Lease expires for others then."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _at(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S} UTC" if moment else "an unknown time"


def _refusal(lease: str, record: Record, moment: datetime, break_lock: bool, *, alive: bool = False) -> str:
    """One line that names the holder, the time, and what the user can do."""
    who = f"{record.name} has held the lease {lease} since {_at(record.acquired)}"
    age = record.age(moment)
    left = record.duration - age.total_seconds() if age is not None else 0.0
    if alive:
        return f"{who} and renewed it while it was watched: it is alive, and not broken"
    if age is not None and left > record.duration:
        return f"{who}; its clock is {left - record.duration:.0f} s ahead of this machine's: wait, or --break-lock"
    if left > 0:
        hint = "not expired, so --break-lock is refused" if break_lock else "wait until it ends"
        return f"{who} and renews it: it would expire in {left:.0f} s; {hint}"
    expired = f"it expired {-left:.0f} s ago" if age is not None else "it was never renewed"
    return f"{who}; {expired}: make sure that nobody is at it, then --break-lock takes it over"
