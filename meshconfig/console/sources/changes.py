"""Changes of a group in a cluster, by the functions that the commands use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from meshconfig.cluster import following, group_change, history, lanegroups
from meshconfig.cluster.barrier import Progress, Verification
from meshconfig.cluster.change import (
    Choices,
    Events,
    Prepared,
    Wanted,
    Watcher,
    carry_out,
    check_states,
    prepare,
    rollback_target,
)
from meshconfig.cluster.client import Client
from meshconfig.cluster.group_change import GroupChange
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.object_write import MeanwhileError, OwnedError, document_of, git_owner
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.plan import Step
from meshconfig.cluster.preflight import Finding
from meshconfig.console.acts import Edit, Rollback, Wish
from meshconfig.console.faults import ChangedError
from meshconfig.console.jobs import Begun, Job
from meshconfig.console.proposal import Proposal, mark_of, object_mark, planned_steps, revision_mark
from meshconfig.console.refs import GroupRef
from meshconfig.console.sources.source import Stated
from meshconfig.edit.files import FileChange, Texts
from meshconfig.edit_check import checked_edit
from meshconfig.errors import ApiError
from meshconfig.render import to_yaml
from meshconfig.rollout import beside

FORBIDDEN = 403
ATTEMPTS = 5  # of a write, while a controller writes the object's status


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a wish comes to, for the group as it is now."""

    wanted: Wanted
    document: Manifest
    text: str
    notes: Sequence[str]


def proposal(client: Client, stated: Stated, ref: GroupRef, wish: Wish) -> Proposal:
    """A change before it is made. Nothing is written.

    Raises:
        ChangedError: the group is no longer as it was stated.
        GraylaneError: it is not possible.
    """
    found = _wanted(client, stated, ref, wish)
    diff = FileChange(str(ref), stated.text, found.text).diff()
    notes = list(found.notes)
    live = lanegroups.find(client, ref.namespace, ref.name)
    unplanned: list[str] = []
    prepared = beside.planned(client, found.wanted, unplanned.append) if live else _prepared(client, found.wanted)
    mark = object_mark(live) if live else mark_of(prepared) if prepared else ""
    if _mark_now(live, prepared) != stated.mark:  # the diff would be of another state than the plan and the mark
        raise _changed(client, ref, live)
    owner = git_owner(live) if live else None
    owned: Sequence[str] = ()
    if live and not owner:
        try:
            notes += _may_write(client, found, live)
        except OwnedError as error:
            owned = str(error).split("\n")
    shown = Proposal(ref, found.wanted.action, diff, notes, mark, unplanned="; ".join(unplanned))
    shown = replace(shown, owner=owner.manager if owner else "", owned=owned, by_controller=live is not None)
    if prepared is None:
        return shown
    return replace(
        shown,
        notes=[*notes, *prepared.notes],
        steps=planned_steps(prepared.plan.steps),
        reasons=prepared.plan.reasons,
        risks=prepared.plan.risks,
        consistent=prepared.plan.consistent,
        resources=[str(one) for one in prepared.differences],
    )


def _mark_now(live: GroupObject | None, prepared: Prepared | None) -> str:
    """The mark that the group's `Stated` has if nobody has changed it since."""
    if live is not None:
        return object_mark(live)
    last = prepared.past.last if prepared else None
    return revision_mark(last) if last else ""


def _may_write(client: Client, found: _Wanted, live: GroupObject) -> Sequence[str]:
    """A line if the person may read the group and not change it: whoever approves a change may be such a person.

    Raises:
        OwnedError: others own what would change.
        ClusterError: nobody can change the object as it is wanted.
    """
    try:
        group_change.of(client, found.wanted, found.document, live, adopt=False)
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return [f"your account cannot make this change: {error}"]
    return []


def _prepared(client: Client, wanted: Wanted) -> Prepared:
    prepared = prepare(client, wanted)
    check_states(prepared)
    return prepared


def begin(client: Client, stated: Stated, ref: GroupRef, wish: Wish, mark: str, note: str, choices: Choices) -> Begun:
    """A change that a person has seen.

    Parameters:
        mark: of the proposal that the person has seen.
        note: what history shows beside the action.
        choices: how the change is carried out.

    Raises:
        ChangedError: the group has been changed since.
        GraylaneError: the change is not possible.
    """
    found = _wanted(client, stated, ref, wish)
    live = lanegroups.find(client, ref.namespace, ref.name)
    if live is None:
        action = f"{found.wanted.action} ({note})" if note else found.wanted.action
        wanted = replace(found.wanted, action=action)
        return Begun(action, True, partial(_in_mesh, client, wanted, mark, choices))
    if object_mark(live) != mark:
        raise _changed(client, ref, live)
    change = group_change.of(client, found.wanted, found.document, live, adopt=False)
    return Begun(found.wanted.action, False, partial(_by_object, client, change, found.document, mark, choices.timeout))


