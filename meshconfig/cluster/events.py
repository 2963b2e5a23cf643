"""Kubernetes Events: what happened to an object, for `kubectl events`.

Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meshconfig.backend.kinds import KINDS
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import collection
from meshconfig.errors import Conflict

LONGEST = 1000  # characters; Kubernetes takes 1024


@dataclass(frozen=True, slots=True)
class About:
    """The object that an Event is about; `version` is its resourceVersion, if that is known."""

    key: Key
    uid: str
    version: str = ""


def event(
    about: About, name: str, reason: str, text: str, moment: datetime, *, warning: bool, source: str
) -> dict[str, Any]:
    """An Event (core/v1).

    Parameters:
        name: of the Event. The same one has the same name, so that there is one however often it is created.
        reason: a word in CamelCase.
        text: in one line; it is cut where it is too long.
        moment: with a time zone, in UTC.
        source: the reporting component.
    """
    at = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": about.key.namespace},
        "involvedObject": {
            "apiVersion": KINDS[about.key.kind].api,
            "kind": about.key.kind,
            "namespace": about.key.namespace,
            "name": about.key.name,
            "uid": about.uid,
            **({"resourceVersion": about.version} if about.version else {}),
        },
        "reason": reason,
        "message": text if len(text) <= LONGEST else text[: LONGEST - 1] + "…",
        "type": "Warning" if warning else "Normal",
        "source": {"component": "graylane"},
        "reportingComponent": source,
        "reportingInstance": "graylane",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def create(client: Client, body: dict[str, Any]) -> None:
    """Creates an Event; one that a controller before this one has created is no error."""
    with suppress(Conflict):
        client.request("POST", collection("Event", body["metadata"]["namespace"]), body)
