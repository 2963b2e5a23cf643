"""What happens to a rollout: by a person (`who`, and why), or reported by a runner on what it was asked to do.

A report names the `turn` of the state whose actions it is about; one about an earlier turn comes too late and changes
nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshconfig.rollout.analysis import Reading

Sizes = Mapping[str, Mapping[str, int]]  # service → version → Pods


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody decided; `note` is their reason."""

    who: str
    note: str = ""


class Approve(Said):
    __slots__ = ()


class Pause(Said):
    __slots__ = ()


class Resume(Said):
    __slots__ = ()


class Abort(Said):
    __slots__ = ()


class Rollback(Said):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Supersede(Said):
    """Another rollout of the same services is to begin, once this one has gone back."""

    by: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    turn: int


@dataclass(frozen=True, slots=True)
class Start(Report):
    """A runner has taken the rollout up. `sizes`: how many Pods each version has now."""

    sizes: Sizes = field(default_factory=dict)


class PodsReady(Report):
    """All that was to be scaled is ready."""

    __slots__ = ()


class Routed(Report):
    """The routes that were asked for are in force: every proxy has them."""

    __slots__ = ()


class Elapsed(Report):
    """The time that was waited for has come."""

    __slots__ = ()


class OldRetired(Report):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Failed(Report):
    why: str = ""


class PodsFailed(Failed):
    """Pods of one service or more did not become ready in time, or ceased to be."""

    __slots__ = ()


class ApplyFailed(Failed):
    """A change could not be made, after trying again for a while."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Measured(Report):
    """Answers to measurements that were due."""

    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """The webhooks have been told the log up to this entry; its Events were made before."""

    number: int


Event = Said | Report | Told


def word(event: type[Event]) -> str:
    """`PodsReady` as people say it: `pods ready`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in event.__name__).strip()
