"""`graylane diff` and `graylane plan`: what an apply would change, and in which steps."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshconfig.cli.batch import batch
from meshconfig.cli.cluster import Adopt, Context, Fast, connect, wanted
from meshconfig.cli.common import Files, answering_by_exit_status, needs, read_groups, stderr, stdout
from meshconfig.cli.console import Text
from meshconfig.errors import ClusterError, InputError
from meshconfig.printable import put, say_json

if TYPE_CHECKING:
    from meshconfig.cli.against import Earlier
    from meshconfig.cluster.change import Prepared
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.plan import Step
    from meshconfig.groups import Group

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="OLD",
        help="Compare with this and ask no cluster: a spec, a rendered directory, git:REVISION for the same files in "
        "that revision, or git:REVISION:PATH.",
        show_default=False,
    ),
]
OutputFormat = Annotated[
    Format,
    typer.Option(
        "--output", help="Output format: text for people, JSON for programs, Markdown for a comment on a pull request."
    ),
]
ASSUMED = "that a cluster has exactly this, that no change is under way, and that new versions have ready Pods"


@answering_by_exit_status()
def diff(
    file: Files,
    against: Against = None,
    adopt: Adopt = False,
    context: Context = None,
    output: OutputFormat = Format.TEXT,
) -> None:
    """Show what an apply would change, as a unified diff of the fields that graylane manages.

    --against compares with earlier files in place of a cluster: docs/plan.md. Markdown shows who answers before and
    after.

    Exit status: 0 if nothing differs, 1 if something does, 2 for every error, such as no cluster.

    Examples:

        graylane diff -f graylane.yaml

        graylane diff -f graylane.yaml --output json

        graylane diff -f graylane.yaml --against git:main

        graylane diff -f graylane.yaml --against k8s/mesh --output markdown
    """
    change = _change(file, against, context, adopt=adopt)
    found = [one for each in change.prepared for one in each.differences]
    if output is not Format.MARKDOWN:
        _print_notes(change)
    if output is Format.JSON:
        say_json([one.as_json() for one in found])
    elif output is Format.MARKDOWN:
        put(_markdown("diff", change))
    else:
        out = stdout()
        for one in found:
            for line in one.unified(change.before).splitlines():
                out.print(Text(line, COLOURS.get(line[:1], "")))
        stderr().print(f"{len(found)} resources differ" if found else "no difference")
    sys.exit(1 if found else 0)


def plan(
    file: Files,
    fast: Fast = False,
    against: Against = None,
    adopt: Adopt = False,
    context: Context = None,
    output: OutputFormat = Format.TEXT,
) -> None:
    """Show the steps of an apply and their reasons. Lint checks the state of the routes after each step.

    --against plans from earlier files in place of a cluster: docs/plan.md. Markdown shows who answers before and after.

    Examples:

        graylane plan -f graylane.yaml

        graylane plan -f graylane.yaml --fast --output json

        graylane plan -f graylane.yaml --adopt

        graylane plan -f graylane.yaml --against git:origin/main --output markdown
    """
    from meshconfig.cluster.change import check_states

    change = _change(file, against, context, fast=fast, adopt=adopt)
    for one in change.prepared:
        check_states(one)
    if output is not Format.MARKDOWN:
        _print_notes(change)
    if output is Format.JSON:
        say_json([plan_json(one) for one in change.prepared])
    elif output is Format.MARKDOWN:
        put(_markdown("plan", change))
    else:
        out = stdout()
        for one in change.prepared:
            for line, style in plan_lines(one):
                out.print(Text(line, style))


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to be shown. `earlier`: what stands for the cluster; None where a cluster was asked. `beside`: a note for
    each group whose object in the cluster is not what the files say."""

    prepared: "Sequence[Prepared]"
    earlier: "Earlier | None" = None
    beside: Sequence[str] = ()

    @property
    def before(self) -> str:
        """What the state before the change is called."""
        return "old" if self.earlier else "live"

    def notes(self) -> list[str]:
        """What there is to know about the comparison, one sentence each."""
        found = [*self.beside, *(note for one in self.prepared for note in one.notes)]
        if self.earlier is not None:
            found += [*self.earlier.notes, *self.earlier.left([one.wanted for one in self.prepared])]
            found.append(f"compared with {self.earlier.name} and no cluster: it is assumed {ASSUMED}")
        return list(dict.fromkeys(found))


