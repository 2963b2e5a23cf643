"""What a state asks for. Each may be done again: a runner that takes up a stored state is given the same ones."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Scale:
    """A version has this many Pods, and they are ready; with an autoscaler, its bounds are moved instead."""

    service: str
    version: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Route:
    """All services of the rollout at once: `weight` percent of the untagged go to the new versions.

    Parameters:
        weight: 0 is the group as it was before the rollout.
        taken: the new versions are the baseline's, and no weights are left.
    """

    weight: int
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing before this time."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """One measurement that is due at `at`; `service` is empty for a query that names none."""

    metric: str
    service: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Analyse:
    """The next measurement of each metric that is still open."""

    asks: tuple[Ask, ...]

    @property
    def at(self) -> datetime:
        """When the first of them is due."""
        return min(ask.at for ask in self.asks)


@dataclass(frozen=True, slots=True)
class Retire:
    """A version that no request needs goes: subset, autoscaler, Deployment, in that order."""

    service: str
    version: str


@dataclass(frozen=True, slots=True)
class Notify:
    """The log's entry `number` may not have been told yet, to webhooks or as a Kubernetes Event."""

    number: int


Action = Scale | Route | Wait | Analyse | Retire | Notify
