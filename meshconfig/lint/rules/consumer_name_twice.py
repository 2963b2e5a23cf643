"""Two consumers that share a consumer group or a queue."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    seen: dict[tuple[str, str], tuple[Group, str]] = {}
    for group in index.groups:
        for name, consumer in group.spec.spec.consumers.items():
            for version, one in consumer.versions.items():
                other, first = seen.setdefault((consumer.kind, one.name), (group, name))
                if (other, first) != (group, name):
                    message = _message(consumer.kind, one.name, first)
                    yield Hit(group, ("spec", "consumers", name, "versions", version), message)


def _message(kind: str, name: str, first: str) -> str:
    if kind == "kafka":
        return f"the consumer {first} has the group {name} too: when members of one come or go, both stop for a while"
    return f"the consumer {first} has the queue {name} too: each takes messages of the other"


RULE = Rule(
    code="GL614",
    level=Level.WARNING,
    title="Two consumers share a consumer group or a queue.",
    fix="Give each consumer a group or queue of its own.",
    why="Of a queue, each takes messages that are meant for the other; of a group, each rebalance stops both.",
    resources=check,
)
