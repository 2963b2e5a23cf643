"""The values that go into a barrier and come out: what a step wrote, the progress, and the results."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from meshconfig.cluster.objects import Key, Manifest, State
from meshconfig.errors import ClusterError
from meshconfig.model import ISTIO_BACKEND


class NewSubset(Protocol):
    """A subset that no proxy knew before; `labels` are (name, value) pairs in any order."""

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
        written: the resources as the API server returned them.
        deleted: the resources that were deleted.
        new_subsets: the subsets that get requests in the next step.
        before: the written resources as they were; a new one is not among them.
        tag: the name of the tag's header.
        backend: the name of the backend that made the resources.
        earlier: it was written by an earlier step or run, so that its push need not be still to come.
        beside: there are the routes of another backend too, which may be in force in place of the written ones.
    """

    written: tuple[Manifest, ...] = ()
    deleted: tuple[Key, ...] = ()
    new_subsets: tuple[NewSubset, ...] = ()
    before: State = field(default_factory=dict)
    tag: str = ""
    backend: str = ISTIO_BACKEND
    earlier: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a barrier is.

    Parameters:
        acknowledged: the number of proxies that have the change.
        proxies: the number of connected proxies that the change concerns, as far as is known.
        waiting_for: what the barrier waits for, one line each, for people.
        doubts: why the barrier cannot see that the proxies have the change, one line each, for people.
    """

    acknowledged: int
    proxies: int
    waiting_for: tuple[str, ...]
    doubts: tuple[str, ...] = ()


class Verification(StrEnum):
    """Whether a barrier saw that the proxies have the change."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"  # the debug pages could not be read, or do not show the change; the barrier only waited


class BarrierTimeout(ClusterError):  # noqa: N818  what happened, as people say it
    """Not every proxy had the change in time.

    Parameters:
        seconds: how long the barrier waited.
        waiting_for: the proxies with the types of resources that they lack, and the subsets without endpoints.
    """

    def __init__(self, seconds: float, waiting_for: tuple[str, ...]) -> None:
        self.waiting_for = waiting_for
        shown = [*waiting_for[:12], *([f"and {len(waiting_for) - 12} more"] if len(waiting_for) > 12 else [])]
        super().__init__(f"not done after {seconds:g} s, still waiting for:\n" + "\n".join(f"  {one}" for one in shown))


class ProxyRefused(ClusterError):  # noqa: N818
    """A proxy rejected the configuration that the change gave it (an xDS NACK).

    Parameters:
        proxy: POD.NAMESPACE.
        what: the type of resources, such as RDS.
        message: Envoy's error message.
    """

    def __init__(self, proxy: str, what: str, message: str) -> None:
        self.proxy, self.what, self.message = proxy, what, message
        super().__init__(f"{proxy} refused its {what}: {message}")
