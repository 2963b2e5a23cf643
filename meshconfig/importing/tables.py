"""Reads VirtualServices as route tables, one for the mesh and one for each Gateway, with their delegates merged in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from meshconfig.backend.istio import virtual_service
from meshconfig.importing.merged import Merged
from meshconfig.importing.said import NOWHERE, Unsaid, unsaid_in
from meshconfig.istio import MESH, VirtualService
from meshconfig.istio.gateways import bound_to, gateway_name
from meshconfig.istio.hosts import fqdns
from meshconfig.istio.routes import NamedRoute, RouteRef
from meshconfig.istio.types import unmodelled
from meshconfig.model import Condition, Named, Route, SetTag, StringMatch, named
from meshconfig.simulate import Index

_EVERY_PATH = (StringMatch("present"), StringMatch("prefix", "/"), StringMatch("regex", ".*"))
_NO_CONDITION = ("name", "statPrefix")  # fields of a match that ask for nothing


class Line(NamedTuple):
    """One condition of one route: a route with several is several lines, as any of its conditions will do."""

    condition: Condition
    route: Route
    ref: RouteRef


@dataclass(frozen=True, slots=True)
class Table:
    """The routes of one VirtualService for one kind of proxy.

    Parameters:
        gateway: `mesh` or `namespace/name`.
        hosts: in full and in lower case.
        listener: of a Gateway of the Gateway API, where its routes are at this listener alone.
        unsaid: what a spec cannot say of it.
    """

    resource: VirtualService
    gateway: str
    hosts: tuple[str, ...]
    lines: tuple[Line, ...]
    unsaid: tuple[Unsaid, ...] = field(default=(), compare=False)
    listener: str = ""

    @property
    def in_mesh(self) -> bool:
        return self.gateway == MESH

    def note(self, line: Line | None, why: str) -> Unsaid:
        """Why something of this table is left alone; `line` None for the table as a whole."""
        return _note(self.resource, line.ref if line else None, why)


def tables(index: Index, tag: str) -> list[Table]:
    """The tables of all VirtualServices that have hosts.

    Parameters:
        tag: the name of the tag's header.
    """
    owners = (one for one in index.resources.virtual_services if one.spec.hosts)
    return [table for one in owners for table in of_virtual_service(index, one, tag)]


def asks_for(index: Index, tag: str, value: str) -> bool:
    """Whether any route asks for this value of the tag's header, also one that a spec cannot say."""
    lines = (line for table in tables(index, tag) for line in table.lines)
    matches = (one for line in lines for name, one in (*line.condition.headers, *line.condition.absent) if name == tag)
    return any(_may_be(one, value) for one in matches)


def _may_be(match: StringMatch, value: str) -> bool:
    """Whether a value may fulfil a match that says something of it: presence alone says nothing of a new value."""
    if match.kind == "exact":
        return match.value == value
    if match.kind == "prefix":
        return value.startswith(match.value)
    return match.kind != "present"


def of_virtual_service(index: Index, one: VirtualService, tag: str) -> Iterator[Table]:
    """The tables of one VirtualService: `mesh` and its Gateways each see the matches that are meant for them."""
    routes = index.routes(one)
    hosts = tuple(dict.fromkeys(fqdns(one.spec.hosts, one.namespace)))
    for gateway in sorted(bound_to(one.spec.gateways, one.namespace)):
        found = [line for each in routes for line in _lines(each, gateway, tag)]
        merged = one if isinstance(one, Merged) else None
        unsaid = [*(merged.unsaid if merged else ()), *_whole(one), *_of_routes(one, routes)]
        for line in found:
            # What a rule of the Gateway API does instead, such as a redirect, is among what is merged.
            said = (why for why in unsaid_in(line.route, line.condition, tag) if not (merged and why == NOWHERE))
            unsaid += [_note(one, line.ref, why) for why in said]
            if gateway == MESH and any(target.tag is not None for target in line.route.targets):
                unsaid.append(_note(one, line.ref, f"between services, a spec's routes do not change the header {tag}"))
        listener = merged.listener if merged else ""
        yield Table(one, gateway, hosts, tuple(found), tuple(dict.fromkeys(unsaid)), listener)


