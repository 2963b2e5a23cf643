"""What a proxy's configuration shows of a change: the values that barriers and backends exchange about it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

Resource = Mapping[str, Any]
Place = tuple[str, str, str]  # kind, namespace, name
SubsetPods = Mapping[tuple[str, str], Collection[str]]  # host and subset → addresses of the Pods with its labels
NO_PODS: SubsetPods = {}


class Evidence(Enum):
    """What a proxy's configuration shows of a change."""

    SHOWS = auto()  # the proxy has some of the written resources, and has them as they were written
    DIFFERS = auto()  # the proxy still has some of them as they were before
    ABSENT = auto()  # the proxy has none of them: they do not concern it, or they were deleted


@dataclass(frozen=True, slots=True)
class Written:
    """What a step wrote and deleted.

    Parameters:
        written: the resources as the API server returned them.
        deleted: kind, namespace and name of each deleted resource.
        before: the written resources as they were, by kind, namespace and name; a new one is not among them.
        tag: the name of the tag's header.
    """

    written: tuple[Resource, ...] = ()
    deleted: tuple[Place, ...] = ()
    before: Mapping[Any, Resource] = field(default_factory=dict)  # its keys are equal to places
    tag: str = ""


class RelabelledSubset(NamedTuple):
    """A subset that keeps its name and gets other labels.

    Parameters:
        host: the Service's host, fully qualified.
        labels: the new labels, sorted.
    """

    host: str
    name: str
    labels: tuple[tuple[str, str], ...]
