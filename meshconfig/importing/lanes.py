"""Names the baseline of a group, and says for each lane which versions it selects."""

from collections.abc import Iterator

from meshconfig.importing.group import Found, Service
from meshconfig.importing.tag import is_lane

_USUAL = ("prod", "baseline", "stable", "production")  # names for a baseline that no route asks for


def baseline(found: Found) -> str:
    """The lane of untagged requests: one that the routes name, or a name that gives no request another route.

    Notes in `found.choices` where the resources leave it open.
    """
    if named := _named(found):
        return named
    services = found.services.values()
    versions = {one.default for one in services}
    plain = not any(one.rules for one in services)
    if plain and len(versions) == 1 and (name := versions.pop()) and is_lane(name) and name not in found.lanes:
        return name
    taken = found.lanes | {name for one in services for name in one.versions}
    name = next(one for one in (*_USUAL, *(f"baseline-{n}" for n in range(1, 999))) if one not in taken)
    found.choices.append(f"No route asks for the baseline by its tag, so {found.tag}: {name} is new.")
    return name


def _named(found: Found) -> str | None:
    """The lane whose versions are those of untagged requests; where several are, the one of most services."""
    untrusted = {lane for entry in found.entries for lane in (entry.split or {})}
    fitting = [lane for lane in sorted(found.selecting) if all(_fits(one, lane) for one in found.services.values())]
    usual = {name: len(_USUAL) - place for place, name in enumerate(_USUAL)}
    return max(
        fitting,
        key=lambda lane: (
            sum(one.lanes.get(lane) is not None for one in found.services.values()),
            usual.get(lane, 0),
            lane in untrusted,
        ),
        default=None,
    )


def _fits(service: Service, lane: str) -> bool:
    if lane in service.strict or lane in service.runtime:
        return False
    return service.default is None or service.lanes.get(lane, service.default) == service.default


def versions(found: Found, lane: str) -> Iterator[tuple[str, str]]:
    """The services whose version for a lane is not the one of the lane's name, each with that version."""
    for service in sorted(found.services.values(), key=lambda one: one.name):
        version = service.lanes.get(lane)
        if version is None and lane in service.versions and lane not in service.strict:
            # A version of the lane's name would be the lane's. The routes send the lane to the default.
            version = service.default
        if version is not None and version != lane:
            yield service.name, version


def mode(found: Found, lane: str) -> str:
    """`strict` where the lane gets a 503 from a service without a version of it."""
    return "strict" if any(lane in one.strict for one in found.services.values()) else "permissive"


def fallback(found: Found, lane: str) -> str:
    """`runtime` where a route of the lane falls back at run time."""
    return "runtime" if any(lane in one.runtime for one in found.services.values()) else "compiled"
