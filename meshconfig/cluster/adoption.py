"""What `graylane apply --adopt` takes over: resources with the group's names, and others that route its hosts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from meshconfig.backend.kinds import ADOPTABLE, ROUTING, kind_of
from meshconfig.cluster.fields import managed_part
from meshconfig.cluster.objects import CONTENT, Key, Manifest, State
from meshconfig.cluster.owned import Live, NotOurs, label
from meshconfig.importing import asks_for, compare, in_place, replaced, tables
from meshconfig.istio import MESH, Resource, Resources, fqdn
from meshconfig.model import Model
from meshconfig.simulate import Decision, Index

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SHOWN = 5  # differences that a plan lists
_KINDS = frozenset(kind.name for kind in ROUTING)
_ADOPTABLE = frozenset(kind.name for kind in ADOPTABLE)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is taken over.

    Parameters:
        originals: the resources as they were, to go back to.
        reasons: what happens to each, for people.
        risks: requests that are answered in another way afterwards, for people.
    """

    originals: tuple[Manifest, ...] = ()
    reasons: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()


NOTHING = Adoption()


def take_over(live: Live, wanted: State, model: Model) -> tuple[Live, Adoption]:
    """The resources of a group with those that it takes over counted among them.

    Raises:
        NotOurs: a resource of others would stay and keep the group's routes from taking effect.
    """
    found = {name: one for name, one in live.unmanaged.items() if name.kind in _ADOPTABLE and label(one) is None}
    resources = _resources((*live.raw.values(), *found.values()))
    index = Index(resources)
    going = [one for one in replaced(index, model) if _key(one) in found and _key(one) not in wanted]
    named = [name for name in found if name in wanted]
    taken = [*named, *map(_key, going)]
    if not taken:
        return live, NOTHING
    _check(index, model, taken, wanted)
    raw = {name: found[name] for name in taken}
    state = {name: managed_part(one, wanted.get(name)) for name, one in raw.items()}
    others = {name: one for name, one in live.unmanaged.items() if name not in raw}
    reasons = [f"takes over {name}, which has a name of the group's" for name in named]
    reasons += [f"replaces {_key(one)}, which routes hosts of the group" for one in going]
    adopted = Adoption(tuple(map(original, raw.values())), tuple(reasons), tuple(_risks(resources, model, taken)))
    return replace(live, state={**live.state, **state}, raw={**live.raw, **raw}, unmanaged=others), adopted


def original(one: Manifest) -> Manifest:
    """A resource as it can be written again: without what the API server adds to it."""
    metadata = one["metadata"]
    notes = {name: value for name, value in (metadata.get("annotations") or {}).items() if name != LAST_APPLIED}
    return {
        "apiVersion": one["apiVersion"],
        "kind": one["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": dict(metadata.get("labels") or {}),
            **({"annotations": notes} if notes else {}),
        },
        **({name: one[name] for name in CONTENT if name in one} or {"spec": {}}),
    }


def _resources(manifests: Iterable[Manifest]) -> Resources:
    return Resources.parse((one for one in manifests if kind_of(one) in _KINDS), keep_unreadable=True)


def _key(one: Resource[Any]) -> Key:
    return Key(one.kind, one.namespace, one.name)


def _check(index: Index, model: Model, taken: Iterable[Key], wanted: State) -> None:
    """Check that what stays does not stand in the way of the group's routes and subsets.

    Raises:
        NotOurs: it does; a line for each such resource.
    """
    going, hosts = {*taken, *wanted}, {one.host for one in model.services}
    lines = []
    for table in tables(index, model.tag):
        if table.gateway == MESH and _key(table.resource) not in going and (shared := hosts & set(table.hosts)):
            why = "; ".join(dict.fromkeys(one.why for one in table.unsaid)) or "it routes hosts of others too"
            lines.append(f"  {_key(table.resource)} routes {min(shared)} and would stay: {why}")
    lines += _other_subsets(index, model, going - wanted.keys())
    if lines:
        raise NotOurs("\n".join(["nothing was changed; sidecars would use these and not the group's:", *lines]))


def _other_subsets(index: Index, model: Model, going: Iterable[Key]) -> Iterator[str]:
    """Subsets of a DestinationRule that goes, whose Pods are others than those of the version of this name."""
    tables_of = {table.host: table.by_name for one in model.services for table in one.subset_tables}
    gone = frozenset(going)
    for rule in index.resources.destination_rules:
        own = tables_of.get(fqdn(rule.spec.host, rule.namespace), {})
        for subset in rule.spec.subsets if _key(rule) in gone else ():
            if subset.name in own and dict(own[subset.name].labels) != dict(subset.labels):
                yield f"  {_key(rule)} has a subset {subset.name} with other labels than the version of this name"


def _risks(resources: Resources, model: Model, taken: Iterable[Key]) -> Iterator[str]:
    names = frozenset(taken)
    every = (*resources.virtual_services, *resources.destination_rules, *resources.gateways)
    after = in_place(resources, model, [one for one in every if _key(one) in names])
    lanes = sorted({route.id.key for one in model.services for route in one.routes if route.id.kind == "lane"})
    before = Index(resources)
    new = None if asks_for(before, model.tag, model.baseline) else model.baseline
    found = compare(before, Index(after), model.tag, lanes, new).wrong
    for one in found[:SHOWN]:
        asked = f"{one.request.method} {one.request.host}{one.request.path} {one.sent}"
        yield f"{asked} is answered in another way: {_said(one.before)} before, {_said(one.after)} after"
    if len(found) > SHOWN:
        yield f"{len(found) - SHOWN} more kinds of requests are answered in another way; `graylane import` lists them"


def _said(decision: Decision) -> str:
    return " or ".join(str(one.outcome) for one in decision.shares)
