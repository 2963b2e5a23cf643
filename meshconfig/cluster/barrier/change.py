"""What a step wrote, how far it has got, and how waiting for it can end."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from meshconfig.cluster.objects import Key, Manifest, State
from meshconfig.errors import ClusterError


class NewSubset(Protocol):
    """A subset that no proxy knew before; `labels` are pairs, sorted or not."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[tuple[str, str], ...]: ...


@dataclass(frozen=True, slots=True)
class StepChange:
    """What a step wrote.

    Parameters:
        written: resources as the API server answered them.
        before: the same as they were; those that are new are not among them.
        tag: the name of the tag's header.
    """

    written: tuple[Manifest, ...] = ()
    deleted: tuple[Key, ...] = ()
    new_subsets: tuple[NewSubset, ...] = ()
    before: State = field(default_factory=dict)
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """`proxies` that the change concerns, as far as is known; `waiting_for` is for people, one thing each."""

    acknowledged: int
    proxies: int
    waiting_for: tuple[str, ...]


class Verification(StrEnum):
    VERIFIED = "verified"
    UNVERIFIED = "unverified"  # istiod's debug pages could not be read; a time was waited instead


class BarrierTimeout(ClusterError):  # noqa: N818  what happened, as people say it
    """Not every proxy followed in time; `waiting_for` says which, and in which types of resources.

    Parameters:
        seconds: how long was waited.
        waiting_for: as in `Progress`.
    """

    def __init__(self, seconds: float, waiting_for: tuple[str, ...]) -> None:
        self.waiting_for = waiting_for
        shown = [*waiting_for[:12], *([f"and {len(waiting_for) - 12} more"] if len(waiting_for) > 12 else [])]
        super().__init__(f"not done after {seconds:g} s, still waiting for:\n" + "\n".join(f"  {one}" for one in shown))


class ProxyRefused(ClusterError):  # noqa: N818
    """A proxy refused what the change made of its configuration (xDS: NACK).

    Parameters:
        proxy: POD.NAMESPACE.
        what: the type of resources, such as RDS.
        message: Envoy's own words.
    """

    def __init__(self, proxy: str, what: str, message: str) -> None:
        self.proxy, self.what, self.message = proxy, what, message
        super().__init__(f"{proxy} refused its {what}: {message}")
