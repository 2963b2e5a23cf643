"""Which preview lanes keep a plan of their group from succeeding. It is made without them, and the others go on.

A lane adds resources of its own, such as the Service of its version, whose names somebody else may have taken; and many
lanes together may be more than one resource holds. Both are known before anything is written, and stay until somebody
does something. What passes by itself, such as an error of a webhook, sets no lane aside: its routes would go.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cache

from meshconfig.bounded import one_line
from meshconfig.cluster.change import OversizedError
from meshconfig.cluster.lowering import resources
from meshconfig.cluster.objects import BlockedError, Key, key
from meshconfig.cluster.owned import NotOurs
from meshconfig.cluster.plan.steps import LARGEST, size
from meshconfig.compile import compile_group
from meshconfig.preview.overlay import Routed
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.preview import without_previews

Names = tuple[str, ...]
LONGEST = 1000  # bytes of a reason: servers' words may be long


def culprits(error: BlockedError, spec: LaneGroup, lanes: Iterable[Routed]) -> dict[str, str]:
    """The lanes without which a plan may succeed, each with why, in one line for its status.

    Each time at least one of them; so who tries again without them ends.

    Parameters:
        error: what the plan has failed with.
        spec: the group that was planned.
        lanes: those that lie over it, with those that are coming.

    Raises:
        BlockedError: the same error, as no lane is to blame.
    """
    names = tuple(one.name for one in sorted(lanes, key=lambda one: one.age))
    found: dict[str, str] = {}
    for resource, names_of in _by_resource(error, spec, names).items():
        said = f"{error.resources[resource]}{_advice(error)}"
        found |= {name: said for name in names_of if name not in found}
    if not found:
        raise error
    return {name: one_line(said, LONGEST) for name, said in found.items()}


def _by_resource(error: BlockedError, spec: LaneGroup, names: Names) -> dict[Key, Sequence[str]]:
    @cache
    def made(lanes: Names) -> dict[Key, int]:
        """The resources in question that the group has with these lanes alone, with their sizes in bytes."""
        group = compile_group(without_previews(spec, lanes), stored=True)
        return {name: size(one) for one in resources(group, "v1") if (name := key(one)) in error.resources}

    def fails(resource: Key, lanes: Iterable[str]) -> bool:
        bytes_ = made(tuple(lanes)).get(resource)
        return bytes_ is not None and (not isinstance(error, OversizedError) or bytes_ > LARGEST)

    def guilty(resource: Key) -> Sequence[str]:
        if not names or fails(resource, ()):
            return ()
        if alone := [name for name in names if fails(resource, [name])]:
            return alone
        # Of all together, the newest are too many. A resource may be larger on the way than at the end of a plan.
        first = bisect_left(range(len(names)), True, key=lambda last: fails(resource, names[: last + 1]))
        return names[first:] or (names[-1:] if isinstance(error, OversizedError) else ())

    return {resource: guilty(resource) for resource in error.resources}


def _advice(error: BlockedError) -> str:
    match error:
        case NotOurs():
            return "; if it has to stay, give the lane another name"
        case OversizedError():
            return ": delete lanes that nobody needs"
    return ""
