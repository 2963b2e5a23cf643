"""What to give to a tester: for each entry and lane a command, a link, a host and a profile for a browser."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from meshconfig.compile.names import lane_hosts
from meshconfig.compile.sticky import lane_owners
from meshconfig.spec import Entry, LaneGroup

ANY = "any"  # stands for the free part of a host such as *.example.com
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class WaysIn:
    """The ways into one lane at one entry. A way that the entry does not offer is empty.

    Parameters:
        host: the entry's first host.
        curl: a command that asks the entry with the lane's tag.
        link: an address that puts a browser into the lane and shows the entry's first page.
        address: the address of the host whose requests are all in the lane.
        bucket: a command that asks the entry as a user whom a sticky split has put into the lane.
        profile: the lane's profile for a browser extension that sets headers (`profile`).
    """

    host: str
    lane: str
    curl: str = ""
    link: str = ""
    address: str = ""
    bucket: str = ""
    profile: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The ways as JSON: host, lane, curl, link, address, profile; null where there is none. And bucket, if any."""
        texts = {name: getattr(self, name) or None for name in ("curl", "link", "address")}
        bucket = {"bucket": self.bucket} if self.bucket else {}
        return {"host": self.host, "lane": self.lane, **texts, **bucket, "profile": self.profile}


def ways_in(group: LaneGroup) -> Iterator[WaysIn]:
    """The ways into every lane at every entry, in the spec's order."""
    for entry in group.spec.entries:
        yield from _at(group, entry)


def ways_into(group: LaneGroup, lane: str, services: Iterable[str]) -> list[WaysIn]:
    """The ways into one lane at every entry; first those at entries whose requests reach one of these services."""
    wanted = frozenset(services)
    entries = sorted(group.spec.entries, key=lambda entry: wanted.isdisjoint(_reached(group, entry)))
    return [way for entry in entries for way in _at(group, entry) if way.lane == lane]


def _reached(group: LaneGroup, entry: Entry) -> set[str]:
    """The services behind an entry: those of its routes, and those that they call."""
    found, left = set[str](), [route.service for route in entry.routes]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += group.spec.services[name].calls if name in group.spec.services else ()
    return found


def _at(group: LaneGroup, entry: Entry) -> Iterator[WaysIn]:
    tag, own = group.spec.tag, lane_hosts(group, entry)
    for lane in group.spec.lanes:
        baseline = lane == tag.default
        trusted = entry.tag == "trusted"
        header = "" if baseline else f"-H '{tag.header}: {lane}' "
        yield WaysIn(
            entry.hosts[0],
            lane,
            curl=f"curl {header}{_address(entry, entry.hosts[0])}{_path(entry)}" if trusted or baseline else "",
            link=f"{_address(entry, entry.hosts[0])}{entry.links}/{lane}" if entry.links else "",
            address=f"{_address(entry, own[lane])}/" if own else "",
            bucket=_bucket(group, entry, lane),
            profile=profile(entry, tag.header, lane) if trusted and not baseline else None,
        )


def _bucket(group: LaneGroup, entry: Entry, lane: str) -> str:
    """A command with the cookie of the lane's first bucket; empty where no split keeps users in the lane."""
    owners = lane_owners(entry.sticky, entry.split, group) if entry.sticky and entry.split else ()
    if entry.sticky is None or lane not in owners:
        return ""
    cookie = f"{entry.sticky.cookie}={owners.index(lane)}"
    return f"curl -b '{cookie}' {_address(entry, entry.hosts[0])}{_path(entry)}"


def profile(entry: Entry, header: str, lane: str) -> dict[str, Any]:
    """A profile with which a browser sends the lane's tag to the entry's hosts, and to no other.

    The form is the one that the extension ModHeader imports and others read (a list of such profiles).
    """
    hosts = "|".join(_pattern(host) for host in entry.hosts)
    return {
        "title": f"{entry.hosts[0]} {lane}",
        "shortTitle": lane[:2],
        "version": 2,
        "headers": [{"enabled": True, "name": header, "value": lane}],
        "urlFilters": [{"enabled": True, "urlRegex": f"^https?://({hosts})(:[0-9]+)?/"}],
    }


def _pattern(host: str) -> str:
    return re.escape(host).replace(r"\*", "[^/:]+")


def _address(entry: Entry, host: str) -> str:
    """Scheme, host and port of an entry."""
    scheme = "https" if entry.gateway.tls else "http"
    port = entry.gateway.port or _PORTS[scheme]
    name = ANY if host == "*" else host.replace("*", ANY)
    return f"{scheme}://{name}" + (f":{port}" if port != _PORTS[scheme] else "")


def _path(entry: Entry) -> str:
    path = entry.routes[0].path
    return path.exact or path.prefix or "/"
