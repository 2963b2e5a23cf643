"""What keeps a Lane from being made so, by its spec and its group's alone."""

from collections.abc import Iterator

from meshconfig.compile.check import Wrong
from meshconfig.errors import nearest
from meshconfig.load import FieldPath
from meshconfig.preview.images import is_allowed
from meshconfig.preview.overlay import Routed, with_previews
from meshconfig.spec.group import LaneGroup
from meshconfig.spec.preview import PreviewLane, PreviewVersion, version_labels

SPEC: FieldPath = ("spec",)


def check(lane: PreviewLane, group: LaneGroup) -> Iterator[Wrong]:
    """Yields each problem that a Lane has with its group: the path of a field, and a message.

    Parameters:
        group: as its LaneGroup object says it, without preview lanes.
    """
    found = list(_versions(lane, group))
    yield from found
    if not found and (why := with_previews(group, [routed(lane)]).refused.get(lane.metadata.name)):
        yield ("metadata", "name"), why


def routed(lane: PreviewLane) -> Routed:
    """The lane as it is to be routed."""
    name = lane.metadata.name
    return Routed(name, {service: labels_of(name, service, one) for service, one in lane.spec.versions.items()})


def labels_of(lane: str, service: str, version: PreviewVersion) -> dict[str, str]:
    """The labels of the Pods of one version of a lane."""
    return version_labels(lane, service) if version.labels is None else dict(version.labels)


def _versions(lane: PreviewLane, group: LaneGroup) -> Iterator[Wrong]:
    services, places = group.spec.services, group.spec.limits.images
    for service, one in lane.spec.versions.items():
        where: FieldPath = (*SPEC, "versions", service)
        if service not in services:
            yield where, f"the group has no service {service}{nearest(service, services)}"
            continue
        versions = services[service].versions
        if one.from_ is not None and one.from_ not in versions:
            yield (*where, "from"), f"there is no version of {service} {one.from_}{nearest(one.from_, versions)}"
        if one.image and not is_allowed(one.image, places):
            yield (
                (*where, "image"),
                f"{one.image} is of no place that the group allows; spec.limits.images has {', '.join(places)}",
            )
