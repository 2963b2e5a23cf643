"""The order in which several HTTPRoutes of a host change, so that each request is decided by the old rules or the new.

The API server writes one resource at a time, and istiod sees the writes of a kind in their order. Of all rules that
hold, the one that asks for most decides. So where new rules come beside the old ones, those that ask for most come
first: a request goes by the old rules until its own new rule is there, because no new one that is there fits it. And
where old rules go, those that ask for least go first: a request goes by its own old rule until that is gone, and then
no older one that is left fits it.

An HTTPRoute that has other rules before and after could not do both at once. Its new rules stand in one more HTTPRoute
meanwhile, which is deleted at the end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from meshconfig.backend.gateway.lifting import ROUTES, part_of
from meshconfig.backend.gateway.matches import Rank
from meshconfig.backend.gateway.names import part_name
from meshconfig.backend.gateway.ranks import ranks
from meshconfig.backend.manifest import Manifest
from meshconfig.backend.refused import UnsupportedError
from meshconfig.model import Name

Parts = Mapping[str, Manifest]  # the HTTPRoutes of one table, by name


def transition(before: Sequence[Manifest], after: Sequence[Manifest]) -> list[list[Manifest]]:
    """The writes that lead from resources of one table to others, in waves. What is left over afterwards is deleted.

    Parameters:
        before: the resources in the cluster.
        after: those that are wanted; if it has no routes, all of them are to be deleted.

    Raises:
        UnsupportedError: routes change between HTTP and gRPC, whose rules Istio does not merge.
    """
    old, new = _routes(before), _routes(after)
    others = [one for one in after if one["kind"] not in ROUTES and one not in before]
    if len({one["kind"] for one in (*old.values(), *new.values())}) > 1:
        message = (
            "requests would be without a route while it changes: delete the group's routes first, or take a new host"
        )
        raise UnsupportedError(None, f"a protocol between http and grpc: {message}")
    if not new and len(old) > 1:
        new = _to_every_pod(old)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    first = [others] if others else []
    if len(changed) < 2:
        return [*first, *([new[name]] for name in changed if name in new)]
    return [*first, *([one] for one in _merged([*_grown(old, new, changed), *_shrunk(old, new, changed)]))]


def _routes(manifests: Iterable[Manifest]) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] in ROUTES}


def _grown(old: Parts, new: Parts, changed: Iterable[str]) -> Iterator[Manifest]:
    """The new rules, those that ask for most first, each HTTPRoute under a name that is free."""
    growing: list[Manifest] = []
    names = _free_names({**old, **new})
    for one in (new[name] for name in changed if name in new):
        there = one["metadata"]["name"] in old
        growing.append({**one, "metadata": {**one["metadata"], "name": next(names)}} if there else one)
    for rank in sorted({rank for one in growing for rank in _ranks(one)}, reverse=True):
        for one in growing:
            if rank in _ranks(one):
                yield _cut(one, lambda other, least=rank: other >= least)


def _shrunk(old: Parts, new: Parts, changed: Sequence[str]) -> Iterator[Manifest]:
    """The old rules, without those that ask for least first; at last each HTTPRoute has new rules."""
    shrinking = [old[name] for name in changed if name in old]
    some = next(iter(new.values()))
    for rank in sorted({rank for one in shrinking for rank in _ranks(one)}):
        for one in shrinking:
            if rank not in _ranks(one):
                continue
            name = one["metadata"]["name"]
            if rank < max(_ranks(one)):
                yield _cut(one, lambda other, least=rank: other > least)
            else:
                yield new.get(name) or {**one, "spec": some["spec"]}


def _merged(writes: Sequence[Manifest]) -> Iterator[Manifest]:
    """The writes without those that the next one overwrites."""
    for one, later in zip(writes, [*writes[1:], None], strict=True):
        if later is None or later["metadata"]["name"] != one["metadata"]["name"]:
            yield one


def _ranks(one: Manifest) -> set[Rank]:
    return {rank for rule in one["spec"].get("rules") or () for rank in ranks(rule, one["kind"])}


def _cut(one: Manifest, keep: Any) -> Manifest:
    """An HTTPRoute with those matches whose rank is to be kept."""
    rules: list[Manifest] = []
    for rule in one["spec"].get("rules") or ():
        kept = [number for number, rank in enumerate(ranks(rule, one["kind"])) if keep(rank)]
        matches = rule.get("matches") or ()
        if kept:
            rules.append({**rule, "matches": [matches[number] for number in kept]} if matches else rule)
    return {**one, "spec": {**one["spec"], "rules": rules}}


def _free_names(taken: Mapping[str, Manifest]) -> Iterator[str]:
    """Names for more parts of the same table."""
    one = next(iter(taken.values()))
    base, _ = part_of(Name(one["metadata"]["namespace"], one["metadata"]["name"]))
    numbers = [part_of(Name(base.namespace, name))[1] for name in taken]
    number = max(numbers)
    while True:
        yield part_name(base, number).name
        number += 1


def _to_every_pod(old: Parts) -> dict[str, Manifest]:
    """One HTTPRoute that does what Istio does without any: it leads to all Pods of the Service.

    Of a host outside, all requests go as those do that no other rule takes: without the tag.
    """
    name, one = min(old.items())
    parent = one["spec"]["parentRefs"][0]
    every = [{"path": {"type": "PathPrefix", "value": "/"}}]
    if parent.get("kind") == "ServiceEntry":
        rules = [rule for each in old.values() for rule in each["spec"]["rules"]]
        last = min(rules, key=lambda rule: min(ranks(rule, one["kind"])))
        return {name: {**one, "spec": {**one["spec"], "rules": [{**last, "matches": every}]}}}
    if parent.get("kind") != "Service":
        return {name: {**one, "spec": {**one["spec"], "rules": one["spec"]["rules"][-1:]}}}
    backend = {"name": parent["name"], **({"port": parent["port"]} if parent.get("port") else {})}
    rule = {"name": "default", "backendRefs": [backend]}
    if one["kind"] == "HTTPRoute":
        rule["matches"] = every
    return {name: {**one, "spec": {**one["spec"], "rules": [rule]}}}
