"""A generation: the wanted routes under tags of their own (`gray.next`), so that old and new can stand side by side.

During such a change, entries set a tag on untagged requests as well: `prod.next-default`. Services that read the tag
take the part before the dot, the baseline. No lane's route asks for this tag, so rules and weights route the requests
as they do without a tag.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from meshconfig import baggage
from meshconfig.cluster.plan.subsets import SubsetName, renamed
from meshconfig.cluster.plan.tags import (
    asked,
    asked_in_baggage,
    asked_values,
    holds,
    set_values,
    takes_everything,
    without_tag,
)
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
    """Whether the route takes only requests with a tag of a generation.

    A condition on baggage always has one on the header beside it.
    """
    plain = [condition for condition in route.conditions if asked_in_baggage(condition, tag) is None]
    matches = [asked(condition.headers, tag) for condition in plain]
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
        in_baggage: routes also ask for the tag in W3C baggage if its header is absent, before or after the change.
    """

    name: str
    tag: str
    baseline: str
    lanes: frozenset[str]
    names: Mapping[SubsetName, str]
    in_baggage: bool = False

    @property
    def untagged(self) -> str:
        """The tag of untagged requests in this generation."""
        return f"{self.baseline}.{self.name}-default"

    @property
    def any_tag(self) -> StringMatch:
        """A match on every tag of this generation."""
        return StringMatch("regex", rf".+\.{self.name}(-default)?")

    @property
    def any_member(self) -> StringMatch:
        """The same in a member of baggage."""
        return StringMatch("regex", baggage.matching(self.tag, rf"[^,;]+\.{self.name}(-default)?"))

    def of(self, lane: str) -> str:
        """The lane's tag in this generation."""
        return f"{lane}.{self.name}"

    def mesh(self, table: RouteTable) -> tuple[Route, ...]:
        """The table's routes for tags of this generation. `gray.next` gets what `gray` gets from the table itself.

        Two routes of the table may ask for the same here: one for a lane's tag, and one for any tag. The first takes
        these requests, so the second does not ask for them again.
        """
        taken: set[str] = set()
        taken_in_baggage: set[str] = set()
        earlier: set[Condition] = set()
        routes: list[Route] = []
        for route in table.routes:
            conditions = tuple(one for one in self._conditions(route, taken, taken_in_baggage) if one not in earlier)
            if conditions:
                identity = route.id._replace(generation=self.name)
                routes.append(self._settled(replace(route, id=identity, conditions=conditions)))
                earlier.update(conditions)
                taken.update(lane for lane in self.lanes if self._only(lane) in conditions)
                taken_in_baggage.update(lane for lane in self.lanes if self._only_member(lane) in conditions)
            if takes_everything(route):
                break  # this route takes every request, so no request reaches the routes behind it
        return tuple(renamed(route, self.names) for route in routes)

    def _only(self, lane: str) -> Condition:
        return Condition(headers=((self.tag, StringMatch("exact", self.of(lane))),))

    def _only_member(self, lane: str) -> Condition:
        return self._asking_member(Condition(), self._member(lane))

    def _member(self, lane: str) -> StringMatch:
        return StringMatch("regex", baggage.regex(self.tag, self.of(lane)))

    def _conditions(self, route: Route, taken: Iterable[str], taken_in_baggage: Iterable[str]) -> tuple[Condition, ...]:
        """The route's conditions for tags of this generation.

        Parameters:
            taken: the lanes whose requests with the tag's header an earlier route has taken completely.
            taken_in_baggage: those whose requests with the tag in baggage alone one has.
        """
        asked_for = route.conditions or (Condition(),)
        found = (one for each in asked_for for one in self._of_condition(each, taken, taken_in_baggage))
        return tuple(dict.fromkeys(found))

    def _of_condition(
        self, condition: Condition, taken: Iterable[str], taken_in_baggage: Iterable[str]
    ) -> Iterator[Condition]:
        lanes = sorted(self.lanes.difference(taken))
        if asked(condition.absent, self.tag) is not None:
            yield from self._of_member(condition, sorted(self.lanes.difference(taken_in_baggage)))
            return
        match = asked(condition.headers, self.tag)
        if match is None:
            yield self._asking(condition, self.any_tag)
            if self.in_baggage and asked(condition.headers, baggage.HEADER) is None:
                yield self._asking_member(condition, self.any_member)
            return
        for lane in lanes:
            if holds(match, lane):
                yield self._asking(condition, StringMatch("exact", self.of(lane)))

    def _of_member(self, condition: Condition, lanes: Iterable[str]) -> Iterator[Condition]:
        """The conditions for a tag in baggage alone. No other condition on an absent header holds in a generation."""
        match = asked_in_baggage(condition, self.tag)
        for lane in lanes:
            if match is not None and holds(match, baggage.member(self.tag, lane)):
                yield self._asking_member(without_tag(condition, baggage.HEADER), self._member(lane))

    def _asking(self, condition: Condition, match: StringMatch) -> Condition:
        rest = without_tag(condition, self.tag)
        return replace(rest, headers=named({self.tag: match, **dict(rest.headers)}))

    def _asking_member(self, condition: Condition, match: StringMatch) -> Condition:
        rest = without_tag(condition, self.tag)
        absent = named({self.tag: StringMatch("present"), **dict(rest.absent)})
        return replace(rest, headers=named({baggage.HEADER: match, **dict(rest.headers)}), absent=absent)

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
            replace(one, tag=replace(one.tag, value=self.of(one.tag.value))) if isinstance(one.tag, SetTag) else one
            for one in route.targets
        )
        return replace(route, targets=targets, fields=self._in_fields(route.fields))

    def _tagged(self, target: Target) -> Target:
        if target.authority:
            return target  # outside the mesh, no tag of a generation may arrive either
        value = self.of(target.tag.value) if isinstance(target.tag, SetTag) else self.untagged
        return replace(target, tag=SetTag(value, baggage=target.tag is None or target.tag.baggage))

    def _in_fields(self, fields: IstioFields) -> IstioFields:
        """A policy's fields, with a tag of this generation where the policy itself sets the tag's header."""
        headers: dict[str, Any] = fields.get("headers") or {}
        request: dict[str, Any] = headers.get("request") or {}
        given = request.get("set") or {}
        if self.tag not in given:
            return fields
        changed = {**request, "set": {**given, self.tag: self.of(given[self.tag])}}
        return {**fields, "headers": {**headers, "request": changed}}
