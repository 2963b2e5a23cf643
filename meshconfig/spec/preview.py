"""`kind: Lane`: a preview lane, such as that of a pull request, with versions of its own and an end."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from meshconfig.istio.labels import LANE, LANE_SERVICE
from meshconfig.spec.base import DnsLabel, Labels, Strict, WorkloadName, said
from meshconfig.spec.document import ClusterObject, ObjectMeta
from meshconfig.spec.duration import Duration
from meshconfig.spec.group import LaneGroup, Version

KEEP_UNTIL = "graylane.dev/keep-until"  # annotation: a time until which the lane stays, if that is later than `ttl`
MOVE = "to change group, delete the lane, and create it again once it is gone"  # where its routes are is known by it
MOST_PODS = 2**31 - 1
# A tag is LANE or, during a change, LANE.next99; services drop a tag of over 64 characters.
LONGEST_NAME = 57
_ENV = said(r"^[-._A-Za-z][-._A-Za-z0-9]*$", "the name of an environment variable, such as FLAG")
EnvName = Annotated[str, StringConstraints(pattern=_ENV, max_length=253)]
# Kubernetes checks no more of an image; the parts are those of the OCI distribution specification.
_IMAGE = said(r"^[A-Za-z0-9][-._/:@A-Za-z0-9]*$", "the name of an image, such as registry.example.com/cat:pr-42")
ImageName = Annotated[str, StringConstraints(pattern=_IMAGE, max_length=1024)]


class PreviewVersion(Strict):
    """One version of a preview lane: a clone of the version `from`, or the Pods with `labels`, which exist.

    `image` and `env` are for the clone's one container that runs the service. Whatever else the Pods of `from` have
    stays as it is.
    """

    from_: Annotated[DnsLabel | None, Field(alias="from")] = None
    image: ImageName | None = None
    env: dict[EnvName, str] = {}
    replicas: Annotated[int, Field(ge=1, le=MOST_PODS)] = 1
    labels: Annotated[Labels, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _cloned_or_there(self) -> "PreviewVersion":
        if (self.from_ is None) == (self.labels is None):
            raise ValueError("takes one of from (a version whose Deployment is cloned) and labels (Pods that exist)")
        if self.labels is not None and (extra := self.model_fields_set - {"labels"}):
            raise ValueError(f"labels names Pods that exist: {min(extra)} is for a clone")
        return self


class Hooks(Strict):
    """CronJobs of the lane's namespace whose `jobTemplate` is run once: `before` its Pods are made, `after` they end.

    A CronJob with `suspend: true` is never run by itself. Who may write Lanes need not be able to write Jobs: a Lane
    names what a platform team has prepared, and no command.
    """

    before: WorkloadName | None = None
    after: WorkloadName | None = None


class PreviewSpec(Strict):
    """The spec of a preview lane; `ttl` counts from the object's creation.

    Parameters:
        ttl: seconds.
    """

    group: DnsLabel
    versions: Annotated[dict[DnsLabel, PreviewVersion], Field(min_length=1)]
    ttl: Duration = 8 * 3600.0
    hooks: Hooks = Hooks.model_construct()


class PreviewLane(ClusterObject):
    """A lane with an end, made by one object; its name is the tag's value."""

    kind: Literal["Lane"]
    spec: PreviewSpec

    @field_validator("metadata")
    @classmethod
    def _fits_a_tag(cls, metadata: ObjectMeta) -> ObjectMeta:
        if len(metadata.name) > LONGEST_NAME:
            raise ValueError(
                f"the name has {len(metadata.name)} characters and may have {LONGEST_NAME}: it is the value of the "
                "lane's tag, which is longer during a change"
            )
        return metadata


def version_labels(lane: str, service: str) -> dict[str, str]:
    """The labels by which the Pods of a lane's clone are known, and no others."""
    return {LANE: lane, LANE_SERVICE: service}


def is_of_preview(version: Version) -> bool:
    """Whether a version of a group is that of a preview lane that lies over it, and not Git's."""
    return LANE in {**version.labels, **(version.fallback_labels or {})}


def moment(text: object) -> datetime | None:
    """A time as RFC 3339 writes it, such as `2026-12-01T18:00:00Z`; None for anything else, or without a zone."""
    try:
        found = datetime.fromisoformat(str(text))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def without_previews(spec: LaneGroup, keep: Collection[str] = ()) -> LaneGroup:
    """A group as it was applied, without the preview lanes that lay over it.

    Parameters:
        keep: the names of those that stay.
    """
    lanes = {
        lane
        for service in spec.spec.services.values()
        for lane, version in service.versions.items()
        if is_of_preview(version)
    } - {*keep}
    if not lanes:
        return spec
    value = spec.model_dump(by_alias=True, exclude_unset=True)
    for lane in lanes:
        value["spec"]["lanes"].pop(lane, None)
        for service in value["spec"]["services"].values():
            service["versions"].pop(lane, None)
    return LaneGroup.model_validate(value)
