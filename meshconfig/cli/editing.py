"""What the commands that edit a spec share: options, and carrying out an edit in the files and in the cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshconfig.cli import cluster, group_objects
from meshconfig.cli.change_options import ApplyOptions
from meshconfig.cli.common import Output, stderr, stdout
from meshconfig.cli.console import Text
from meshconfig.cli.diff import COLOURS
from meshconfig.cli.edit_files import Staged, staged
from meshconfig.edit.draft import Draft
from meshconfig.edit.files import FileChange, Texts, changes
from meshconfig.edit_check import checked_edit
from meshconfig.errors import GraylaneError, InputError, nearest
from meshconfig.groups import Group
from meshconfig.printable import say, say_json

if TYPE_CHECKING:
    from meshconfig.cli.outcome import Outcome
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.group_change import GroupChange

GroupOption = Annotated[
    str | None,
    typer.Option("--group", metavar="NAME", help="LaneGroup to edit. Required if the files contain several that fit."),
]


@dataclass(frozen=True, slots=True)
class EditOptions(ApplyOptions):
    """Options of a command that edits a spec's file, and changes the cluster only with `--apply`."""

    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change, but write nothing.")] = False
    apply: Annotated[
        bool, typer.Option("--apply", help="Also apply the edited spec to the cluster, as `graylane apply` does.")
    ] = False


@dataclass(frozen=True, slots=True)
class EditJob:
    """What one editing command has to do.

    Parameters:
        texts: the spec's files before the edit.
        draft: the edit.
        action: the text that `graylane history` will show for this change.
        first: called before anything is written; it creates a Deployment and waits until its Pods are ready.
        last: called once the cluster has the new routes. The files are then written after it, so that the user can
            repeat a command that stopped half-way.
        others: changes of files other than the spec's.
        shown: changes of cluster objects, which are printed as diffs but written to no file.
        client: the client of the cluster, if one is connected already.
    """

    texts: Texts
    draft: Draft
    action: str
    first: "Callable[[Client], None] | None" = None
    last: "Callable[[Client], None] | None" = None
    others: Sequence[FileChange] = ()
    shown: Sequence[FileChange] = ()
    client: "Client | None" = None


def carry_out(job: EditJob, how: EditOptions) -> None:
    """Print the edit as a diff, write the files, and with `--apply` change the cluster.

    Raises:
        InputError: the edited spec is invalid.
        GraylaneError: lint reports an error that the old spec did not have, or the cluster could not be changed.
    """
    after, notes = checked_edit(job.texts, job.draft)
    found = [*changes(job.texts, after), *job.others]
    if how.output is Output.TEXT:
        _show([*job.shown, *found], notes)
    outcome = _write(job, after, found, how)
    if how.output is Output.JSON:
        say_json(_as_json([*job.shown, *found], notes, outcome, how))
    elif outcome is not None:
        say(*outcome.summary())


def _write(job: EditJob, after: Texts, found: Sequence[FileChange], how: EditOptions) -> "Outcome | None":
    if not how.apply:
        if not how.dry_run:
            with staged(found) as files:
                files.commit()
        return None
    client = job.client or cluster.connect(how.context)
    change = _change(client, job, after, how)
    if how.dry_run:
        return group_objects.carry_out(client, change, how)
    with staged(found) as files:
        if job.first:
            job.first(client)
        if job.last:
            outcome = group_objects.carry_out(client, change, how)
            job.last(client)
        else:
            outcome = _routes_and_files(client, job, change, how, files)
        files.commit()
        return outcome


def _change(client: "Client", job: EditJob, after: Texts, how: EditOptions) -> "GroupChange":
    from meshconfig.cluster.change import Wanted

    (group,) = [group for group in after.groups if group.key == job.draft.group.key]
    namespace, name = group.key
    return group_objects.find(client, Wanted(name, namespace, group.spec, job.action), group.document, how)


def _routes_and_files(
    client: "Client", job: EditJob, change: "GroupChange", how: EditOptions, files: Staged
) -> "Outcome":
    """Change the cluster. The files are written once the API server has agreed, before the first write to it.

    Raises:
        UnfinishedError: the change stopped after it had begun; `graylane apply` continues it.
        GraylaneError: the change could not begin, and nothing was written.
    """
    try:
        return group_objects.carry_out(client, change, how, begin=files.commit)
    except GraylaneError as error:
        if not files.committed:
            raise
        written = " ".join(f"-f {file}" for file in job.texts.by_file)
        raise UnfinishedError(f"{error}\nthe files are written; to continue: graylane apply {written}") from None


class UnfinishedError(GraylaneError):
    """The files are written, but the cluster was not changed to match them."""


def _show(found: Sequence[FileChange], notes: Sequence[str]) -> None:
    out = stdout()
    for one in found:
        for line in one.diff():
            out.print(Text(line, COLOURS.get(line[:1], "")))
    if not found:
        stderr().print("no change: the files say this already")
    for note in notes:
        stderr().print(Text(f"note: {note}", "yellow"))


def _as_json(
    found: Sequence[FileChange], notes: Sequence[str], outcome: "Outcome | None", how: EditOptions
) -> dict[str, Any]:
    """{"files": [{"file", "diff"}], "notes", "dryRun", "applied": as `graylane apply --output json` or null}"""
    return {
        "files": [{"file": one.file, "diff": "\n".join(one.diff())} for one in found],
        "notes": list(notes),
        "dryRun": how.dry_run,
        "applied": outcome.as_json() if outcome else None,
    }


def group_with(texts: Texts, service: str, chosen: str | None) -> Group:
    """The group that has a service.

    Raises:
        InputError: no group has it (the message suggests the most similar name), or several have.
    """
    found = _chosen(texts, chosen)
    having = [group for group in found if service in group.spec.spec.services]
    if not having:
        names = [name for group in found for name in group.spec.spec.services]
        location = found[0].locate(("spec", "services"))
        message = f"there is no service {service}{nearest(service, names)}"
        raise InputError.at(location.file, message, line=location.line, path="spec.services")
    return _only(having, f"have a service {service}")


def only_group(texts: Texts, chosen: str | None) -> Group:
    return _only(_chosen(texts, chosen), "are in the files")


def _chosen(texts: Texts, chosen: str | None) -> Sequence[Group]:
    found = [group for group in texts.groups if chosen in (None, group.key[1], "/".join(group.key))]
    if not found:
        names = [group.key[1] for group in texts.groups]
        raise InputError.at("--group", f"there is no group {chosen}{nearest(str(chosen), names)}")
    return found


def _only(found: Sequence[Group], what: str) -> Group:
    if len(found) > 1:
        names = " and ".join("/".join(group.key) for group in found)
        raise InputError.at("--group", f"groups {names} {what}: choose one")
    return found[0]
