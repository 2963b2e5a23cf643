"""Prepares a change: reads the cluster, compares it with the wanted state, and plans the steps. Writes nothing.

What is stored in the cluster may be forged by whoever may write ConfigMaps in the group's namespace. So a change
reaches another namespace only where the caller names it, by the caller's own spec or by an option.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from meshconfig.backend import UnsupportedError, backend
from meshconfig.bounded import one_line
from meshconfig.cluster import history, owned
from meshconfig.cluster.adoption import NOTHING, Adoption, take_over
from meshconfig.cluster.change.changeable import check_adoption, check_same_backend
from meshconfig.cluster.change.moving import check_movable, gone_before, leaving, plan_move
from meshconfig.cluster.change.reach import check_hosts, check_namespaces
from meshconfig.cluster.client import Client
from meshconfig.cluster.diff import ResourceDiff, differences
from meshconfig.cluster.history import Past, Revision, RevisionStatus, inventory
from meshconfig.cluster.lowering import lowering
from meshconfig.cluster.objects import BlockedError, Key, Manifest, State, state
from meshconfig.cluster.owned import Live
from meshconfig.cluster.plan import Lower, Plan, called, depths, plan
from meshconfig.cluster.plan.steps import too_large
from meshconfig.cluster.plan.why import new_addresses
from meshconfig.cluster.preflight import istio_version
from meshconfig.cluster.revision import PackedKeys, digest, document
from meshconfig.compile import compile_group, newer_problems
from meshconfig.draws import moves, refused_moves
from meshconfig.errors import ClusterError, InputError, dotted
from meshconfig.model import ISTIO_BACKEND, Model, RoutingState
from meshconfig.spec import LaneGroup
from meshconfig.spec.base import Locate

SHOWN = 3  # names in a note
NOTE = 1000  # bytes of a note
NO_KEYS = PackedKeys()
SMALL = 300  # resources of a group that are read while others read theirs; of more, those of one group at a time
CLOCKS = 2.0  # seconds of tolerance: machines' clocks differ, and the revision stores whole seconds


@dataclass(frozen=True, slots=True)
class Wanted:
    """The wanted state of a group.

    Parameters:
        action: shown by `graylane history`: `apply`, `rollback to N`, `delete`.
        gone: delete all resources of the group.
        by_rollout: the change comes from the group's rollout. While one is active, only it may change the group.
        stored: the spec is not the caller's own but was read from the cluster, so it may name no other namespace.
        restored: resources of others that the group took over, to be written again in its place.
        moves: the group comes from the other backend, and nothing else changes.
        locate: returns the file and line of a field of the spec; None for a spec from no file.
    """

    group: str
    namespace: str
    spec: LaneGroup
    action: str = "apply"
    gone: bool = False
    by_rollout: bool = False
    stored: bool = False
    restored: tuple[Manifest, ...] = ()
    moves: bool = False
    locate: Locate | None = field(default=None, compare=False, repr=False)

    @property
    def owner(self) -> str:
        return f"{self.namespace}/{self.group}"

    @property
    def model(self) -> Model:
        return compile_group(self.spec, self.locate, stored=self.stored)


class MovedUsersError(ClusterError):
    """The change would move users of a sticky split whom none of its shares moves; nothing was written."""


class OversizedError(BlockedError):
    """A resource of the group is larger than what an API server stores; nothing was written."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A planned change of one group, based on the cluster as it was read.

    `history` holds the group's revisions, oldest first. `inventory` lists what they and this change write. `elsewhere`
    lists what earlier revisions wrote in namespaces that the caller does not name; it is left alone, and remembered.
    A Prepared is kept until the change has ended, so `past` is an outline, and of `live` nothing is `unmanaged`.
    `notes` says what is stored and does not count, a sentence each. `adoption` is what is taken over from others.
    `drained`: the last change was complete when the plan was made, and the requests that ran during it had ended.
    `gone`: the routes that a move has taken away already, before it was cut off.
    """

    wanted: Wanted
    model: Model
    resources: State
    live: Live
    differences: Sequence[ResourceDiff]
    plan: Plan
    past: Past
    elsewhere: PackedKeys = NO_KEYS
    adoption: Adoption = NOTHING
    drained: bool = False
    gone: State = field(default_factory=dict)

    @property
    def computed(self) -> "Prepared":
        """This, without what the API server returned, for `prepare` to use again."""
        return replace(self, live=replace(self.live, raw={}))

    @property
    def history(self) -> Sequence[Revision]:
        return self.past.revisions

    @property
    def adopts(self) -> bool:
        """Whether the change takes over resources of others, or gives them back."""
        return bool(self.adoption.reasons or self.wanted.restored)

    @property
    def moves(self) -> bool:
        """Whether the group comes from the other backend."""
        return self.wanted.moves

    @property
    def originals(self) -> tuple[Manifest, ...]:
        """The resources of others that the group has taken over so far, as they were before."""
        if self.wanted.restored:
            return ()
        kept = self.past.last.adopted if self.past.last else ()
        return tuple({**state(kept), **state(self.adoption.originals)}.values())

    @property
    def notes(self) -> tuple[str, ...]:
        kept = newer_problems(self.wanted.spec) if self.wanted.stored else ()
        said = (f"the stored spec is applied as it is, although {dotted(path)}: {message}" for path, message in kept)
        return (*map(str, self.past.unreadable), *_left_alone(self.elsewhere.unpacked()), *said)

    @property
    def settled(self) -> bool:
        """Whether the last change was completed, or there was none."""
        return _settled(self.past)

    @property
    def remembered(self) -> bool:
        """Whether the last revision stores this spec; needed because no resource shows `workload` or `calls`."""
        last = self.past.last
        if self.wanted.gone or last is None:
            return not self.resources and (last is None or last.gone)
        return not last.gone and last.hash == digest(document(self.wanted.spec))

    @property
    def done(self) -> bool:
        """Whether nothing differs, and nothing is left to wait for or to record."""
        return self.settled and not self.differences and self.remembered

    @property
    def inventory(self) -> frozenset[Key]:
        return frozenset(self.resources) | frozenset(self.live.state) | self.elsewhere.unpacked()


def prepare(
    client: Client,
    wanted: Wanted,
    *,
    fast: bool = False,
    drain: float = 5.0,
    allowed: frozenset[str] = frozenset(),
    adopt: bool = False,
    earlier: Prepared | None = None,
) -> Prepared:
    """Read the cluster and plan the steps. Makes two API calls, and for each kind of which the group has or wants some,
    one for each name or, of more than `named.FEW`, one to three for all.

    Parameters:
        fast: skip the consistent change.
        drain: seconds after which requests that ran during the last change have ended.
        allowed: namespaces that the caller names by an option, beside the group's own and those of the caller's spec.
        adopt: take over resources of others that have a wanted name or route the group's hosts.
        earlier: the same change, prepared a moment ago. The cluster is read anew; what was computed from it is used
            again where it would be the same, which spares a large group half a second in the lock.

    Raises:
        NotOurs: a resource with the name of a wanted one belongs to others.
        NotAllowedError: what is stored has resources in another namespace, or would route hosts that are elsewhere.
        OversizedError: a resource is larger than what an API server stores.
        MovedUsersError: users would change lanes whom no share moves.
        NotAsAppliedError: a group that moves is not in the cluster as its spec says.
        ClusterError: the cluster cannot be read.
    """
    api = istio_version(client)
    if earlier and earlier.live.istio_api != api:
        earlier = None
    model = earlier.model if earlier else wanted.model
    lower = lowering(model, api)
    described = described_tables(model, lower)
    tables = _tables(wanted, model, described)
    resources = (
        earlier.resources if earlier else state(manifest for table in tables.tables for manifest in lower(table))
    )
    left = leaving(wanted.spec, model, api) if wanted.moves else {}
    named = {name.namespace for name in resources} if resources else _namespaces(described, lower)
    places = _places(wanted, named, allowed)
    with ExitStack() as turn:
        turn.enter_context(client.lists.of(wanted.group))
        past = history.read(client, wanted.namespace, wanted.group)
        found = inventory(past.revisions)
        past = past.outline
        known = frozenset(name for name in found if name.namespace in places)
        elsewhere = PackedKeys.of(found - known) if found - known else NO_KEYS
        adopts = adopt and not wanted.gone
        if not adopts and len(found) + len(resources) <= SMALL:
            turn.close()
        places_read = _to_read(wanted, resources, known)
        live = owned.read(client, wanted.group, places_read, known, {**left, **resources}, api, others=adopts)
        del found, known
        if wanted.moves:
            check_movable(wanted.spec, model, live.state, resources, left, past)
        else:
            check_same_backend(model, live.state)
        if wanted.stored:
            check_hosts(wanted.owner, resources, live.state, places)
        adoption = NOTHING
        if adopts:
            check_adoption(model)
            live, adoption = take_over(live, resources, model)
        owned.check_free(live, resources, wanted.group, adopts=not wanted.moves)
        live = replace(live, unmanaged={})
    drained = _settled(past) and not _fresh(past, drain)
    now = (live.state, adoption, drained)  # the plan depends on these and on what is wanted, and on nothing else
    if earlier and (earlier.live.state, earlier.adoption, earlier.drained) == now:
        return replace(earlier, live=live, past=past, elsewhere=elsewhere)
    adopted = adoption.reasons or tuple(f"gives back {name}" for name in resources if wanted.restored)
    if wanted.moves:
        steps = plan_move(model, tables, live.state, resources, settled=drained)
    else:
        steps = steps_to(tables, live.state, model, lower, fast=fast, settled=drained, adopted=adopted)
    steps = replace(steps, risks=(*steps.risks, *adoption.risks))
    changes = differences(live.state, resources)
    gone = gone_before(left, live.state, resources)
    return Prepared(wanted, model, resources, live, changes, steps, past, elsewhere, adoption, drained, gone)


def described_tables(model: Model, lower: Lower) -> RoutingState:
    """The tables of a model, as they are lifted from what they lower to: so those in a cluster are lifted too."""
    tables = model.routing()
    if model.backend == ISTIO_BACKEND:
        return tables
    return backend(model.backend).lift((one for table in tables.tables for one in lower(table)), model.tag)


def _transition(model: Model, before: Sequence[Manifest], after: Sequence[Manifest]) -> list[list[Manifest]]:
    try:
        return backend(model.backend).transition(before, after)
    except UnsupportedError as error:
        where = f"LaneGroup {model.namespace}/{model.group}"
        raise InputError.at(where, f"this change cannot be made in steps: {error.message}") from None


def steps_to(
    tables: RoutingState,
    live: State,
    model: Model,
    lower: Lower,
    *,
    fast: bool,
    settled: bool,
    adopted: Sequence[str] = (),
) -> Plan:
    """The plan from live resources to tables.

    Parameters:
        model: that of the wanted spec.
        fast, settled, adopted: as for `plan`.

    Raises:
        OversizedError: a resource is larger than what an API server stores.
        MovedUsersError: users would change lanes whom no share moves.
    """
    before = backend(model.backend).lift(live.values(), model.tag)
    if moved := list(refused_moves(before, tables, model.baseline)):
        raise MovedUsersError("\n".join(f"nothing was changed: {one}" for one in moved))
    steps = plan(
        before,
        tables,
        lower=lower,
        transition=partial(_transition, model),
        tag=model.tag,
        baseline=model.baseline,
        depth=depths(model),
        called=called(model),
        fast=fast,
        settled=settled,
        adopted=adopted,
    )
    if steps.steps:
        reasons = (*steps.reasons, *moves(before, tables, model.baseline))
        wanted = state(one for table in tables.gateways.values() for one in lower(table))
        steps = replace(steps, reasons=reasons, risks=(*steps.risks, *new_addresses(live, wanted)))
    if large := next(too_large(steps.steps), None):
        said = f"nothing was changed: the spec makes {large}: spread the routes over several entries"
        raise OversizedError(said, {large.key: f"with it the spec makes {large}"})
    return steps


def _tables(wanted: Wanted, model: Model, described: RoutingState) -> RoutingState:
    """The tables that are to be there: the spec's, those of restored resources, or none."""
    if wanted.restored:
        return backend(model.backend).lift(wanted.restored, model.tag)
    return RoutingState() if wanted.gone else described


