"""The status of a group with its LaneGroup object, where the cluster has one: what is wanted beside what is there."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from meshconfig.cluster import history
from meshconfig.cluster.client import Client
from meshconfig.cluster.history import Past
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.status.judge import judge
from meshconfig.cluster.status.look import FORBIDDEN, Looker
from meshconfig.cluster.status.object import ObjectState, object_state
from meshconfig.cluster.status.previews import PreviewState, preview_states
from meshconfig.cluster.status.report import KEYS, as_json
from meshconfig.cluster.status.status import Status
from meshconfig.errors import ApiError


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A group's mesh and its object.

    Parameters:
        mesh: None where it was not read, and `unread` says why.
        stated: what the object says; None where the cluster has none.
        previews: the preview lanes of a group with an object.
    """

    namespace: str
    group: str
    mesh: Status | None
    stated: ObjectState | None = None
    unread: str = ""
    previews: tuple[PreviewState, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        return (*(self.stated.problems if self.stated else ()), *(self.mesh.problems if self.mesh else self._drift()))

    @property
    def healthy(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """As `report.as_json`, with `object` (null or as `ObjectState.as_json`), `previews` (each with name, phase,
        expires, link, message) and `unread` (why the mesh was not read, or empty). Where it was not, the keys from
        `revision` on are null."""
        mesh = as_json(self.mesh) if self.mesh else dict.fromkeys(KEYS)
        return {
            **mesh,
            "group": self.group,
            "namespace": self.namespace,
            "healthy": self.healthy,
            "problems": list(self.problems),
            "object": self.stated.as_json() if self.stated else None,
            "previews": [one.as_json() for one in self.previews],
            "unread": self.unread,
        }

    def _drift(self) -> tuple[str, ...]:
        """What the controller says of it, where nobody else has looked."""
        found = self.stated.condition("Drifted") if self.stated else None
        return (f"drift: {found.message}",) if found and found.status else ()


class GroupLooker:
    """Reads the status of one group, repeatedly for `--watch`.

    Parameters:
        istiod: as for `Looker`.
    """

    def __init__(self, client: Client, namespace: str, group: str, *, istiod: str | None = None) -> None:
        self._client, self._place, self._istiod = client, (namespace, group), istiod
        self._looker: Looker | None = None

    def look(self, one: GroupObject | None, past: Past | None = None) -> GroupStatus:
        """Read the group once.

        Parameters:
            one: its object, just read; None where the cluster has none.
            past: its history, if the caller has just read it.

        Raises:
            ClusterError: the cluster cannot be read; or there is no object, and no revision that can be read.
        """
        found = self._look(one, past)
        return replace(found, previews=preview_states(self._client, *self._place)) if one else found

    def _look(self, one: GroupObject | None, past: Past | None) -> GroupStatus:
        stated = object_state(one, datetime.now(UTC)) if one else None
        try:
            past = history.read(self._client, *self._place) if past is None else past
            if stated and past.last is None:
                unread = "; ".join(map(str, past.unreadable)) or "the group has no revision yet"
                return GroupStatus(*self._place, None, stated, unread)
            return GroupStatus(*self._place, judge(self._mesh().look(past)), stated)
        except ApiError as error:
            if error.status != FORBIDDEN or stated is None:
                raise
            return GroupStatus(*self._place, None, stated, str(error))

    def _mesh(self) -> Looker:
        if self._looker is None:
            self._looker = Looker(self._client, *self._place, istiod=self._istiod)
        return self._looker
