"""`graylane diff` and `graylane plan`: what an apply would change, and in which steps."""

import sys
from typing import TYPE_CHECKING, Any

from meshconfig.cli.batch import batch
from meshconfig.cli.cluster import Context, Fast, connect, wanted
from meshconfig.cli.common import Files, Output, OutputFormat, answering_by_exit_status, needs, stderr, stdout
from meshconfig.cli.console import Text
from meshconfig.printable import say_json

if TYPE_CHECKING:
    from meshconfig.cluster.change import Prepared
    from meshconfig.cluster.plan import Step

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@answering_by_exit_status()
def diff(file: Files, context: Context = None, output: OutputFormat = Output.TEXT) -> None:
    """Show what an apply would change, as a unified diff of the fields that graylane manages.

    Exit status: 0 if nothing differs, 1 if something does, 2 for every error, such as no cluster.

    Examples:

        graylane diff -f graylane.yaml

        graylane diff -f graylane.yaml --output json
    """
    prepared = _prepared(file, context)
    found = [one for each in prepared for one in each.differences]
    if output is Output.JSON:
        say_json([one.as_json() for one in found])
    else:
        out = stdout()
        for one in found:
            for line in one.unified().splitlines():
                out.print(Text(line, COLOURS.get(line[:1], "")))
        stderr().print(f"{len(found)} resources differ" if found else "no difference")
    sys.exit(1 if found else 0)


def plan(file: Files, fast: Fast = False, context: Context = None, output: OutputFormat = Output.TEXT) -> None:
    """Show the steps of an apply and their reasons. Lint checks the state of the routes after each step.

    Examples:

        graylane plan -f graylane.yaml

        graylane plan -f graylane.yaml --fast --output json
    """
    from meshconfig.cluster.change import check_states

    prepared = _prepared(file, context, fast=fast)
    for one in prepared:
        check_states(one)
    if output is Output.JSON:
        say_json([_as_json(one) for one in prepared])
        return
    out = stdout()
    for one in prepared:
        for line, style in _lines(one):
            out.print(Text(line, style))


def _prepared(file: list[str], context: str | None, *, fast: bool = False) -> "list[Prepared]":
    with needs("mesh"):
        from meshconfig.cluster.change import prepare
    with batch():
        groups = wanted(file)
        client = connect(context)
        found = [prepare(client, one, fast=fast) for one in groups]
    for note in dict.fromkeys(note for one in found for note in one.notes):
        stderr().print(Text(note, "yellow"))
    return found


def _lines(prepared: "Prepared") -> list[tuple[str, str]]:
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
        lines += [(f"     {what}", "dim") for what in _parts(step)]
    return lines + [(f"risk: {risk}", "yellow") for risk in prepared.plan.risks]


def _parts(step: "Step") -> list[str]:
    parts = [f"write {name}" for wave in _names(step) for name in wave]
    parts += [f"delete {name}" for name in step.deletes]
    parts += [f"wait for a ready endpoint of {one.host} {one.name}" for one in step.new_subsets]
    if step.barrier:
        parts.append("wait until every proxy has acknowledged it")
    return [*parts, "wait until what is in flight has ended"] if step.drain else parts


def _names(step: "Step") -> list[list[str]]:
    from meshconfig.cluster.objects import key

    return [[str(key(manifest)) for manifest in wave] for wave in step.waves]


def _as_json(prepared: "Prepared") -> dict[str, Any]:
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
