"""`graylane apply` and `graylane delete`: make a cluster what a spec says, with no request lost."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig.cli.cluster import (
    Adopt,
    BreakLock,
    Context,
    Drain,
    Fast,
    Istiod,
    Timeout,
    Wait,
    as_json,
    carry_out,
    connect,
    summary,
    wanted,
)
from meshconfig.cli.common import Files, Output, OutputFormat, batch, needs

if TYPE_CHECKING:
    from meshconfig.cluster.change import Choices, Wanted
    from meshconfig.cluster.client import Client

DryRun = Annotated[bool, typer.Option("--dry-run", help="Ask the API server about all of it, and write nothing.")]


def apply(
    file: Files,
    dry_run: DryRun = False,
    adopt: Adopt = False,
    fast: Fast = False,
    break_lock: BreakLock = False,
    timeout: Timeout = 300.0,
    drain: Drain = 5.0,
    wait: Wait = 10.0,
    istiod: Istiod = None,
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Make the cluster what specs say, in steps between which every proxy has acknowledged the last one.

    What a group no longer has is removed, resources of others are never touched, and without a change nothing is
    written. A change that stops half-way has removed nothing that is in use: the same command goes on.
    `graylane plan` shows the steps, `graylane diff` the change.

    Examples:

        graylane apply -f graylane.yaml

        graylane apply -f graylane.yaml --dry-run

        kubectl -n istio-system port-forward deploy/istiod 15014 &

        graylane apply -f graylane.yaml --istiod http://127.0.0.1:15014 --drain 30
    """
    with needs("mesh"):
        from meshconfig.cluster.change import Choices
    choices = Choices(adopt, fast, dry_run, break_lock, timeout, drain, wait, istiod)
    with batch():
        groups = wanted(file)
        each(connect(context), groups, choices, output)


def delete(
    file: Files,
    dry_run: DryRun = False,
    break_lock: BreakLock = False,
    timeout: Timeout = 300.0,
    drain: Drain = 5.0,
    wait: Wait = 10.0,
    istiod: Istiod = None,
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Remove all that graylane applied for the groups in specs: entries first, then routes, then subsets.

    The services themselves stay; without routes, any version of them answers. `graylane history` still knows the group.

    Examples:

        graylane delete -f graylane.yaml
    """
    with needs("mesh"):
        from meshconfig.cluster.change import Choices
    choices = Choices(False, False, dry_run, break_lock, timeout, drain, wait, istiod)
    with batch():
        groups = wanted(file, gone=True)
        each(connect(context), groups, choices, output)


def each(client: "Client", groups: "Sequence[Wanted]", choices: "Choices", output: Output) -> None:
    """Carry out the changes of several groups, one after the other, and print what came of each."""
    done = []
    for one in groups:
        outcome = carry_out(client, one, choices)
        if output is Output.TEXT:
            print(summary(outcome, dry_run=choices.dry_run))
        done.append(as_json(outcome, dry_run=choices.dry_run))
    if output is Output.JSON:
        print(json.dumps(done, indent=2))