def _whole(one: VirtualService) -> Iterator[Unsaid]:
    for name, routes in (("tcp", one.spec.tcp), ("tls", one.spec.tls)):
        if routes:
            yield Unsaid(one.locate("spec", name), str(one), f"{name} routes are not part of a spec")
    if one.spec.export_to and set(one.spec.export_to) != {"*"}:
        yield Unsaid(one.locate("spec", "exportTo"), str(one), "exportTo is not part of a spec")
    for name in unmodelled(one.spec):
        yield Unsaid(one.locate("spec", name), str(one), f"the field {name} is not part of a spec")


def _of_routes(one: VirtualService, routes: Sequence[NamedRoute]) -> Iterator[Unsaid]:
    for each in routes:
        if each.ignored is not None:
            yield _note(one, each.ref, f"not in force: {each.ignored}")


def _note(one: VirtualService, ref: RouteRef | None, why: str) -> Unsaid:
    if ref is None:
        return Unsaid(one.locate("spec"), str(one), why)
    what = one.written(ref.index) if isinstance(one, Merged) else str(ref.route)
    return Unsaid(one.locate("spec", ref.kind, ref.index), what, why)


def _lines(each: NamedRoute, gateway: str, tag: str) -> Iterator[Line]:
    if each.ignored is not None:
        return
    route = _lifted(each, tag)
    for condition in route.conditions or (Condition(),):
        wanted = condition.fields.get("gateways")
        if wanted and gateway not in {gateway_name(name, "") for name in wanted}:
            continue
        yield Line(_plain(condition), replace(route, conditions=()), each.ref)


def _lifted(each: NamedRoute, tag: str) -> Route:
    """A route as graylane reads its own: with a header of the tag's name as a change of the tag."""
    spec = each.route.model_dump(mode="json", by_alias=True, exclude_unset=True)
    http = {name: value for name, value in spec.items() if value not in (None, [], {}, "") and name != "statPrefix"}
    if (percent := http.pop("mirrorPercent", None)) is not None:
        http.setdefault("mirrorPercentage", {"value": float(percent)})
    manifest = {"metadata": {"name": "one", "namespace": "one"}, "spec": {"http": [http]}}
    (route,) = virtual_service.lift(manifest, tag).routes
    return _with_tag_of_route(route, tag)


def _with_tag_of_route(route: Route, tag: str) -> Route:
    """Moves a tag that the whole route sets to its targets, where graylane sets it."""
    headers: Mapping[str, Any] = route.fields.get("headers") or {}
    request = headers.get("request") or {}
    if set(headers) != {"request"} or set(request) != {"set"} or set(request["set"]) != {tag}:
        return route
    fields = {name: value for name, value in route.fields.items() if name != "headers"}
    targets = tuple(replace(one, tag=one.tag or SetTag(request["set"][tag])) for one in route.targets)
    return replace(route, targets=targets, fields=fields)


def _plain(condition: Condition) -> Condition:
    """A condition with header names in lower case, and without the parts that every request meets."""
    asked_for = (*_NO_CONDITION, "gateways")
    fields = {name: value for name, value in condition.fields.items() if name not in asked_for and value is not False}
    return replace(
        condition,
        path=None if condition.path in _EVERY_PATH else condition.path,
        headers=_lower(condition.headers),
        absent=_lower(condition.absent),
        fields={name: value for name, value in fields.items() if value not in (None, {}, [], "")},
    )


def _lower(matches: Named) -> Named:
    present = StringMatch("regex", "*")
    return named({name.lower(): StringMatch("present") if one == present else one for name, one in matches})
