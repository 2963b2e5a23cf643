"""Changes of the group, made as by `graylane apply`; and the Deployments of retired versions."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from meshconfig.cluster.change import Events, Wanted, Watcher, carry_out
from meshconfig.cluster.lock import LockHeld
from meshconfig.cluster.objects import BlockedError
from meshconfig.cluster.workloads import live
from meshconfig.errors import GraylaneError, Unreachable
from meshconfig.preview.aside import culprits
from meshconfig.preview.overlay import Previewed
from meshconfig.rollout import beside
from meshconfig.rollout.actions import GroupChange, Retire, revision_action
from meshconfig.rollout.events import ApplyFailed, Report
from meshconfig.rollout.runner.context import DedupLog, RunnerContext, StillWanted, UnwantedError
from meshconfig.rollout.runner.metrics import Tried
from meshconfig.rollout.store import Record

PAUSES = (2.0, 10.0)  # seconds before each new try; then it has failed
BUSY = 3.0  # seconds before the next try where somebody else has the Lease or the API server does not answer
LONGEST = 600  # characters of a reason


def apply(context: RunnerContext, record: Record, change: GroupChange) -> None:
    """Changes the group. Where the group is as wanted already, nothing is written.

    Raises:
        UnwantedError: the rollout has left the turn meanwhile. What is written stays; the next change starts from it.
        HinderedError: Git contradicts the rollout, or its group is gone.
        ClusterError: as `graylane apply`.
    """
    if record.base is None:  # no controller has taken the rollout up, so it has changed nothing
        return
    aside: dict[str, str] = {}
    while (over := beside.wanted(context.client, record, change, aside)) is not None:
        try:
            _carry_out(context, record, change, over, aside)
        except BlockedError as error:
            aside |= culprits(error, over.spec, over.lanes)
        else:
            return


def _carry_out(
    context: RunnerContext, record: Record, change: GroupChange, over: Previewed, aside: Mapping[str, str]
) -> None:
    """
    Raises:
        BlockedError: maybe because of a preview lane, without which it could be made.
    """
    wanted = Wanted(
        record.group, record.namespace, over.spec, revision_action(record.name, change), by_rollout=True, stored=True
    )
    still_wanted = StillWanted(context, record)
    events = Events(
        step=still_wanted.check, wrote=still_wanted.check, barrier=still_wanted.check, drain=still_wanted.check
    )

    def begin() -> None:
        # Before the lock was taken, Git may have written the group, or a preview lane may have gone with its Pods.
        now = beside.wanted(context.client, record, change, aside)
        if now is None or now.spec != over.spec:
            raise UnwantedError("what is wanted of the group has changed in the meantime")

    watcher = Watcher(begin=begin, events=events, noted=context.note)
    carry_out(context.client, wanted, context.settings.choices, watcher)


def retire(context: RunnerContext, record: Record, action: Retire) -> None:
    """Deletes old versions. A Deployment that another version has, too, stays.

    Raises:
        UnwantedError, HinderedError, ClusterError: as `apply`.
    """
    apply(context, record, action.change)
    base = record.base
    assert base is not None  # a rollout that nobody took up retires nothing
    for service, version in action.versions.items():
        name = live.deployment(base, service, version)
        found = live.read(context.client, name)
        if found is None:
            continue
        if others := live.sharing([base], name, (service, version)):
            context.tell(f"{name} stays: it is that of {' and '.join(others)}, too")
            continue
        live.delete(context.client, found)


@dataclass(slots=True)
class Tries:
    """Counts the tries of one change, in one turn of one rollout. It has failed after a few of them."""

    turn: int = -1
    count: int = 0
    after: float = 0.0

    def due(self, turn: int) -> bool:
        """Whether it may be tried now."""
        if turn != self.turn:
            self.turn, self.count, self.after = turn, 0, 0.0
        return time.monotonic() >= self.after

    def later(self) -> None:
        """The change could not be tried, which is no failure."""
        self.after = time.monotonic() + BUSY

    def failed(self) -> bool:
        """Counts a failure.

        Returns:
            Whether it was the last try. The next ones are counted anew.
        """
        last = self.count >= len(PAUSES)
        self.after = time.monotonic() + PAUSES[min(self.count, len(PAUSES) - 1)]
        self.count = 0 if last else self.count + 1
        return last


def attempt(
    context: RunnerContext,
    record: Record,
    tries: Tries,
    dedup_log: DedupLog,
    change: Callable[[], None],
    done: type[Report],
) -> Report | None:
    """Tries a change, if it is time to.

    Parameters:
        change: `apply` or `retire`.
        done: what to report of a change that was made.

    Returns:
        The report; None where the change is to be tried again.

    Raises:
        HinderedError: it cannot be made before a person or Git has changed something.
    """
    turn = record.state.turn
    if not tries.due(turn):
        return None
    try:
        change()
    except UnwantedError:
        return None
    except LockHeld as error:
        tries.later()
        dedup_log.say(f"{error.holder or 'somebody'} works on group {record.group}; waits for it")
        return None
    except Unreachable as error:
        tries.later()
        dedup_log.say(reason(error))
        return None
    except GraylaneError as error:
        context.metrics.failed(Tried.APPLY)
        dedup_log.say(reason(error))
        return ApplyFailed(turn, why=reason(error)) if tries.failed() else None
    return done(turn)


def reason(error: Exception) -> str:
    """An error in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first, rest = lines[:1], lines[1:]
    text = " ".join([*first, "; ".join(rest)]) if first and first[0].endswith(":") else "; ".join(lines)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
