"""The preview lanes of a group, as their Lane objects say it."""

from dataclasses import dataclass
from typing import Any

from meshconfig.cluster import previews
from meshconfig.cluster.client import Client
from meshconfig.cluster.previews import FORBIDDEN, PreviewObject
from meshconfig.errors import ApiError


@dataclass(frozen=True, slots=True)
class PreviewState:
    """One preview lane.

    Parameters:
        phase: empty where no controller has seen it.
        expires: RFC 3339, or empty.
        message: what it waits for, or what a person has to change; empty where it is ready.
    """

    name: str
    phase: str
    expires: str
    link: str
    message: str

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "phase": self.phase or None,
            "expires": self.expires or None,
            "link": self.link or None,
            "message": self.message,
        }


def preview_states(client: Client, namespace: str, group: str) -> tuple[PreviewState, ...]:
    """The oldest first; none where the account may not list Lanes. One call."""
    try:
        return tuple(map(_state, previews.each(client, namespace, group)))
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return ()


def _state(one: PreviewObject) -> PreviewState:
    ready = one.condition("Ready")
    message = "" if ready.get("status") == "True" else str(ready.get("message") or "")
    return PreviewState(one.name, one.phase, str(one.status.get("expires") or ""), one.link, message)
