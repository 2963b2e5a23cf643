"""Applies the group that a state wants, as `graylane apply` does, and deletes the Deployments of retired versions."""

import time
from dataclasses import dataclass

from meshconfig.cluster.change import Choices, Events, Wanted, Watcher, carry_out
from meshconfig.cluster.lock import LockHeld
from meshconfig.cluster.workloads import live
from meshconfig.errors import GraylaneError, Unreachable
from meshconfig.rollout import steps
from meshconfig.rollout.events import ApplyFailed, Report
from meshconfig.rollout.runner.context import DedupLog, RunnerContext, StillWanted, UnwantedError
from meshconfig.rollout.state import Stage
from meshconfig.rollout.store import Record

PAUSES = (2.0, 10.0)  # seconds before each retry; after the last one, the change has failed
BUSY = 3.0  # seconds before a retry while another process holds the Lease, or the API server is unreachable
LONGEST = 600  # most characters of a stored reason


def apply(context: RunnerContext, record: Record) -> None:
    """Apply the group that the state wants. Without a difference, nothing is written.

    Raises:
        UnwantedError: the state changed in the meantime. What is written stays; the next change continues from there.
        ClusterError: as `graylane apply`.
    """
    if record.base is None:  # it ended before it was taken up: nothing was ever changed
        return
    state = record.state
    spec = steps.wanted(record.base, state)
    wanted = Wanted(record.group, record.namespace, spec, _action(record), by_rollout=True)
    settings = context.settings
    # An expired Lease is one of a runner that was killed; it is watched for its whole duration before it is taken.
    choices = Choices(
        break_lock=True,
        timeout=settings.timeout,
        drain=settings.drain,
        wait=settings.wait,
        istiod=settings.istiod,
    )
    still_wanted = StillWanted(context, record)
    events = Events(
        step=still_wanted.check, wrote=still_wanted.check, barrier=still_wanted.check, drain=still_wanted.check
    )
    carry_out(context.client, wanted, choices, Watcher(events=events))


def retire(context: RunnerContext, record: Record) -> None:
    """Subsets and autoscalers of the old versions go, then their Deployments; one that another version has stays."""
    apply(context, record)
    base = record.base
    assert base is not None  # what was never taken up is not retired
    for service, move in record.state.rollout.spec.services.items():
        name = live.deployment(base, service, move.from_)
        found = live.read(context.client, name)
        if found is None:
            continue
        if others := live.sharing([base], name, (service, move.from_)):
            context.tell(f"kept {name}, because it also belongs to {' and '.join(others)}")
            continue
        live.delete(context.client, found)


def _action(record: Record) -> str:
    """What the group's history will say."""
    state = record.state
    match state.stage:
        case Stage.ROUTES_BACK | Stage.PODS_BACK:
            what = "back"
        case Stage.TAKE_OVER:
            what = "take over"
        case Stage.RETIRE:
            what = "retire"
        case Stage.SCALE | Stage.SHRINK:
            what = "autoscalers"
        case _:
            what = f"weight {state.weight}"
    return f"rollout {record.name}: {what}"


@dataclass(slots=True)
class Tries:
    """A change is tried again a few times before it has failed; counted for one turn of one rollout."""

    turn: int = -1
    count: int = 0
    after: float = 0.0

    def due(self, turn: int) -> bool:
        """May it be tried now?"""
        if turn != self.turn:
            self.turn, self.count, self.after = turn, 0, 0.0
        return time.monotonic() >= self.after

    def later(self) -> None:
        """Nothing was tried: it was not the time."""
        self.after = time.monotonic() + BUSY

    def failed(self) -> bool:
        """One more failure; True where it was the last try. The next ones are counted anew."""
        last = self.count >= len(PAUSES)
        self.after = time.monotonic() + PAUSES[min(self.count, len(PAUSES) - 1)]
        self.count = 0 if last else self.count + 1
        return last


def attempt(
    context: RunnerContext, record: Record, tries: Tries, done: type[Report], dedup_log: DedupLog
) -> Report | None:
    """Apply, or retire; what to report of it, None where it is to be tried again."""
    turn = record.state.turn
    if not tries.due(turn):
        return None
    try:
        retire(context, record) if record.state.stage is Stage.RETIRE else apply(context, record)
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
        context.metrics.failed("apply")
        dedup_log.say(reason(error))
        return ApplyFailed(turn, why=reason(error)) if tries.failed() else None
    return done(turn)


def reason(error: Exception) -> str:
    """An error in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first, rest = lines[:1], lines[1:]
    text = " ".join([*first, "; ".join(rest)]) if first and first[0].endswith(":") else "; ".join(lines)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
