"""Computes the Pods of each version: the new one grows before it gets requests, the old one shrinks after."""

import math
from collections.abc import Mapping

from meshconfig.spec.rollout import Replicas, Rollout

PodCounts = Mapping[str, Mapping[str, int]]  # service → version → Pods


def grown(rollout: Rollout, sizes: PodCounts, pods: PodCounts, weight: int, replicas: Replicas | None) -> PodCounts:
    """The Pods for a new weight: the new versions grow, the old ones stay.

    Parameters:
        sizes: the Pods when the rollout began. A percentage refers to the old version's Pods then.
        pods: the Pods wanted last. While the rollout moves forward, a new version never shrinks.
        replicas: the step's `replicas`; None takes the weight as the percentage.
    """
    share = f"{weight}%" if replicas is None else replicas
    found = {}
    for service, move in rollout.spec.services.items():
        needed = _count(share, _full(sizes, service, move.from_))
        found[service] = {**pods[service], move.to: max(pods[service][move.to], needed)}
    return found


def shrunk(rollout: Rollout, sizes: PodCounts, pods: PodCounts, weight: int) -> PodCounts:
    """The Pods after requests have moved: the old versions shrink to what the new ones do not replace.

    They keep enough for their share of requests, and at least one Pod, because a tag may still select them.
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
    """A number or percentage of Pods, rounded up, at least one."""
    if isinstance(share, int):
        return share
    return max(math.ceil(full * int(share[:-1]) / 100), 1)
