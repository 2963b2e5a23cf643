"""The Deployment of a retired version: deleted after its routes, or kept."""

from dataclasses import replace

from meshconfig.cli.common import stderr
from meshconfig.cli.console import Text
from meshconfig.cli.editing import EditJob
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.cluster.owned import label
from meshconfig.cluster.workloads import live
from meshconfig.errors import InputError


def with_end(job: EditJob, service: str, version: str, delete: bool | None) -> EditJob:
    """The job, extended to delete the Deployment at its end.

    Parameters:
        delete: None deletes it only if graylane created it.

    Raises:
        InputError: `delete` is true, and another version shares the Deployment.
    """
    group = job.draft.group
    name = live.deployment(group.spec, service, version)
    groups = [group.spec, *(other.spec for other in job.texts.groups if other.key != group.key)]
    others = live.sharing(groups, name, (service, version))
    if others and delete:
        raise InputError.at("--delete-workload", f"{name} also belongs to {' and '.join(others)}")

    def last(client: Client) -> None:
        if delete is not False and not others:
            end(client, name, group.spec.metadata.name, whoever_made_it=bool(delete))

    return replace(job, last=last)


def end(client: Client, name: Key, group: str, *, whoever_made_it: bool) -> None:
    """Delete the Deployment, or print why it is kept."""
    found = live.read(client, name)
    console = stderr()
    if found is None:
        return
    if label(found) == group or whoever_made_it:
        live.delete(client, found)
        console.print(Text(f"deleted {name}"))
    else:
        console.print(Text(f"kept {name}, because graylane did not create it; --delete-workload deletes it", "yellow"))