def _change(
    file: list[str], against: str | None, context: str | None, *, fast: bool = False, adopt: bool = False
) -> _Change:
    if against is not None and context is not None:
        raise InputError.at("--against", "asks no cluster, so that --context is for nothing")
    if against is not None and adopt:
        raise InputError.at("--against", "asks no cluster, so that --adopt finds nothing to take over")
    with needs("mesh"):
        from meshconfig.cluster.change import prepare
    with batch():
        given = read_groups(file)
        groups = [wanted(group) for group in given]
        if against is not None:
            from meshconfig.cli.against import read_against

            earlier = read_against(against, file)
            change = _Change(earlier.prepare(groups, fast=fast), earlier)
        else:
            client = connect(context)
            prepared = [prepare(client, one, fast=fast, adopt=adopt) for one in groups]
            change = _Change(prepared, beside=[note for one in given for note in _beside(client, one)])
    return change


def _beside(client: "Client", group: "Group") -> Iterator[str]:
    """A note where the cluster has an object of a group that says something else."""
    from meshconfig.cluster import lanegroups
    from meshconfig.cluster.object_write import same_spec

    try:
        live = lanegroups.find(client, *group.key)
    except ClusterError as error:
        yield str(error)
        return
    if live and not same_spec(live.manifest, group.document):
        seen = "is live" if live.observed >= live.generation else f"is wanted, and {live.observed} was observed last"
        yield f"the files differ from {live.key}, of which generation {live.generation} {seen}"


def _print_notes(change: _Change) -> None:
    for note in change.notes():
        stderr().print(Text(note, "yellow"))


def _markdown(command: str, change: _Change) -> str:
    from meshconfig.cli import markdown

    earlier = change.earlier.groups if change.earlier else {}
    sections = []
    for one in change.prepared:
        found = markdown.preview_of(one, earlier.get((one.wanted.namespace, one.wanted.group)))
        section = markdown.plan_markdown(one, found) if command == "plan" else ""
        sections.append(section or markdown.diff_markdown(one, found, change.before))
    return markdown.comment(command, sections, change.notes())


def plan_lines(prepared: "Prepared") -> list[tuple[str, str]]:
    """A plan as lines of text, each with its colour."""
    name = f"group {prepared.wanted.namespace}/{prepared.wanted.group}"
    steps = prepared.plan.steps
    if not steps:
        return [(f"{name}: no change", "")]
    kind = "consistent change" if prepared.plan.consistent else "change"
    lines = [(f"{name}: {kind} in {len(steps)} step{'s' * (len(steps) > 1)}", "bold")]
    lines += [(f"  {reason}", "dim") for reason in prepared.plan.reasons]
    for number, step in enumerate(steps, 1):
        lines.append((f"{number}. {step.title}: {step.why}", ""))
        lines += [(f"     {what}", "dim") for what in parts_of(step)]
    return lines + [(f"risk: {risk}", "yellow") for risk in prepared.plan.risks]


def parts_of(step: "Step") -> list[str]:
    """What a step does, in order, one line each."""
    parts = [f"write {name}" for wave in _names(step) for name in wave]
    parts += [f"delete {name}" for name in step.deletes]
    parts += [f"wait for a ready endpoint of {one.host} {one.name}" for one in step.new_subsets]
    if step.barrier:
        parts.append("wait until every proxy has acknowledged it")
    return [*parts, "wait until what is in flight has ended"] if step.drain else parts


def _names(step: "Step") -> list[list[str]]:
    from meshconfig.cluster.objects import key

    return [[str(key(manifest)) for manifest in wave] for wave in step.waves]


def plan_json(prepared: "Prepared") -> dict[str, Any]:
    """{"group", "namespace", "consistent", "reasons", "risks", "steps": [{"title", "why", "writes", …}]}"""
    return {
        "group": prepared.wanted.group,
        "namespace": prepared.wanted.namespace,
        "consistent": prepared.plan.consistent,
        "reasons": list(prepared.plan.reasons),
        "risks": list(prepared.plan.risks),
        "steps": [
            {
                "title": step.title,
                "why": step.why,
                "writes": [name for wave in _names(step) for name in wave],
                "deletes": [str(name) for name in step.deletes],
                "newSubsets": [f"{one.host} {one.name}" for one in step.new_subsets],
                "barrier": step.barrier,
                "drain": step.drain,
            }
            for step in prepared.plan.steps
        ],
    }
