"""`graylane apply` and `graylane delete`: make a cluster what a spec says, with no request lost."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshconfig.cli.change_options import ApplyOptions, ChangeOptions, with_options
from meshconfig.cli.cluster import as_json, carry_out, connect, summary, wanted
from meshconfig.cli.common import Files, Output

if TYPE_CHECKING:
    from meshconfig.cluster.change import Wanted
    from meshconfig.cluster.client import Client


@with_options(ApplyOptions)
def apply(file: Files, *, how: ApplyOptions) -> None:
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
    groups = wanted(file)
    each(connect(how.context), groups, how)


@with_options(ChangeOptions)
def delete(file: Files, *, how: ChangeOptions) -> None:
    """Remove all that graylane applied for the groups in specs: entries first, then routes, then subsets.

    The services themselves stay; without routes, any version of them answers. `graylane history` still knows the group.

    Examples:

        graylane delete -f graylane.yaml
    """
    groups = wanted(file, gone=True)
    each(connect(how.context), groups, how)


def each(client: "Client", groups: "Sequence[Wanted]", how: ChangeOptions) -> None:
    """Carry out the changes of several groups, one after the other, and print what came of each."""
    choices, done = how.choices(), []
    for one in groups:
        outcome = carry_out(client, one, choices)
        if how.output is Output.TEXT:
            print(summary(outcome, dry_run=how.dry_run))
        done.append(as_json(outcome, dry_run=how.dry_run))
    if how.output is Output.JSON:
        print(json.dumps(done, indent=2))
