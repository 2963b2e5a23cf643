"""Computes numbers of Pods so that a plain Service, without a mesh, approximates the weights of versions.

A Service spreads connections evenly over all ready Pods, so a version's share is its share of the Pods and no header
can change it (Kubernetes, "Virtual IPs and Service Proxies").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from meshconfig.errors import InputError


@dataclass(frozen=True, slots=True)
class Count:
    """The number of Pods of one version. `wanted` and `got` are its shares of all requests, 0 to 1."""

    version: str
    replicas: int
    wanted: Fraction
    got: Fraction

    @property
    def error(self) -> Fraction:
        """The difference between the two shares; positive if the version gets too much."""
        return self.got - self.wanted


def replica_counts(weights: Mapping[str, int], total: int) -> list[Count]:
    """The counts that add up to `total` with the least sum of errors. A version with a weight gets at least one Pod.

    Parameters:
        weights: version → relative weight, at least one above 0.
        total: Pods over all versions.

    Raises:
        InputError: there are fewer Pods than versions with a weight.
    """
    serving = {version: weight for version, weight in weights.items() if weight}
    if total < len(serving):
        raise InputError.at("--total", f"{total} Pods are too few for {len(serving)} versions with a weight")
    whole = sum(serving.values())
    wanted = {version: Fraction(weights[version], whole) for version in weights}
    # What each version gets in any case; the neediest get the rest one by one. At the end no version misses as many as
    # there are versions, so that no start is too high, and the time does not grow with `total`.
    sure = {version: int(wanted[version] * total) - len(serving) for version in weights}
    counts = {version: max(1, sure[version]) if version in serving else 0 for version in weights}
    for _ in range(total - sum(counts.values())):
        neediest = max(serving, key=lambda version: (wanted[version] * total - counts[version], serving[version]))
        counts[neediest] += 1
    return [Count(version, counts[version], wanted[version], Fraction(counts[version], total)) for version in weights]
