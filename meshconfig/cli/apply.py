"""`graylane apply` and `graylane delete`: change a cluster to match a spec, without losing a request."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from meshconfig.cli import group_objects
from meshconfig.cli.change_options import ApplyOptions, ChangeOptions, with_options
from meshconfig.cli.cluster import connect, wanted
from meshconfig.cli.common import Files, GivenFiles, Output, read_groups
from meshconfig.groups import Group
from meshconfig.printable import say, say_json

if TYPE_CHECKING:
    from meshconfig.cluster.change import Wanted
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.objects import Manifest


@with_options(ApplyOptions)
def apply(file: Files, *, how: ApplyOptions) -> None:
    """Change the cluster to match specs, step by step; each step waits until every proxy has acknowledged the last.

    graylane deletes what it once applied and the spec no longer contains. It never touches resources of others. It
    writes nothing if nothing differs. If a change stops half-way, requests are still served, and the same command
    continues it. `graylane plan` shows the steps, `graylane diff` the differences.

    If the cluster has a LaneGroup object of that name, graylane writes the object in place of the mesh, and follows the
    controller.

    Examples:

        graylane apply -f graylane.yaml

        graylane apply -f graylane.yaml --dry-run

        graylane apply -f graylane.yaml --adopt

        kubectl -n istio-system port-forward deploy/istiod 15014 &

        graylane apply -f graylane.yaml --istiod http://127.0.0.1:15014 --drain 30
    """
    groups = _with_documents(read_groups(file))
    each(connect(how.context), groups, how)


@with_options(ChangeOptions)
def delete(file: GivenFiles, *, how: ChangeOptions) -> None:
    """Delete everything that graylane applied for the groups in specs: entries first, then routes, then subsets.

    The Services and Deployments stay. Without routes, Kubernetes sends each request to any version. `graylane history`
    still lists the group's revisions. A LaneGroup object of that name is deleted; its controller then does the rest.

    Examples:

        graylane delete -f graylane.yaml
    """
    groups = _with_documents(read_groups(file), gone=True)
    each(connect(how.context), groups, how)


def _with_documents(groups: Sequence[Group], *, gone: bool = False) -> "list[tuple[Wanted, Manifest]]":
    return [(wanted(one, gone=gone), one.document) for one in groups]


def each(client: "Client", groups: "Sequence[tuple[Wanted, Manifest]]", how: ChangeOptions) -> None:
    """Carry out the changes of several groups one after the other, and print the result of each.

    Parameters:
        groups: what is wanted of each, and the group as an object.
    """
    changes = [group_objects.find(client, one, document, how) for one, document in groups]
    done = []
    for change in changes:
        outcome = group_objects.carry_out(client, change, how)
        if how.output is Output.TEXT:
            say(*outcome.summary())
        done.append(outcome.as_json())
    if how.output is Output.JSON:
        say_json(done)
