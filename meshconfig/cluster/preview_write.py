"""Writes Lane objects as a person or a CI job asks for them, beside whoever else owns fields of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from meshconfig.cluster import custom, previews
from meshconfig.cluster.change.check import conflict_line
from meshconfig.cluster.client import Client
from meshconfig.cluster.object_write import OwnedError
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.previews import PreviewObject
from meshconfig.errors import ApiError, ClusterError, Conflict, InputError, nearest
from meshconfig.spec.preview import KEEP_UNTIL, MOVE, moment


@dataclass(frozen=True, slots=True)
class PreviewWrite:
    """A Lane as it was written.

    Parameters:
        lane: the object.
        created: whether there was none of its name.
    """

    lane: PreviewObject
    created: bool


def put(client: Client, live: PreviewObject | None, document: Manifest, now: datetime) -> PreviewWrite:
    """Creates a Lane, or updates the one of its name; that one then lives for its ttl from now, if not longer.

    The end is written before the spec: a lane that is about to expire could go in between, and the new spec with it.

    Parameters:
        live: the object that is there, if there is one.
        document: apiVersion, kind, metadata with name and namespace, and spec.
        now: with a time zone.

    Raises:
        InputError: the one that is there is of another group; nothing was written.
        OwnedError: others own fields that would change; nothing was written.
        ClusterError: the API server refuses it, or does not have the kind; or the lane has expired meanwhile.
    """
    if live is not None and live.group != document["spec"]["group"]:
        said = f"{live.key} is of group {live.group}, not {document['spec']['group']}; {MOVE}"
        raise InputError.at("spec.group", said)
    if live is not None:
        _prolong(client, _apply(client, live, document, dry_run=True), now)
    return PreviewWrite(_apply(client, live, document), created=live is None)


def _apply(client: Client, live: PreviewObject | None, document: Manifest, *, dry_run: bool = False) -> PreviewObject:
    try:
        return previews.apply(client, document, dry_run=dry_run)
    except Conflict as error:
        raise _owned(live, error) from None
    except ApiError as error:
        if error.status == 404:
            check_served(client)
        raise


def _prolong(client: Client, wanted: PreviewObject, now: datetime) -> None:
    """
    Parameters:
        wanted: the lane as it is to be: its ttl may be the API server's default, or another manager's.
    """
    until = now + timedelta(seconds=wanted.spec().spec.ttl)
    kept = moment(wanted.annotations.get(KEEP_UNTIL))
    if kept is not None and kept >= until:
        return
    if previews.keep_until(client, wanted.namespace, wanted.name, until).deleting:
        raise ClusterError(f"nothing was written: {wanted.key} has expired meanwhile; try again once it has gone")


def check_served(client: Client) -> None:
    """
    Raises:
        ClusterError: the cluster does not have the kind Lane. One call.
    """
    if not custom.is_served(client, previews.KIND):
        raise ClusterError(f"this cluster has no kind {previews.KIND}; to install it: {custom.INSTALL}")


def known(client: Client, namespace: str, name: str) -> PreviewObject:
    """One call.

    Raises:
        InputError: there is none of this name; the message names the nearest one.
        ClusterError: it cannot be read.
    """
    if found := previews.read(client, namespace, name):
        return found
    check_served(client)
    there = [one.name for one in previews.each(client, namespace)]
    hint = nearest(name, there) if there else "; there is none at all"
    raise InputError.at("graylane", f"namespace {namespace} has no preview lane {name}{hint}")


def _owned(live: PreviewObject | None, error: Conflict) -> OwnedError:
    lines = [conflict_line(live.manifest if live else None, *cause) for cause in error.causes] or [str(error)]
    name = live.key if live else "the Lane"
    head = f"nothing was written: fields of {name} belong to others: change it where they do, or delete it first"
    return OwnedError("\n".join([head, *lines]))
