"""Finds resources that differ from the last apply, and who changed them."""

import re

from meshconfig.cluster.diff import ResourceDiff, differences
from meshconfig.cluster.fields import OtherManager, managed_part, other_managers
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.status.snapshot import GroupSnapshot
from meshconfig.cluster.status.status import Drift


def drift(snapshot: GroupSnapshot) -> tuple[Drift, ...]:
    """One Drift for each resource that differs from the last apply."""
    # Somebody may have removed graylane's label from a resource: then it is among the unmanaged ones, not missing.
    strange = {key: snapshot.live.unmanaged[key] for key in snapshot.wanted if key in snapshot.live.unmanaged}
    live = {**snapshot.live.state, **{key: managed_part(one, snapshot.wanted[key]) for key, one in strange.items()}}
    raw = {**snapshot.live.raw, **strange}
    return tuple(Drift(one, _by(one, raw.get(one.key))) for one in differences(live, snapshot.wanted))


def _by(difference: ResourceDiff, raw: Manifest | None) -> tuple[OtherManager, ...]:
    """The other managers that own a field that differs, or a field around or inside it."""
    if raw is None:
        return ()
    differing = [_steps(one.path) for one in difference.fields()]
    return tuple(
        one
        for one in other_managers(raw)
        if any(_meet(_steps(field), path) for field in one.fields for path in differing)
    )


def _steps(path: str) -> tuple[str, ...]:
    """A path's field names without list indices, which graylane and the API server write differently."""
    return tuple(name for name in re.sub(r"\[[^]]*\]", "", path).split(".") if name)


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]
