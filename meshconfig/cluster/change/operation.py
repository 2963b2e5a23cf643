"""Carries out one change of one group: lock, read, plan, check, run, and record the result."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from meshconfig.bounded import one_line
from meshconfig.cluster import history, rollouts
from meshconfig.cluster.barrier import Barrier, Verification
from meshconfig.cluster.change.check import Refusal, check_server, check_states
from meshconfig.cluster.change.phases import Phase, PhaseTimes
from meshconfig.cluster.change.prepare import Prepared, Wanted, prepare
from meshconfig.cluster.change.run import Events, Run, Settings
from meshconfig.cluster.change.shared_gateways import check_shared_gateways
from meshconfig.cluster.client import Client
from meshconfig.cluster.fields import applied_before
from meshconfig.cluster.lock import Lock
from meshconfig.cluster.objects import Key, UnreadableError
from meshconfig.cluster.preflight import Finding, permissions, preflight
from meshconfig.cluster.rollouts import RolloutObject
from meshconfig.errors import ClusterError
from meshconfig.lint import Level


class Refused(ClusterError):  # noqa: N818  the message says it whole
    """The server or the cluster's state does not allow the change; nothing was written."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The user's options. Times are in seconds; `istiod` is the URL of istiod's debug pages.

    `allowed` names namespaces beside the group's own in which what is stored in the cluster may be changed.
    `take_back`: fields that graylane has applied once, and others have taken since, are graylane's again.
    """

    adopt: bool = False
    take_back: bool = False
    fast: bool = False
    dry_run: bool = False
    break_lock: bool = False
    timeout: float = 300.0
    drain: float = 5.0
    wait: float = 10.0
    istiod: str | None = None
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The result of a change. `revision` is None after a dry run, and if nothing had to change.

    `phases` are the seconds of each phase.
    """

    prepared: Prepared
    revision: int | None
    verdict: Verification | None
    seconds: float
    calls: int
    phases: Mapping[Phase, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watcher:
    """Callbacks that display progress: the plan, warnings of preflight, fields taken over, waits, and each step.

    `begin` is called after all checks, before the first route is written; if it raises, none is. `noted` gets each
    sentence about what is stored and does not count, once.
    """

    planned: Callable[[Prepared], None] = lambda prepared: None
    warned: Callable[[Sequence[Finding]], None] = lambda findings: None
    adopting: Callable[[Sequence[Refusal]], None] = lambda refusals: None
    waiting: Callable[[str], None] = lambda what: None
    begin: Callable[[], None] = lambda: None
    events: Events = field(default_factory=Events)
    noted: Callable[[str], None] = lambda note: None


def _same(wanted: Wanted) -> Wanted:
    return wanted


def carry_out(
    client: Client,
    wanted: Wanted,
    choices: Choices,
    watcher: Watcher,
    renewed: Callable[[Wanted], Wanted] = _same,
) -> ChangeResult:
    """Change the cluster to the wanted state of one group.

    Without a difference, nothing is written, with two exceptions. If the last change was cut off, the change waits for
    every proxy and records that. If the spec changed in a field that no resource shows, the new spec is recorded.

    Parameters:
        renewed: is called once the group's lock is held, and returns what is wanted by then.

    Raises:
        ClusterError: the change could not begin, and nothing was written; or it stopped (`Stopped` names the step).
    """
    began, calls, times = time.monotonic(), client.calls, PhaseTimes()

    def outcome(prepared: Prepared, revision: int | None = None, verdict: Verification | None = None) -> ChangeResult:
        return ChangeResult(prepared, revision, verdict, time.monotonic() - began, client.calls - calls, times.seconds)

    notes = _Notes(watcher.noted)
    with times.measure(Phase.PREPARE):
        prepared = _prepared(client, wanted, choices)
    notes.tell(prepared.notes)
    if prepared.done or (choices.dry_run and not prepared.differences):
        return outcome(prepared)
    if choices.dry_run:
        with times.measure(Phase.CHECKS):
            _checked(client, prepared, choices, watcher, notes)
        return outcome(prepared)
    # What is recorded is not guarded by the lock: also a change that has lost it writes down how it ended.
    writer = client.session()
    with Lock(writer, wanted.namespace, wanted.group, break_lock=choices.break_lock, tell=watcher.waiting) as held:
        # Another process may have changed the cluster before this one got the lock.
        earlier = prepared.computed
        del prepared  # what the API server returned both times would take twice the memory
        now = renewed(wanted)
        with times.measure(Phase.PREPARE):
            prepared = _prepared(client, now, choices, earlier if now == wanted else None)
        notes.tell(prepared.notes)
        if prepared.done:
            return outcome(prepared)
        with times.measure(Phase.CHECKS):
            settings = Settings(choices.drain, _checked(client, prepared, choices, watcher, notes))
        barrier = Barrier(client, istiod=choices.istiod, timeout=choices.timeout, wait=choices.wait)
        revision = _begin(client, prepared)
        try:
            watcher.begin()
            verdict = Run(writer, prepared, barrier, settings, held, watcher.events, times).steps()
        except BaseException as error:
            reason = str(error) or type(error).__name__
            history.end(client, revision, history.RevisionStatus.FAILED, reason)
            raise
        history.end(client, revision, history.RevisionStatus.SUCCEEDED, f"barriers {verdict}")
        return outcome(prepared, revision.number, verdict)


def _prepared(client: Client, wanted: Wanted, choices: Choices, earlier: Prepared | None = None) -> Prepared:
    return prepare(
        client,
        wanted,
        fast=choices.fast,
        drain=choices.drain,
        allowed=choices.allowed,
        adopt=choices.adopt,
        earlier=earlier,
    )


def _begin(client: Client, prepared: Prepared) -> history.Revision:
    wanted = prepared.wanted
    with client.lists.of(wanted.group):  # what is packed is unpacked for it
        return history.begin(
            client,
            spec=wanted.spec,
            action=wanted.action,
            inventory=prepared.inventory,
            changed=[str(one) for one in prepared.differences],
            past=prepared.history,
            newest=prepared.past.number,
            adopted=prepared.originals,
        )


@dataclass(slots=True)
class _Notes:
    """Tells each note once, as a cluster is read twice."""

    noted: Callable[[str], None]
    _told: set[str] = field(default_factory=set)

    def tell(self, notes: Iterable[str]) -> None:
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                self.noted(note)


def _checked(client: Client, prepared: Prepared, choices: Choices, watcher: Watcher, notes: _Notes) -> frozenset[Key]:
    """Run every check that is possible before the first write. Returns the resources whose fields are taken over.

    Raises:
        Refused: a rollout is active, preflight reports an error, a resource is invalid, or others own fields.
    """
    _not_in_a_rollout(client, prepared.wanted, notes)
    watcher.planned(prepared)
    check_states(prepared)
    if not prepared.wanted.gone:
        _preflight(client, prepared, watcher)
    if prepared.moves and prepared.differences:
        notes.tell(check_shared_gateways(client, prepared.model, istio_api=prepared.live.istio_api))
    refusals = check_server(client, prepared, everything=choices.dry_run)
    if invalid := [refusal for refusal in refusals if not refusal.conflict]:
        raise Refused("\n".join(["the API server refuses, nothing was changed:", *map(str, invalid)]))
    taken = [one for one in refusals if not (choices.take_back and applied_before(prepared.live.raw[one.key]))]
    if taken and not choices.adopt:
        hint = _how_to_take(prepared)
        raise Refused("\n".join([f"fields belong to others, nothing was changed; {hint}:", *map(str, taken)]))
    if refusals:
        watcher.adopting(refusals)
    return frozenset(refusal.key for refusal in refusals)


def _how_to_take(prepared: Prepared) -> str:
    """What makes fields of others the group's; `graylane move` has no option for it."""
    if not prepared.moves:
        return "--adopt takes them over"
    return "a move takes over none, so that their owners have to give them up first"


def _not_in_a_rollout(client: Client, wanted: Wanted, notes: _Notes) -> None:
    """A rollout that nobody can read, or that cannot begin yet, does not count."""
    if wanted.by_rollout:
        return

    def take(one: RolloutObject) -> tuple[str, str]:
        begins = one.state and (one.packed or not one.is_true("Stalled"))
        return one.name, one_line(one.phase) if begins else ""

    for one in rollouts.each(client, wanted.namespace, take, group=wanted.group, active=True):
        if isinstance(one, UnreadableError):
            notes.tell([str(one)])
            continue
        name, phase = one
        if not phase:
            continue
        named = f"rollout {name} of group {wanted.namespace}/{wanted.group}"
        hint = f"wait for its end, or: graylane rollout abort {name} -n {wanted.namespace}"
        raise Refused(f"nothing was changed: {named} is {phase}; {hint}")


def _preflight(client: Client, prepared: Prepared, watcher: Watcher) -> None:
    steps = prepared.plan.steps
    deletes = [name for step in steps for name in step.deletes]
    namespaces = {name.namespace for name in (*prepared.live.raw, *prepared.resources)}
    findings = preflight(client, prepared.model, permissions(prepared.model, namespaces, deletes))
    if errors := [finding for finding in findings if finding.level is Level.ERROR]:
        raise Refused("\n".join(["not ready for this, nothing was changed:", *map(str, errors)]))
    watcher.warned(findings)
