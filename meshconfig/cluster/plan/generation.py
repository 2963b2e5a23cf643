"""A generation: the wanted routes under tags of their own, `gray.next`, so that both can stand side by side.

The untagged carry a tag as well meanwhile, `prod.next-default`: the baseline to who reads it, and no lane's to the
routes, so that rules and weights decide as without a tag.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.plan.parts import Http, Parts, Route, http, spec, with_http
from meshconfig.cluster.plan.subsets import Name, renamed
from meshconfig.cluster.plan.tags import Match, condition, holds, without

NAME = "next"
_USED = re.compile(rf"\.({NAME}\d*)(?![A-Za-z0-9])")
_ITS_TAGS = re.compile(rf"\.\+\\\.{NAME}\d*\(-default\)\?")  # `Generation.any_tag`, as it stands in a route


def next_generation(live: Parts) -> str:
    """The first of next, next2, next3 that no VirtualService of live has: one may be left of a change cut off."""
    used = {name for one in live.virtual_services for name in _USED.findall(json.dumps(spec(one)))}
    number = 1
    while (name := NAME if number == 1 else f"{NAME}{number}") in used:
        number += 1
    return name


def is_of_generation(route: Route, tag: str) -> bool:
    """Does it take requests of one generation alone?"""
    asked = [condition(match, tag) or {} for match in route.get("match") or ()]
    return bool(asked) and all(
        _ITS_TAGS.fullmatch(one.get("regex", "")) or _USED.search(one.get("exact", "")) for one in asked
    )


@dataclass(frozen=True, slots=True)
class Generation:
    """
    Parameters:
        name: what stands behind the dot.
        lanes: the tags that wanted's routes ask for and its entries set.
        names: subsets that stand under another name meanwhile.
    """

    name: str
    tag: str
    baseline: str
    lanes: frozenset[str]
    names: Mapping[Name, str]

    @property
    def untagged(self) -> str:
        return f"{self.baseline}.{self.name}-default"

    @property
    def any_tag(self) -> str:
        """Every tag of this generation, as a regex on the whole value."""
        return rf".+\.{self.name}(-default)?"

    def of(self, lane: str) -> str:
        return f"{lane}.{self.name}"

    def mesh(self, manifest: Manifest) -> Http:
        """What this VirtualService does to a lane's requests, for the lane's tag of this generation."""
        taken: set[str] = set()
        routes: Http = []
        for route in http(manifest):
            if matches := self._matches(route, taken):
                named = {"name": self.of(route.get("name", "")), "match": matches}
                routes.append(self._settled({**named, **{part: route[part] for part in route if part not in named}}))
                taken.update(
                    lane for lane in self.lanes if {"headers": {self.tag: {"exact": self.of(lane)}}} in matches
                )
            if {} in (route.get("match") or [{}]):
                break  # it takes every request, so what stands behind it never answers
        return renamed(routes, self.names)

    def _matches(self, route: Route, taken: Iterable[str]) -> list[Match]:
        """The matches, each for the tags for which it held; `taken` are the lanes of which no request comes here."""
        matches: list[Match] = route.get("match") or [{}]
        found: list[Match] = []
        for match in matches:
            found += [one for one in self._match(match, taken) if one not in found]
        return found

    def _match(self, match: Match, taken: Iterable[str]) -> Iterator[Match]:
        if condition(match, self.tag, "withoutHeaders") is not None:
            return  # for who comes without the tag; here all have it
        asked = condition(match, self.tag)
        if asked is None:
            yield self._asking(match, {"regex": self.any_tag})
            return
        for lane in sorted(self.lanes.difference(taken)):
            if holds(asked, lane):
                yield self._asking(match, {"exact": self.of(lane)})

    def _asking(self, match: Match, value: dict[str, str]) -> Match:
        rest = without(match, self.tag)
        return {**rest, "headers": {self.tag: value, **(rest.get("headers") or {})}}

    def entry(self, manifest: Manifest) -> Manifest:
        """An entry that lets its requests into this generation."""
        routes = [self._entering(route) for route in http(manifest)]
        return with_http(manifest, renamed(routes, self.names))

    def _entering(self, route: Route) -> Route:
        if not route.get("route"):
            return route
        return {**self._settled(route), "route": [self._tagged(one) for one in route["route"]]}

    def _settled(self, one: dict[str, Any]) -> dict[str, Any]:
        """A route or a destination whose tag, where it sets one, is of this generation."""
        headers = one.get("headers") or {}
        request = headers.get("request") or {}
        given = request.get("set") or {}
        if self.tag not in given:
            return one
        tagged = {**given, self.tag: self.of(given[self.tag])}
        return {**one, "headers": {**headers, "request": {**request, "set": tagged}}}

    def _tagged(self, destination: dict[str, Any]) -> dict[str, Any]:
        headers = destination.get("headers") or {}
        request = headers.get("request") or {}
        if self.tag in (request.get("set") or {}):
            return self._settled(destination)
        rest = [name for name in request.get("remove") or () if name != self.tag]
        others = {name: part for name, part in request.items() if name not in ("set", "remove")}
        changed = {"set": {**(request.get("set") or {}), self.tag: self.untagged}, **others}
        return {
            **destination,
            "headers": {**headers, "request": {**changed, "remove": rest} if rest else changed},
        }
