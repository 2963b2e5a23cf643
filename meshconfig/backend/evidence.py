"""What a proxy's configuration says of a change: the words in which a barrier and a backend talk about it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

Resource = Mapping[str, Any]
Place = tuple[str, str, str]  # kind, namespace, name
SubsetPods = Mapping[tuple[str, str], Collection[str]]  # host and subset → addresses of the Pods with its labels
NO_PODS: SubsetPods = {}


class Evidence(Enum):
    """What a proxy's configuration says of a change."""

    SHOWS = auto()  # something of the change is there, and all that is there is new
    DIFFERS = auto()  # something is there as it was before
    ABSENT = auto()  # nothing of it: it does not concern this proxy, or was deleted


@dataclass(frozen=True, slots=True)
class Written:
    """What a step wrote and deleted.

    Parameters:
        before: the written resources as they were, by kind, namespace and name; a new one is not among them.
        tag: the name of the tag's header.
    """

    written: tuple[Resource, ...] = ()
    deleted: tuple[Place, ...] = ()
    before: Mapping[Any, Resource] = field(default_factory=dict)  # its keys are equal to places
    tag: str = ""


class RelabelledSubset(NamedTuple):
    """A subset that keeps its name and gets other labels: its host in full, its name, the new labels."""

    host: str
    name: str
    labels: tuple[tuple[str, str], ...]
