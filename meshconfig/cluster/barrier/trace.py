"""Does what istiod makes for one proxy show a change already? A `config_dump` compared with the resources written.

Not a proof by itself (what only a policy changes is not compared), but a witness: with it, and nothing new for a while,
a change that debouncing holds back is not taken for one that has arrived.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from meshconfig.cluster.barrier.pages import Page, parts
from meshconfig.cluster.objects import Key, Manifest, key

_KEBAB = re.compile(r"(?<=[a-z])(?=[A-Z])")  # Istio writes DestinationRule as destination-rule


class Trace(Enum):
    SHOWS = auto()  # something of the change is there, and all that is there is new
    DIFFERS = auto()  # something is there as it was before
    ABSENT = auto()  # nothing of it: it does not concern this proxy, or was deleted


def trace(dump: Page, written: Iterable[Manifest], deleted: Iterable[Key]) -> Trace:
    """What a proxy's configuration shows of a change."""
    made: dict[str, list[Manifest]] = {}
    for path, part in parts(dump):
        made.setdefault(_tail(path), []).append(part)
    if any(_path(one) in made for one in deleted):
        return Trace.DIFFERS
    shown = [_shows(one, made[_path(key(one))]) for one in written if _path(key(one)) in made]
    if not shown:
        return Trace.ABSENT
    return Trace.SHOWS if all(shown) else Trace.DIFFERS


def _path(one: Key) -> str:
    return f"namespaces/{one.namespace}/{_KEBAB.sub('-', one.kind).lower()}/{one.name}"


def _tail(path: str) -> str:
    return "/".join(path.split("/")[-4:])


def _shows(written: Manifest, parts: Sequence[Manifest]) -> bool:
    spec = written.get("spec") or {}
    if written["kind"] == "DestinationRule":
        return _subsets(spec) == {name for part in parts for name in _subset(part)}
    if written["kind"] == "VirtualService":
        return all(_route_shown(route, parts) for route in spec.get("http") or ()) and _no_more(spec, parts)
    return True


def _subsets(spec: Mapping[str, Any]) -> set[str]:
    return {subset["name"] for subset in spec.get("subsets") or ()}


def _subset(cluster: Manifest) -> Iterator[str]:
    pieces = str(cluster.get("name", "")).split("|")
    if len(pieces) == 4 and pieces[2]:
        yield pieces[2]


def _route_shown(route: Mapping[str, Any], parts: Sequence[Manifest]) -> bool:
    """Is there a route of this name with this one's clusters, weights, and values of headers, paths and matches?"""
    name = route.get("name")
    texts = [json.dumps(part, ensure_ascii=False) for part in parts if not name or _base(part, name)]
    return bool(texts) and all(any(atom in text for text in texts) for atom in _atoms(route))


def _no_more(spec: Mapping[str, Any], parts: Sequence[Manifest]) -> bool:
    names = [route.get("name") for route in spec.get("http") or ()]
    return not all(names) or all(any(_base(part, str(name)) for name in names) for part in parts)


def _base(part: Manifest, name: str) -> bool:
    """Istio names an Envoy route after the HTTPRoute, and a dot and the match where that has a name."""
    return part.get("name") == name or str(part.get("name", "")).startswith(f"{name}.")


def _atoms(route: Mapping[str, Any]) -> Iterator[str]:
    """Pieces of JSON that the route's Envoy form holds for sure."""
    destinations = route.get("route") or ()
    for one in destinations:
        where = one["destination"]
        port = (where.get("port") or {}).get("number", "")
        cluster = f"outbound|{port}|{where.get('subset', '')}|{where['host']}"
        if port and "." in where["host"]:
            yield json.dumps(cluster) + (f', "weight": {one["weight"]}' if _weighed(one, destinations) else "")
        yield from _values((one.get("headers") or {}).get("request"))
    yield from _values((route.get("headers") or {}).get("request"))
    for match in route.get("match") or ():
        yield from (json.dumps(value, ensure_ascii=False) for value in _exact(match))


def _weighed(one: Mapping[str, Any], destinations: Sequence[Any]) -> bool:
    return len(destinations) > 1 and bool(one.get("weight"))


def _values(change: Mapping[str, Any] | None) -> Iterator[str]:
    for name, value in ((change or {}).get("set") or {}).items():
        yield f'{{"key": {json.dumps(name)}, "value": {json.dumps(value, ensure_ascii=False)}}}'


def _exact(match: Mapping[str, Any]) -> Iterator[str]:
    for one in (match.get("headers") or {}).values():
        if isinstance(one, dict) and one.get("exact"):
            yield one["exact"]
