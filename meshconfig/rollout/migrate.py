"""Takes over rollouts that earlier releases kept in ConfigMaps: the spec into an object, the state into its status.

The ConfigMap goes last, so that what was cut off can be repeated. Until its state is written an object has an
annotation, by which no controller begins it anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from meshconfig.bounded import decode, unpack
from meshconfig.cluster import rollout_config_maps, rollouts
from meshconfig.cluster.client import Client
from meshconfig.cluster.lock import Lock
from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import path
from meshconfig.errors import ClusterError, Location
from meshconfig.rollout import store
from meshconfig.rollout.state import Phase, State, recent
from meshconfig.spec.base import validate
from meshconfig.spec.group import LaneGroup


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one rollout. `wrong` says why it was not taken over; its ConfigMap is as it was."""

    name: str
    done: str = ""
    wrong: str = ""


def migrate(client: Client, namespace: str, *, dry_run: bool = False) -> Iterator[Taken]:
    """Takes over the rollouts of a namespace, or of all namespaces if it is empty, one after the other.

    Raises:
        ClusterError: a program of an earlier release drives them still.
    """
    found = sorted(rollout_config_maps.names(client, namespace), key=lambda one: (one.namespace, one.name))
    for place, names in groupby(found, key=lambda one: one.namespace):
        if dry_run:
            yield from (_taken(client, one, dry_run=True) for one in names)
            continue
        writer = client.session()
        # The earlier program works under this Lease. While it is held here, nobody else writes the ConfigMaps' states.
        with Lock(writer, place, rollout_config_maps.LEASE):
            yield from (_taken(writer, one, dry_run=False) for one in names)


def _taken(client: Client, config_map: Key, *, dry_run: bool) -> Taken:
    name = f"rollout {config_map.namespace}/{config_map.name.removeprefix(rollout_config_maps.PREFIX)}"
    try:
        state = _take_over(client, config_map, dry_run=dry_run)
    except ClusterError as error:
        return Taken(name, wrong=str(error))
    if state is None:
        return Taken(name, wrong="its ConfigMap is gone")
    return Taken(name, f"{'would be' if dry_run else 'is'} taken over: {state.phase}, {state.stage}")


def _take_over(client: Client, config_map: Key, *, dry_run: bool) -> State | None:
    manifest = client.get(path(config_map))
    if manifest is None:
        return None
    stored = rollout_config_maps.parse({**manifest, "kind": config_map.kind})
    state = State.from_json(recent(stored.state))
    if dry_run:
        return state
    there = rollouts.bare(client, stored.namespace, stored.name)
    if there is None or not there.state:
        _write(client, stored, state)
    elif State.from_json(recent(there.state)).begun < state.begun:
        raise ClusterError(f"there is an older {there.key} of this name: delete that, and repeat")
    client.delete(config_map)
    return state


def _write(client: Client, stored: rollout_config_maps.Stored, state: State) -> None:
    spec = state.rollout.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    annotations = {rollouts.MIGRATED: f"{stored.key.kind.lower()}/{stored.key.name}"}
    applied = rollouts.apply(client, rollouts.manifest(stored.namespace, stored.name, spec, annotations))
    # Earlier releases knew no LaneGroup objects: what has succeeded lies over none.
    done = state.phase is Phase.SUCCEEDED
    state = state.model_copy(update={"spec_generation": applied.generation, "done": done})
    before = store.Record(applied, state)
    store.save(client, before, state, _base(stored))


def _base(stored: rollout_config_maps.Stored) -> LaneGroup | None:
    where = Location(str(stored.key))
    return validate(LaneGroup, decode(unpack(stored.packed)), lambda path: where) if stored.packed else None
