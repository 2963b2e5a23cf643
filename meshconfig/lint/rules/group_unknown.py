"""A Rollout or a Lane of a group that the input does not have, beside groups of its namespace."""

from collections.abc import Iterator

from meshconfig.istio import Nothing, Resource
from meshconfig.istio.types import Metadata
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.names import Names
from meshconfig.lint.rule import Hit, Rule
from meshconfig.load import Document


def check(index: Index) -> Iterator[Hit]:
    known = {group.key for group in index.groups}
    names = Names(name for _, name in sorted(known))
    for document in (*index.rollouts, *index.lanes):
        owner = _resource(document)
        group = str(document.value.get("spec", {}).get("group", ""))
        if (owner.namespace, group) in known or all(owner.namespace != place for place, _ in known):
            continue
        message = f"there is no LaneGroup {owner.namespace}/{group}{names.nearest(group)}"
        yield Hit(owner, ("spec", "group"), message)


def _resource(document: Document) -> Resource[Nothing]:
    metadata = Metadata.model_validate({"namespace": "default", **document.value.get("metadata", {})})
    return Resource(document.kind, metadata, Nothing(), document.value, document)


RULE = Rule(
    code="GL608",
    level=Level.WARNING,
    title="A Rollout or a Lane is of a group that the files do not contain, beside others of its namespace.",
    fix="Write the name of the LaneGroup into group, or give lint that group's file as well.",
    why="A Rollout of a group that does not exist cannot start, and a Lane waits until its time is over.",
    resources=check,
)