def _wanted(client: Client, stated: Stated, ref: GroupRef, wish: Wish) -> _Wanted:
    match wish:
        case Rollback(to):
            wanted = rollback_target(client, ref.namespace, ref.name, to)
            document = document_of(wanted.spec)
            return _Wanted(wanted, document, to_yaml([document]), ())
        case Edit(action, draft):
            texts = Texts({stated.where: stated.text})
            (group,) = texts.groups
            after, notes = checked_edit(texts, draft(group))
            (edited,) = after.groups
            wanted = Wanted(ref.name, ref.namespace, edited.spec, action)
            return _Wanted(wanted, edited.document, after.by_file[stated.where], notes)


def _in_mesh(client: Client, wanted: Wanted, mark: str, choices: Choices, job: Job) -> Sequence[str]:
    """Carries out a plan, as `graylane apply` does where the cluster has no object of the group."""
    ref = job.ref

    def planned(prepared: Prepared) -> None:
        if mark_of(prepared) != mark:
            raise _changed(client, ref, None)
        job.plan([one.title for one in prepared.plan.steps])

    def step(number: int, one: Step) -> None:
        job.step(number, one.title)

    def barrier(progress: Progress) -> None:
        job.check()
        waiting = f"; {', '.join(progress.waiting_for[:5])}" if progress.waiting_for else ""
        job.detail(f"{progress.acknowledged}/{progress.proxies}{waiting}")

    def ended(number: int, verdict: Verification | None, seconds: float) -> None:
        job.ended(verdict.value if verdict else "")

    def warned(findings: Sequence[Finding]) -> None:
        for line in (line for one in findings for line in one.lines):
            job.note(line)

    events = Events(
        step=step,
        wrote=lambda done, total: job.detail(f"{done}/{total}"),
        barrier=barrier,
        drain=lambda seconds: job.detail(f"{seconds:g} s"),
        ended=ended,
    )
    watcher = Watcher(
        planned,
        warned=warned,
        waiting=job.note,
        begin=job.check,
        events=events,
        noted=job.note,
    )
    result = carry_out(client, wanted, choices, watcher)
    if result.revision is None:
        return []
    return [f"revision {result.revision}", f"barriers {result.verdict}"]


def _by_object(
    client: Client, change: GroupChange, document: Manifest, mark: str, timeout: float, job: Job
) -> Sequence[str]:
    """Writes the group's object, and follows what the controller does."""
    after = _written(client, change, document, mark, job.ref)

    def seen(one: GroupObject) -> None:
        if under_way := one.change:
            job.plan_to(under_way.steps)
            job.step(under_way.step - 1, under_way.title)
            job.detail(", ".join(under_way.waiting_for[:5]))

    def superseded(one: GroupObject) -> None:
        job.note(f"{one.key} was changed again: its generation {one.generation} is followed now")

    told = following.Told(seen, superseded, lambda error: job.note(str(error)))
    last = following.follow(client, after, told, timeout=timeout)
    return [f"generation {last.generation}", str(last.condition("Ready").get("message") or "")]


def _written(client: Client, change: GroupChange, document: Manifest, mark: str, ref: GroupRef) -> GroupObject:
    """
    Raises:
        ChangedError: somebody else has changed the spec in between.
    """
    for _ in range(ATTEMPTS):
        if change.checked is None:
            break
        try:
            return replace(change.checked, exact=True).carry_out(client)
        except MeanwhileError:  # by a controller that writes the status, or by somebody who changes the spec
            live = lanegroups.find(client, ref.namespace, ref.name)
            if live is None or object_mark(live) != mark:
                raise _changed(client, ref, live) from None
            change = group_change.of(client, change.wanted, document, live, adopt=False)
    raise _changed(client, ref, change.live)


def _changed(client: Client, ref: GroupRef, live: GroupObject | None) -> ChangedError:
    """Says who has changed a group."""
    if live is not None:
        by = f" by {live.writer}" if live.writer else ""
        return ChangedError(f"{live.key} was changed{by} since you looked at it: its generation is {live.generation}")
    last = history.read(client, ref.namespace, ref.name).last
    if last is None:
        return ChangedError(f"group {ref} was changed since you looked at it")
    who = last.who or last.host
    said = f"its newest revision is {last.number} ({last.action}) by {who} at {last.started:%H:%M:%S} UTC"
    return ChangedError(f"group {ref}, or a resource of it, was changed since you looked at it; {said}")
