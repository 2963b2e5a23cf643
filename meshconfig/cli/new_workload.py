"""The Deployment of a new version: a clone of another version's, from the cluster or from a directory of manifests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from meshconfig.cli import cluster
from meshconfig.cli.common import stderr
from meshconfig.cli.console import Text
from meshconfig.cli.editing import EditJob, EditOptions
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, key
from meshconfig.cluster.workloads import live
from meshconfig.cluster.workloads.clone import Wish, clone, mentions, overlaps
from meshconfig.edit.files import FileChange, piece
from meshconfig.edit.rewrite import documents, rewrite
from meshconfig.errors import ClusterError, InputError
from meshconfig.load import Document, load, read_text
from meshconfig.render import GROUP, MANAGED_BY, to_yaml


@dataclass(frozen=True, slots=True)
class Asked:
    """The user's wishes for the new Deployment; `scaled`: an autoscaler sets its number of Pods."""

    service: str
    old: str
    name: str
    labels: Mapping[str, str]
    image: str
    replicas: int | None
    scaled: bool
    manifests: Path | None


@dataclass(frozen=True, slots=True)
class Made:
    """The new Deployment, the file or diff that shows it, and notes for the user."""

    manifest: Manifest
    change: FileChange
    notes: Sequence[str]


def with_deployment(job: EditJob, asked: Asked, how: EditOptions) -> EditJob:
    """The job, extended to create the new Deployment before anything else.

    Raises:
        ClusterError: the Deployment cannot be created.
        InputError: the directory contains no Deployment to clone.
    """
    group = job.draft.group.spec
    spec = group.spec.services[asked.service]
    before = spec.versions[asked.old]
    source = live.deployment(group, asked.service, asked.old)
    wish = Wish(
        asked.name,
        asked.service,
        spec.port,
        before.labels,
        asked.labels,
        asked.image,
        asked.replicas,
        scaled=asked.scaled or before.autoscale is not None,
        marks={MANAGED_BY: "graylane", GROUP: group.metadata.name} if how.apply else {},
    )
    client = cluster.connect(how.context) if how.apply else None
    if asked.manifests is not None:
        made = from_directory(asked.manifests, source, wish)
        job = replace(job, others=[made.change])
    else:
        assert client is not None
        made = from_cluster(client, source, wish)
        job = replace(job, shown=[made.change])
    job.draft.notes.extend(made.notes)
    if client is None:
        return job
    live.check_free(client, made.manifest, group.metadata.name)
    if how.dry_run:
        live.apply(client, made.manifest, dry_run=True)

    def first(client: Client) -> None:
        bring_up(client, made.manifest, group.metadata.name, how.timeout)

    return replace(job, first=first, client=client)


def from_cluster(client: Client, old: Key, wish: Wish) -> Made:
    """Clone a live Deployment.

    Raises:
        ClusterError: there is no such Deployment, or it is not clear which of its containers gets the image.
    """
    found = live.read(client, old)
    if found is None:
        raise ClusterError(f"there is no {old} to clone")
    wish = replace(wish, scaled=wish.scaled or live.scaled(client, old))
    made = clone(found, wish)
    shown = FileChange(f"Deployment/{old.namespace}/{wish.name}", None, to_yaml([made]))
    return Made(made, shown, _notes(found, made, wish))


def from_directory(directory: Path, old: Key, wish: Wish) -> Made:
    """Clone a Deployment in a manifest file, in that file's style, into a new file beside it.

    Raises:
        InputError: the files contain no such Deployment, or the new file exists already.
    """
    document = _find(directory, old)
    file = Path(document.file)
    text = read_text(document.file)
    made = clone(document.value, wish)
    written = rewrite(piece(text, document), str(file), [made]).lstrip("\r\n")
    target = file.with_name(_file_name(file.name, old.name, wish.name))
    if target.exists():
        raise InputError.at(str(target), "exists already: move it away, or choose another --workload")
    made = {**made, "metadata": {**made["metadata"], "namespace": old.namespace}}
    return Made(made, FileChange(str(target), None, written), _notes(document.value, made, wish))


def _find(directory: Path, old: Key) -> Document:
    for file in dict.fromkeys(one.file for one in load([str(directory)])):
        for document in documents(read_text(file), file):
            metadata = document.value.get("metadata") if isinstance(document.value, Mapping) else None
            if document.kind != "Deployment" or not isinstance(metadata, Mapping) or metadata.get("name") != old.name:
                continue
            if metadata.get("namespace") in (None, old.namespace):
                return document
    raise InputError.at(str(directory), f"no Deployment {old.name} of namespace {old.namespace} in its files")


def _file_name(name: str, old: str, new: str) -> str:
    found = name.replace(old, new)
    return found if found != name else f"{new}.yaml"


def _notes(old: Manifest, made: Manifest, wish: Wish) -> list[str]:
    notes = [f"{wish.name} still names the old version in {where}" for where in mentions(made, wish)]
    if overlaps(old, made):
        notes.append(f"the selector of {old['metadata']['name']} chooses the Pods of {wish.name} too")
    return notes


def bring_up(client: Client, manifest: Manifest, group: str, timeout: float) -> None:
    """Apply a Deployment, and return when its Pods are ready.

    Raises:
        ClusterError: its name is taken, or its Pods are not ready in time.
    """
    live.check_free(client, manifest, group)
    live.apply(client, manifest)
    console = stderr()
    name = key(manifest)
    last = ""

    def tell(pods: live.DeploymentProgress) -> None:
        nonlocal last
        line = f"{name}: {pods.ready} of {pods.wanted} Pods ready" + (f", {pods.reason}" if pods.reason else "")
        if line != last:
            console.print(Text(line))
        last = line

    try:
        live.wait(client, name, timeout, tell)
    except live.NotReadyError as error:
        raise ClusterError(f"{error}\nnothing was routed or written; the same command goes on") from None
