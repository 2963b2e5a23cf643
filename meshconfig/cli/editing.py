"""What the commands that edit a spec share: their options, and the way from a draft to files and to the cluster."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from meshconfig.cli import cluster
from meshconfig.cli.change_options import ApplyOptions
from meshconfig.cli.common import Output, stderr, stdout
from meshconfig.cli.diff import COLOURS
from meshconfig.cli.edit_files import FileChange, changes, staged
from meshconfig.edit.draft import Draft
from meshconfig.edit.files import Texts
from meshconfig.errors import GraylaneError, InputError, nearest
from meshconfig.groups import Group
from meshconfig.lint import Finding, Level, index, lint

if TYPE_CHECKING:
    from meshconfig.cluster.change import ChangeResult, Choices
    from meshconfig.cluster.client import Client

GroupOption = Annotated[
    str | None,
    typer.Option("--group", metavar="NAME", help="The group, where the files have several that could be meant."),
]


@dataclass(frozen=True, slots=True)
class EditOptions(ApplyOptions):
    """As `ApplyOptions`, where a file is edited; the cluster is changed with `--apply` alone."""

    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it, and write nothing.")] = False
    apply: Annotated[
        bool, typer.Option("--apply", help="Carry it out in the cluster too, as `graylane apply` does.")
    ] = False


@dataclass(frozen=True, slots=True)
class EditJob:
    """One command's work.

    Parameters:
        action: what the history will say.
        first: before anything is written: a Deployment, and that its Pods are ready.
        last: after the cluster has the new routes; then the files are written after it, so that a command that
            stopped half-way can be given again.
        others: files besides the spec's; `shown`: what is shown as well, and goes to the cluster alone.
        client: of the cluster, where it was needed already.
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
    """Show the change, write the files, and with `--apply` make the cluster so.

    Raises:
        InputError: the edit makes no spec that can be used.
        GraylaneError: lint finds errors that the spec has not had; the cluster could not be changed.
    """
    after = job.texts.edited(job.draft)
    notes = [*job.draft.notes, *_new_findings(job.texts, after)]
    found = [*changes(job.texts, after), *job.others]
    if how.output is Output.TEXT:
        _show([*job.shown, *found], notes)
    outcome = _write(job, after, found, how)
    if how.output is Output.JSON:
        print(json.dumps(_as_json([*job.shown, *found], notes, outcome, how), indent=2))
    elif outcome is not None:
        print(cluster.summary(outcome, dry_run=how.dry_run))


def _write(job: EditJob, after: Texts, found: Sequence[FileChange], how: EditOptions) -> "ChangeResult | None":
    if not how.apply:
        if not how.dry_run:
            with staged(found) as files:
                files.commit()
        return None
    choices = how.choices()
    client = job.client or cluster.connect(how.context)
    if how.dry_run:
        return _routes(client, job, after, choices)
    with staged(found) as files:
        if job.first:
            job.first(client)
        if job.last:
            outcome = _routes(client, job, after, choices)
            job.last(client)
            files.commit()
            return outcome
        files.commit()
    try:
        return _routes(client, job, after, choices)
    except GraylaneError as error:
        if not found:
            raise
        written = " ".join(f"-f {file}" for file in job.texts.by_file)
        raise UnfinishedError(f"{error}\nthe files are written; graylane apply {written} goes on") from None


class UnfinishedError(GraylaneError):
    """The files are written, and the cluster is not yet so."""


def _routes(client: "Client", job: EditJob, after: Texts, choices: "Choices") -> "ChangeResult":
    from meshconfig.cluster.change import Wanted

    (spec,) = [group.spec for group in after.groups if group.key == job.draft.group.key]
    wanted = Wanted(spec.metadata.name, spec.metadata.namespace, spec, job.action)
    return cluster.carry_out(client, wanted, choices)


def _new_findings(before: Texts, after: Texts) -> list[str]:
    """What lint says of the new spec and did not say of the old one.

    Raises:
        GraylaneError: errors among it.
    """
    known = {_same(one) for one in lint(index(before.every))}
    new = [one for one in lint(index(after.every)) if _same(one) not in known]
    if errors := [one for one in new if one.level is Level.ERROR]:
        lines = "\n".join(map(str, errors))
        raise GraylaneError(f"nothing was written, as lint finds (lines are those after the edit):\n{lines}")
    return [str(one) for one in new if one.level is Level.WARNING]


def _same(finding: Finding) -> tuple[str, str, str]:
    return finding.code, finding.path, finding.message


def _show(found: Sequence[FileChange], notes: Sequence[str]) -> None:
    out = stdout()
    for one in found:
        for line in one.diff():
            out.print(Text(line, COLOURS.get(line[:1], "")))
    if not found:
        stderr().print("the files say so already")
    for note in notes:
        stderr().print(Text(f"note: {note}", "yellow"))


def _as_json(
    found: Sequence[FileChange], notes: Sequence[str], outcome: "ChangeResult | None", how: EditOptions
) -> dict[str, Any]:
    """{"files": [{"file", "diff"}], "notes", "dryRun", "applied": as `graylane apply --output json` or null}"""
    return {
        "files": [{"file": one.file, "diff": "\n".join(one.diff())} for one in found],
        "notes": list(notes),
        "dryRun": how.dry_run,
        "applied": cluster.as_json(outcome, dry_run=how.dry_run) if outcome else None,
    }


def group_with(texts: Texts, service: str, chosen: str | None) -> Group:
    """The group that has a service; where none has, an error with the service's nearest name."""
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
        raise InputError.at("--group", f"groups {names} {what}: say which")
    return found[0]
