"""A move of a live group to the other backend: what the group has there now, whether it can move, and the plan.

A move changes nothing else. So the group is in the cluster as its spec says, or a move with this spec was cut off.
"""

from collections.abc import Iterator

from meshconfig.cluster.change.changeable import place
from meshconfig.cluster.diff import differences
from meshconfig.cluster.history import Past
from meshconfig.cluster.lowering import lowering
from meshconfig.cluster.objects import Key, State, state
from meshconfig.cluster.plan import Plan
from meshconfig.cluster.plan.move import BACKENDS, ROUTES, move, other, serving_both
from meshconfig.cluster.plan.subsets import new_subsets
from meshconfig.cluster.revision import Revision, digest, document
from meshconfig.compile import compile_group
from meshconfig.errors import ClusterError, InputError, Problem, dotted
from meshconfig.load import FieldPath
from meshconfig.model import Model, Name, RoutingState
from meshconfig.render import IstioApi
from meshconfig.spec import LaneGroup

SHOWN = 3  # differences in a message
OWN = (
    "a Gateway that graylane makes has other Pods and another address in each backend, so that clients would have to "
    "change over: first change the entry to a Gateway that both APIs have in front of the same Pods, "
    "gateway: {use: NAMESPACE/NAME}, and apply"
)
SEVERAL = (
    "has more routes than one HTTPRoute takes, and several come and go one by one, each alone in force for a moment: "
    "move with fewer lanes or rules, or take the group away first: graylane delete -f FILE"
)


class NotAsAppliedError(ClusterError):
    """The group in the cluster is not what the spec says, so that a move would change more than its backend.

    Parameters:
        found: what is in the cluster, and how it differs.
        advice: what to do.
    """

    def __init__(self, found: str, advice: str) -> None:
        self.found = found
        super().__init__(f"nothing was changed: {found}: {advice}")


def leaving(spec: LaneGroup, model: Model, api: IstioApi) -> State:
    """What a group has in the cluster before a move, all of it.

    Parameters:
        spec: with the backend that the group moves to.
        model: what it compiles to.

    Raises:
        InputError: the backend that it leaves cannot express the spec.
    """
    before = compile_group(spec.of_backend(other(model.backend)), model.locate)
    lower = lowering(before, api)
    return state(one for table in before.routing().tables for one in lower(table))


def gone_before(left: State, live: State, wanted: State) -> State:
    """The routes that an earlier, cut-off move has taken away.

    Parameters:
        left: what the group has before a move, all of it.
    """
    return {name: one for name, one in left.items() if name.kind in ROUTES and name not in live and name not in wanted}


def plan_move(model: Model, tables: RoutingState, live: State, wanted: State, *, settled: bool) -> Plan:
    """The plan of a move.

    Parameters:
        model: that of the backend to move to; `tables` are its tables, and `wanted` is what they lower to.
        live: the group's resources.
    """
    subsets = new_subsets(RoutingState(), tables.route_tables, tables.subsets)
    return move(live, wanted, to=model.backend, subsets=subsets, settled=settled)


def check_movable(spec: LaneGroup, model: Model, live: State, wanted: State, left: State, past: Past) -> None:
    """Checks that a group can move without losing a request.

    Parameters:
        spec, model: those of the backend to move to.
        live: the group's resources in the cluster.
        wanted: the resources of the backend to move to, all of them.
        left: those of the backend that it leaves, all of them.

    Raises:
        InputError: a field of the spec is in the way; each with its line and what to do.
        NotAsAppliedError: the group is not in the cluster as the spec says.
    """
    if live == wanted:
        return
    found = [*_in_several(model, {**left, **wanted}), *_own_gateways(model)]
    found += _same_names(wanted, left) if not found else ()
    if found:
        raise InputError(sorted({Problem(place(model, path), dotted(path), why) for path, why in found}))
    begun = _has_any_of(live, wanted, left)
    if begun and past.last and not _is_of(past.last, spec):
        raise _other_spec(model, past.last.number)
    if begun and not _has_any_of(live, left, wanted):
        raise _moved_already(model)
    if not begun and live != left:
        raise _not_as_applied(model, live, left)


def _in_several(model: Model, resources: State) -> Iterator[tuple[FieldPath, str]]:
    """Hosts whose routes are several HTTPRoutes."""

    def is_one_of_several(name: Name) -> bool:
        return any(Key(kind, name.namespace, f"{name.name}.2") in resources for kind in ROUTES)

    for service in model.services:
        if any(is_one_of_several(one.name) for one in service.mesh_tables):
            yield ("spec", "services", service.name), SEVERAL
    for number, entry in enumerate(model.entries):
        if any(is_one_of_several(one.name) for one in entry.route_tables):
            yield ("spec", "entries", number), SEVERAL


def _own_gateways(model: Model) -> Iterator[tuple[FieldPath, str]]:
    return ((("spec", "entries", number, "gateway"), OWN) for number, one in enumerate(model.entries) if one.own)


def _has_any_of(live: State, these: State, those: State) -> bool:
    """Whether a group has something of one backend that the other one has not, or has in another way."""
    return any(name in these and (name not in those or one == these[name] != those[name]) for name, one in live.items())


def _same_names(wanted: State, left: State) -> Iterator[tuple[FieldPath, str]]:
    """Resources of both backends that have one name, and of which none serves the routes of both."""
    for name, one in wanted.items():
        had = left.get(name, one)
        if had != one and serving_both(had, one) != had and serving_both(one, had) != one:
            yield ("spec", "services"), f"both backends would write {name}, each in another way: rename the service"


def _is_of(last: Revision, spec: LaneGroup) -> bool:
    """Whether a revision has this spec, of whichever backend; it may not have named the default one."""
    value = spec.model_dump(by_alias=True, exclude_unset=True)
    del value["spec"]["backend"]
    each = (*map(spec.of_backend, BACKENDS), LaneGroup.model_validate(value))
    return last.hash in {digest(document(one)) for one in each}


def _moved_already(model: Model) -> NotAsAppliedError:
    group, to = f"group {model.namespace}/{model.group}", model.backend
    return NotAsAppliedError(
        f"{group} is of backend {to} in the cluster, and not as the spec says",
        f"write backend: {to}, and graylane apply -f FILE",
    )


def _other_spec(model: Model, number: int) -> NotAsAppliedError:
    group = f"{model.namespace}/{model.group}"
    show = f"graylane history {model.group} -n {model.namespace} --show {number}"
    return NotAsAppliedError(
        f"group {group} is of backend {model.backend} in the cluster already, wholly or in part, by another spec than "
        "this",
        f"move with that one, which {show} prints; or, if it has moved, write backend: {model.backend}, and "
        "graylane apply -f FILE",
    )


def _not_as_applied(model: Model, live: State, left: State) -> NotAsAppliedError:
    group, to = f"group {model.namespace}/{model.group}", model.backend
    if not live:
        return NotAsAppliedError(f"{group} is not in the cluster", f"write backend: {to}, and graylane apply -f FILE")
    found = [str(one) for one in differences(live, left)]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return NotAsAppliedError(
        f"{group} is not in the cluster as the spec says ({', '.join(found[:SHOWN])}{more}), and a move changes "
        "nothing but the backend",
        f"first, with backend: {other(to)}, graylane apply -f FILE",
    )
