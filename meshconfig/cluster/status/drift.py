"""What is not as it was applied, and who has written it since."""

import re

from meshconfig.cluster.diff import Difference, differences
from meshconfig.cluster.fields import Foreign, foreign, ours
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.status.seen import Seen
from meshconfig.cluster.status.status import Drift


def drift(seen: Seen) -> tuple[Drift, ...]:
    """One for each resource that differs from what was applied last."""
    # A resource of ours whose label somebody took away: it is there, only not by the label.
    strange = {key: seen.live.strangers[key] for key in seen.wanted if key in seen.live.strangers}
    live = {**seen.live.state, **{key: ours(one, seen.wanted[key]) for key, one in strange.items()}}
    raw = {**seen.live.raw, **strange}
    return tuple(Drift(one, _by(one, raw.get(one.key))) for one in differences(live, seen.wanted))


def _by(difference: Difference, raw: Manifest | None) -> tuple[Foreign, ...]:
    """Other managers who own a field that differs, or one around or inside it."""
    if raw is None:
        return ()
    differing = [_steps(one.path) for one in difference.fields()]
    return tuple(
        one for one in foreign(raw) if any(_meet(_steps(field), path) for field in one.fields for path in differing)
    )


def _steps(path: str) -> tuple[str, ...]:
    """A path's names, without the places in lists: they are told differently by us and by the API server."""
    return tuple(name for name in re.sub(r"\[[^]]*\]", "", path).split(".") if name)


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]
