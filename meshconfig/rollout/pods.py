"""How many Pods each version of a rollout needs: the new its share before requests come, the old the rest after."""

import math
from collections.abc import Mapping

from meshconfig.spec.rollout import Replicas, Rollout

PodCounts = Mapping[str, Mapping[str, int]]  # service → version → Pods


def grown(rollout: Rollout, sizes: PodCounts, pods: PodCounts, weight: int, replicas: Replicas | None) -> PodCounts:
    """The new versions made ready for a weight, the old untouched.

    Parameters:
        sizes: when the rollout began; a share is one of what the old version had then.
        pods: what was wanted last; on the way forward a new version never shrinks.
        replicas: of the step; where it is not given, the weight is the share.
    """
    share = f"{weight}%" if replicas is None else replicas
    found = {}
    for service, move in rollout.spec.services.items():
        needed = _count(share, _full(sizes, service, move.from_))
        found[service] = {**pods[service], move.to: max(pods[service][move.to], needed)}
    return found


def shrunk(rollout: Rollout, sizes: PodCounts, pods: PodCounts, weight: int) -> PodCounts:
    """The old versions after requests have moved: what the new does not make up for, what their share of the requests
    needs, and one at least, because a header may still lead to them."""
    found = {}
    for service, move in rollout.spec.services.items():
        full = _full(sizes, service, move.from_)
        needed = max(full - pods[service][move.to], _count(f"{100 - weight}%", full))
        found[service] = {**pods[service], move.from_: min(pods[service][move.from_], needed)}
    return found


def begun(rollout: Rollout, sizes: PodCounts) -> PodCounts:
    """What there is of each version of the rollout when it begins; a version that was not counted has none."""
    return {
        service: {version: sizes.get(service, {}).get(version, 0) for version in (move.from_, move.to)}
        for service, move in rollout.spec.services.items()
    }


def _full(sizes: PodCounts, service: str, version: str) -> int:
    return max(sizes[service][version], 1)


def _count(share: Replicas, full: int) -> int:
    """A share rounded up, and at least one."""
    if isinstance(share, int):
        return share
    return max(math.ceil(full * int(share[:-1]) / 100), 1)
