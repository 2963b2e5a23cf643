"""A generation: the wanted routes under tags of their own (`gray.next`), so that old and new can stand side by side.

During such a change, entries set a tag on untagged requests as well: `prod.next-default`. Services that read the tag
take the part before the dot, the baseline. No lane's route asks for this tag, so rules and weights route the requests
as they do without a tag.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from meshconfig.cluster.plan.subsets import SubsetName, renamed
from meshconfig.cluster.plan.tags import asked, asked_values, holds, set_values, takes_everything, without_tag
from meshconfig.model import Condition, IstioFields, Route, RouteTable, RoutingState, SetTag, StringMatch, Target, named

NAME = "next"
_USED = re.compile(rf"\.({NAME}\d*)(?![A-Za-z0-9])")
_ITS_TAGS = re.compile(rf"\.\+\\\.{NAME}\d*\(-default\)\?")  # matches the regex of `Generation.any_tag`


def next_generation(live: RoutingState, tag: str) -> str:
    """The first of next, next2, next3, … that live routes do not use; an interrupted change may have left one."""
    used = {route.id.generation for table in live.route_tables for route in table.routes}
    for table in live.route_tables:
        tags = (*(match.value for match in asked_values(table.routes, tag)), *set_values(table.routes, tag))
        used |= {name for one in tags for name in _USED.findall(one)}
    number = 1
    while (name := NAME if number == 1 else f"{NAME}{number}") in used:
        number += 1
    return name


def is_of_generation(route: Route, tag: str) -> bool:
    """Whether the route takes only requests with a tag of a generation."""
    matches = [asked(condition.headers, tag) for condition in route.conditions]
    return bool(matches) and all(one is not None and _of_generation(one) for one in matches)


def _of_generation(match: StringMatch) -> bool:
    if match.kind == "regex":
        return bool(_ITS_TAGS.fullmatch(match.value))
    return match.kind == "exact" and bool(_USED.search(match.value))


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of tags.

    Parameters:
        name: the part of the tag behind the dot.
        tag: the name of the tag's header.
        baseline: the lane of requests without a tag.
        lanes: the tags that the wanted routes ask for or the wanted entries set.
        names: the temporary names of subsets during the change.
    """

    name: str
    tag: str
    baseline: str
    lanes: frozenset[str]
    names: Mapping[SubsetName, str]

    @property
    def untagged(self) -> str:
        """The tag of untagged requests in this generation."""
        return f"{self.baseline}.{self.name}-default"

    @property
    def any_tag(self) -> StringMatch:
        """A match on every tag of this generation."""
        return StringMatch("regex", rf".+\.{self.name}(-default)?")

    def of(self, lane: str) -> str:
        """The lane's tag in this generation."""
        return f"{lane}.{self.name}"

    def mesh(self, table: RouteTable) -> tuple[Route, ...]:
        """The table's routes for tags of this generation. `gray.next` gets what `gray` gets from the table itself."""
        taken: set[str] = set()
        routes: list[Route] = []
        for route in table.routes:
            if conditions := self._conditions(route, taken):
                identity = route.id._replace(generation=self.name)
                routes.append(self._settled(replace(route, id=identity, conditions=conditions)))
                taken.update(lane for lane in self.lanes if self._only(lane) in conditions)
            if takes_everything(route):
                break  # this route takes every request, so no request reaches the routes behind it
        return tuple(renamed(route, self.names) for route in routes)

    def _only(self, lane: str) -> Condition:
        return Condition(headers=((self.tag, StringMatch("exact", self.of(lane))),))

    def _conditions(self, route: Route, taken: Iterable[str]) -> tuple[Condition, ...]:
        """The route's conditions for tags of this generation.

        Parameters:
            taken: the lanes whose requests an earlier route has taken completely.
        """
        found: dict[int, Condition] = {}
        for condition in route.conditions or (Condition(),):
            for one in self._of_condition(condition, taken):
                if one not in found.values():
                    found[len(found)] = one
        return tuple(found.values())

    def _of_condition(self, condition: Condition, taken: Iterable[str]) -> Iterator[Condition]:
        if asked(condition.absent, self.tag) is not None:
            return  # the condition is for requests without the tag, and all requests of a generation have one
        match = asked(condition.headers, self.tag)
        if match is None:
            yield self._asking(condition, self.any_tag)
            return
        for lane in sorted(self.lanes.difference(taken)):
            if holds(match, lane):
                yield self._asking(condition, StringMatch("exact", self.of(lane)))

    def _asking(self, condition: Condition, match: StringMatch) -> Condition:
        rest = without_tag(condition, self.tag)
        return replace(rest, headers=named({self.tag: match, **dict(rest.headers)}))

    def entry(self, table: RouteTable) -> RouteTable:
        """The entry's table with tags of this generation in place of the plain ones; untagged requests get one too."""
        return replace(table, routes=tuple(self._entering(route) for route in table.routes))

    def _entering(self, route: Route) -> Route:
        if not route.targets:
            return renamed(route, self.names)
        targets = tuple(self._tagged(target) for target in route.targets)
        return renamed(replace(route, targets=targets, fields=self._in_fields(route.fields)), self.names)

    def _settled(self, route: Route) -> Route:
        """The route, with tags of this generation where it sets tags."""
        targets = tuple(
            replace(one, tag=SetTag(self.of(one.tag.value))) if isinstance(one.tag, SetTag) else one
            for one in route.targets
        )
        return replace(route, targets=targets, fields=self._in_fields(route.fields))

    def _tagged(self, target: Target) -> Target:
        lane = target.tag.value if isinstance(target.tag, SetTag) else None
        return replace(target, tag=SetTag(self.untagged if lane is None else self.of(lane)))

    def _in_fields(self, fields: IstioFields) -> IstioFields:
        """A policy's fields, with a tag of this generation where the policy itself sets the tag's header."""
        headers: dict[str, Any] = fields.get("headers") or {}
        request: dict[str, Any] = headers.get("request") or {}
        given = request.get("set") or {}
        if self.tag not in given:
            return fields
        changed = {**request, "set": {**given, self.tag: self.of(given[self.tag])}}
        return {**fields, "headers": {**headers, "request": changed}}
