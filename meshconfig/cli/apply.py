"""`graylane apply` and `graylane delete`: change a cluster to match a spec, without losing a request."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshconfig.cli.change_options import ApplyOptions, ChangeOptions, with_options
from meshconfig.cli.cluster import as_json, carry_out, connect, summary, wanted
from meshconfig.cli.common import Files, GivenFiles, Output
from meshconfig.printable import say, say_json

if TYPE_CHECKING:
    from meshconfig.cluster.change import Wanted
    from meshconfig.cluster.client import Client


@with_options(ApplyOptions)
def apply(file: Files, *, how: ApplyOptions) -> None:
    """Change the cluster to match specs, step by step; each step waits until every proxy has acknowledged the last.

    graylane deletes what it once applied and the spec no longer contains. It never touches resources of others. It
    writes nothing if nothing differs. If a change stops half-way, requests are still served, and the same command
    continues it. `graylane plan` shows the steps, `graylane diff` the differences.

    Examples:

        graylane apply -f graylane.yaml

        graylane apply -f graylane.yaml --dry-run

        graylane apply -f graylane.yaml --adopt

        kubectl -n istio-system port-forward deploy/istiod 15014 &

        graylane apply -f graylane.yaml --istiod http://127.0.0.1:15014 --drain 30
    """
    groups = wanted(file)
    each(connect(how.context), groups, how)


@with_options(ChangeOptions)
def delete(file: GivenFiles, *, how: ChangeOptions) -> None:
    """Delete everything that graylane applied for the groups in specs: entries first, then routes, then subsets.

    The Services and Deployments stay. Without routes, Kubernetes sends each request to any version. `graylane history`
    still lists the group's revisions.

    Examples:

        graylane delete -f graylane.yaml
    """
    groups = wanted(file, gone=True)
    each(connect(how.context), groups, how)


def each(client: "Client", groups: "Sequence[Wanted]", how: ChangeOptions) -> None:
    """Carry out the changes of several groups one after the other, and print the result of each."""
    choices, done = how.choices(), []
    for one in groups:
        outcome = carry_out(client, one, choices)
        if how.output is Output.TEXT:
            say(*summary(outcome, dry_run=how.dry_run))
        done.append(as_json(outcome, dry_run=how.dry_run))
    if how.output is Output.JSON:
        say_json(done)
