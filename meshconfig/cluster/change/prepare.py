"""Prepares a change: reads the cluster, compares it with the wanted state, and plans the steps. Writes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from meshconfig.backend import backend
from meshconfig.cluster import owned
from meshconfig.cluster.client import Client
from meshconfig.cluster.diff import ResourceDiff, differences
from meshconfig.cluster.history import Revision, RevisionStatus, inventory, revisions
from meshconfig.cluster.objects import Key, State, state
from meshconfig.cluster.owned import Live
from meshconfig.cluster.plan import Plan, called, depths, plan
from meshconfig.cluster.preflight import istio_version
from meshconfig.cluster.revision import digest, document
from meshconfig.compile import compile_group
from meshconfig.model import Model, RoutingState
from meshconfig.render import owner
from meshconfig.spec import LaneGroup

CLOCKS = 2.0  # seconds of tolerance: machines' clocks differ, and the revision stores whole seconds


@dataclass(frozen=True, slots=True)
class Wanted:
    """The wanted state of a group.

    Parameters:
        action: shown by `graylane history`: `apply`, `rollback to N`, `delete`.
        gone: delete all resources of the group.
        by_rollout: the change comes from the group's rollout. While one is active, only it may change the group.
    """

    group: str
    namespace: str
    spec: LaneGroup
    action: str = "apply"
    gone: bool = False
    by_rollout: bool = False

    @property
    def model(self) -> Model:
        return compile_group(self.spec)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A planned change of one group, based on the cluster as it was read.

    `history` holds the group's revisions, oldest first. `inventory` lists what they and this change write.
    """

    wanted: Wanted
    model: Model
    resources: State
    live: Live
    differences: Sequence[ResourceDiff]
    plan: Plan
    history: Sequence[Revision]

    @property
    def settled(self) -> bool:
        """Whether the last change was completed, or there was none."""
        return _settled(self.history)

    @property
    def remembered(self) -> bool:
        """Whether the last revision stores this spec; needed because no resource shows `workload` or `calls`."""
        last = self.history[-1] if self.history else None
        if self.wanted.gone or last is None:
            return not self.resources and (last is None or last.gone)
        return not last.gone and last.hash == digest(document(self.wanted.spec))

    @property
    def done(self) -> bool:
        """Whether nothing differs, and nothing is left to wait for or to record."""
        return self.settled and not self.differences and self.remembered

    @property
    def inventory(self) -> frozenset[Key]:
        return frozenset(self.resources) | frozenset(self.live.state)


def prepare(client: Client, wanted: Wanted, *, fast: bool = False, drain: float = 5.0) -> Prepared:
    """Read the cluster and plan the steps. Makes at most six API calls for a group in one namespace.

    Parameters:
        fast: skip the consistent change.
        drain: seconds after which requests that ran during the last change have ended.

    Raises:
        NotOurs: a resource with the name of a wanted one belongs to others.
        ClusterError: the cluster cannot be read.
    """
    model = wanted.model
    api = istio_version(client)
    tables = RoutingState() if wanted.gone else model.routing()
    lower = partial(backend().lower, owner=owner(model, api))
    resources = state(manifest for table in tables.tables for manifest in lower(table))
    past = revisions(client, wanted.namespace, wanted.group)
    known = inventory(past)
    live = owned.read(client, wanted.group, _namespaces(wanted, resources, known), known, resources, api)
    owned.check_free(live, resources, wanted.group)
    steps = plan(
        backend().lift(live.state.values(), model.tag),
        tables,
        lower=lower,
        tag=model.tag,
        baseline=model.baseline,
        depth=depths(model),
        called=called(model),
        fast=fast,
        settled=_settled(past) and not _fresh(past, drain),
    )
    return Prepared(wanted, model, resources, live, differences(live.state, resources), steps, past)


def _namespaces(wanted: Wanted, resources: State, known: Iterable[Key]) -> set[str]:
    return {wanted.namespace, *(name.namespace for name in resources), *(name.namespace for name in known)}


def _settled(past: Sequence[Revision]) -> bool:
    return not past or past[-1].outcome is RevisionStatus.SUCCEEDED


def _fresh(past: Sequence[Revision], drain: float) -> bool:
    """Whether the last change ended so recently that requests from before it may still run."""
    ended = past[-1].ended if past else None
    return ended is not None and abs((datetime.now(UTC) - ended).total_seconds()) < drain + CLOCKS
