"""Finds every place in a spec that uses a version or a lane, so that removing it would leave it without target."""

from collections.abc import Iterable, Iterator
from typing import Any

from meshconfig.errors import nearest
from meshconfig.groups import Group
from meshconfig.load import FieldPath
from meshconfig.spec import ServiceInGroup
from meshconfig.spec.service_in_group import service_fqdn

Use = tuple[FieldPath, str]


def unknown(what: str, name: str, valid: Iterable[str]) -> str:
    return f"there is no {what} {name}{nearest(name, valid)}"


def of_version(group: Group, service: str, version: str) -> Iterator[Use]:
    """Each place that sends requests to a version, with a description."""
    one = group.spec.service(service)
    where: FieldPath = ("spec", "services", service)
    if one.spec.default == version:
        yield (*where, "default"), "untagged requests go there"
    if weight := (one.spec.weights or {}).get(version):
        yield (*where, "weights", version), f"it has the weight {weight}"
    for index, rule in enumerate(one.spec.rules):
        if weight := rule.weights.get(version):
            yield (*where, "rules", index, "weights", version), f"a rule gives it the weight {weight}"
    for name, lane in group.spec.spec.lanes.items():
        if one.version_in(name) == version:
            said = service in lane.versions
            field = ("versions", service) if said else ()
            how = "uses it" if said else f"uses it by its name; give lanes.{name}.versions.{service} another one"
            yield ("spec", "lanes", name, *field), f"lane {name} {how}"
    if one.spec.mirror and one.spec.mirror.version == version:
        yield (*where, "mirror"), "it gets copies of requests"
    yield from _mirrors(group, one, version)


def _mirrors(group: Group, mirrored: ServiceInGroup, version: str) -> Iterator[Use]:
    """Policies that mirror requests to the version's subset."""
    for name, service in group.spec.spec.services.items():
        many = service.policy.get("mirrors") or ()
        found: list[tuple[FieldPath, Any]] = [(("mirror",), service.policy.get("mirror"))]
        found += [(("mirrors", index), mirror["destination"]) for index, mirror in enumerate(many)]
        for field, destination in found:
            if destination is None or destination.get("subset") != version:
                continue
            if service_fqdn(destination["host"], group.spec.metadata.namespace) == mirrored.host:
                yield ("spec", "services", name, "policy", *field), f"the policy of {name} sends copies there"


def of_lane(group: Group, lane: str) -> Iterator[Use]:
    """Each place that leads to a lane, with a description."""
    spec = group.spec.spec
    if spec.tag.default == lane:
        yield ("spec", "tag", "default"), "it is the baseline, the lane of untagged requests"
    for index, entry in enumerate(spec.entries):
        where: FieldPath = ("spec", "entries", index)
        for number, admit in enumerate(entry.admit):
            if admit.lane == lane:
                yield (*where, "admit", number, "lane"), "an entry admits requests to it"
        if weight := (entry.split or {}).get(lane):
            yield (*where, "split", lane), f"an entry's split gives it {weight}"
