"""Reads the sticky splits of route tables: whose each bucket is, and whether a change moves users who should stay."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from meshconfig.model import Route, RouteTable, RoutingState, SetTag, Target

_COOKIE = re.compile(r"(?P<name>[^=;\s]+)=(?P<number>0|[1-9][0-9]?);.*")
Owners = tuple[str, ...]  # of each bucket, by its number
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draw:
    """The draw for users without a bucket, at one path of an entry.

    Parameters:
        host: the service's.
        cookie: the name of the cookie that holds the number of a bucket.
        lanes: the lane of each bucket, empty for requests without a tag.
        versions: the version of each bucket, where the service's weights choose it; empty where the lane does.
    """

    host: str
    cookie: str
    lanes: Owners
    versions: Owners = ()

    @property
    def buckets(self) -> int:
        return len(self.lanes)

    @property
    def settled(self) -> bool:
        """Whether all users are in one lane and get one version, whatever their bucket is."""
        return len({*self.lanes}) == 1 and len({*self.versions}) < 2

    def owner(self, number: int) -> str:
        """Whose a bucket is: its lane, its version, or both."""
        return " ".join(one for one in (self.lanes[number], *self.versions[number : number + 1]) if one)

    @property
    def runs(self) -> list[tuple[str, int, int]]:
        """Each owner, and its first and last bucket."""
        return list(runs([self.owner(number) for number in range(self.buckets)]))


def runs(owners: Sequence[T]) -> Iterator[tuple[T, int, int]]:
    """Each owner with its first and its last bucket, in the order of the buckets."""
    for owner, numbers in groupby(range(len(owners)), key=owners.__getitem__):
        first, *rest = numbers
        yield owner, first, rest[-1] if rest else first


def from_to(first: int, last: int) -> str:
    """Numbers of buckets as people write them: `7`, `7-9`."""
    return f"{first}" if first == last else f"{first}-{last}"


def draw(route: Route) -> Draw | None:
    """What a route draws; None for a route that draws no bucket."""
    cookies = [_COOKIE.fullmatch(target.set_cookie) for target in route.targets]
    found = [(int(cookie["number"]), one) for cookie, one in zip(cookies, route.targets, strict=True) if cookie]
    names = {cookie["name"] for cookie in cookies if cookie}
    by_number = {number: [one for _, one in alike] for number, alike in groupby(found, key=lambda pair: pair[0])}
    if len(names) != 1 or len(found) < len(route.targets) or [*by_number] != list(range(len(by_number))):
        return None
    lanes = tuple(_lane(targets[0]) for targets in by_number.values())
    return Draw(route.targets[0].host, names.pop(), lanes, _versions(lanes, list(by_number.values())))


def _lane(target: Target) -> str:
    """The lane whose tag a target sets, also while a change has given the tag a generation."""
    return target.tag.value.partition(".")[0] if isinstance(target.tag, SetTag) else ""


def _versions(lanes: Owners, targets: Sequence[Sequence[Target]]) -> Owners:
    if any(len(ones) > 1 for ones in targets):
        return ()  # the weights of these draw anew for each request
    versions = tuple(ones[0].subset for ones in targets)
    return versions if len({*zip(lanes, versions, strict=True)}) > len({*lanes}) else ()


def draws(table: RouteTable) -> Iterator[Draw]:
    """The draws of an entry's paths, in order; each once."""
    return iter(dict.fromkeys(found for route in table.routes if (found := draw(route))))


def moves(live: RoutingState, wanted: RoutingState, baseline: str) -> Iterator[str]:
    """The users whom a change of shares moves, one sentence for each run of buckets."""
    for name, table in wanted.entries.items():
        before = {one.host: one for one in draws(live.entries[name])} if name in live.entries else {}
        said: dict[str, None] = {}
        for after in draws(table):
            old = before.get(after.host)
            if old and (old.buckets, old.cookie) == (after.buckets, after.cookie):
                said |= dict.fromkeys(_moved(old, after, baseline))
        yield from (f"{table.host}: {sentence}" for sentence in said)


def _moved(old: Draw, new: Draw, baseline: str) -> Iterator[str]:
    pairs = [(old.owner(number) or baseline, new.owner(number) or baseline) for number in range(new.buckets)]
    for (one, other), first, last in runs(pairs):
        if one != other:
            yield f"users in buckets {from_to(first, last)} of {new.buckets} go from {one} to {other}"


def refused_moves(live: RoutingState, wanted: RoutingState, baseline: str) -> Iterator[str]:
    """Why a change would move users whom none of its shares moves, one sentence for each.

    Parameters:
        baseline: the lane of users whom no share has moved.
    """
    for name, table in wanted.entries.items():
        before = {one.host: one for one in draws(live.entries[name])} if name in live.entries else {}
        for after in draws(table):
            if (old := before.get(after.host)) and (why := _refused(old, after, baseline)):
                yield f"{table.host}: {why}"
                break


def _refused(old: Draw, new: Draw, baseline: str) -> str:
    if old.settled or new.settled:
        return ""
    unless = "while a share is neither 0 nor 100 %: give all users to one lane first"
    if old.buckets != new.buckets:
        return f"sticky.buckets cannot go from {old.buckets} to {new.buckets} {unless}"
    if old.cookie != new.cookie:
        return f"sticky.cookie cannot go from {old.cookie} to {new.cookie} {unless}"
    return _swapped(old, new, baseline)


def _swapped(old: Draw, new: Draw, baseline: str) -> str:
    """A lane that would lose buckets and get others in one change, as no share makes it that rises or falls."""
    pairs = [pair for pair in zip(old.lanes, new.lanes, strict=True) if pair[0] != pair[1]]
    both = ({one for one, _ in pairs} & {other for _, other in pairs}) - {"", baseline}
    if not both:
        return ""
    others = min({*new.lanes} - {"", baseline, *old.lanes}, default=baseline)
    order = [others if end in ("", baseline) else end for end in (old.lanes[0], old.lanes[-1])]
    return f"{min(both)} would lose some of its users and get others: write sticky.order: [{', '.join(order)}]"
