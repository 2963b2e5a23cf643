"""How many Pods each version needs: a new version before requests come to it, an old one after they have left."""

import math
from collections.abc import Mapping

from meshconfig.spec.rollout import Replicas, Rollout

PodCounts = Mapping[str, Mapping[str, int]]  # service → version → Pods


def grown(rollout: Rollout, sizes: PodCounts, pods: PodCounts, weight: int, replicas: Replicas | None) -> PodCounts:
    """Raises the Pods of the new versions for a weight. The old versions keep theirs.

    Parameters:
        sizes: Pods when the rollout began. A share is a share of the old version's Pods at that time.
        pods: Pods that were wanted last. On the way forward a new version never shrinks.
        weight: percent of untagged requests.
        replicas: as the step gives it; None takes the weight as the share.
    """
    share = f"{weight}%" if replicas is None else replicas
    found = {}
    for service, move in rollout.spec.services.items():
        needed = _count(share, _full(sizes, service, move.from_))
        found[service] = {**pods[service], move.to: max(pods[service][move.to], needed)}
    return found


def shrunk(rollout: Rollout, sizes: PodCounts, pods: PodCounts, weight: int) -> PodCounts:
    """Lowers the Pods of the old versions after requests have moved.

    An old version keeps the Pods that the new one does not make up for, and those that its share of the requests needs,
    whichever is more. It keeps at least one, because a header may still lead to it.
    """
    found = {}
    for service, move in rollout.spec.services.items():
        full = _full(sizes, service, move.from_)
        needed = max(full - pods[service][move.to], _count(f"{100 - weight}%", full))
        found[service] = {**pods[service], move.from_: min(pods[service][move.from_], needed)}
    return found


def begun(rollout: Rollout, sizes: PodCounts) -> PodCounts:
    """The Pods of each version when the rollout begins. A version that was not counted has none."""
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
