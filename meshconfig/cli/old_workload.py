"""The Deployment of a retired version: deleted after its routes, if that is wanted, or left."""

from dataclasses import replace

from rich.text import Text

from meshconfig.cli.common import stderr
from meshconfig.cli.editing import Job
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.cluster.owned import label
from meshconfig.cluster.workloads import live
from meshconfig.compile.names import service_namespace
from meshconfig.compile.services import Plan, workload_name
from meshconfig.errors import InputError
from meshconfig.groups import Group


def with_end(job: Job, service: str, version: str, delete: bool | None) -> Job:
    """The job with the Deployment's end behind it.

    Parameters:
        delete: None for what graylane made alone.

    Raises:
        InputError: it is to be deleted, and is another version's too.
    """
    group = job.draft.group
    name = deployment(group, service, version)
    versions = [
        (other, service_name, one)
        for other in job.texts.groups
        for service_name, spec in other.spec.spec.services.items()
        for one in spec.versions
        if (other.key, service_name, one) != (group.key, service, version)
    ]
    others = [
        f"{service_name} {one}" for other, service_name, one in versions if deployment(other, service_name, one) == name
    ]
    if others and delete:
        raise InputError.at("--delete-workload", f"{name} is that of {' and '.join(others)} too")

    def last(client: Client) -> None:
        if delete is not False and not others:
            end(client, name, group.spec.metadata.name, whoever_made_it=bool(delete))

    return replace(job, last=last)


def deployment(group: Group, service: str, version: str) -> Key:
    spec = group.spec.spec.services[service]
    host = Plan(service, spec, group.spec).host
    namespace = service_namespace(host, group.spec.metadata.namespace)
    return Key("Deployment", namespace, workload_name(service, version, spec.versions[version]))


def end(client: Client, name: Key, group: str, *, whoever_made_it: bool) -> None:
    """Delete it, or say why it stays."""
    found = live.read(client, name)
    console = stderr()
    if found is None:
        return
    if label(found) == group or whoever_made_it:
        live.delete(client, found)
        console.print(Text(f"deleted {name}"))
    else:
        console.print(Text(f"{name} stays, as graylane has not made it: --delete-workload deletes it", "yellow"))