def _namespaces(described: RoutingState, lower: Lower) -> set[str]:
    """The namespaces of what a spec renders to."""
    return {manifest["metadata"]["namespace"] for table in described.tables for manifest in lower(table)}


def _places(wanted: Wanted, named: set[str], allowed: frozenset[str]) -> set[str]:
    """The namespaces in which the caller lets this change write.

    Parameters:
        named: the namespaces of what the spec renders to.

    Raises:
        NotAllowedError: the spec is a stored one, and names another namespace.
    """
    places = {wanted.namespace, *allowed}
    if not wanted.stored:
        return places | named
    check_namespaces(wanted.owner, named, places)
    return places


def _to_read(wanted: Wanted, resources: State, known: Iterable[Key]) -> set[str]:
    return {wanted.namespace, *(name.namespace for name in resources), *(name.namespace for name in known)}


def _left_alone(elsewhere: Iterable[Key]) -> Iterator[str]:
    for namespace in sorted({name.namespace for name in elsewhere}):
        names = [f"{name.kind} {name.name}" for name in sorted(elsewhere) if name.namespace == namespace]
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        yield one_line(
            f"an earlier revision lists resources in namespace {namespace}, which the spec does not name: {shown}; "
            f"they are left alone; if they are the group's, --allow-namespace {namespace} deletes them",
            NOTE,
        )


def _settled(past: Past) -> bool:
    return past.damaged is None and (past.last is None or past.last.outcome is RevisionStatus.SUCCEEDED)


def _fresh(past: Past, drain: float) -> bool:
    """Whether the last change ended so recently that requests from before it may still run."""
    ended = past.last.ended if past.last else None
    return ended is not None and abs((datetime.now(UTC) - ended).total_seconds()) < drain + CLOCKS
