"""A version of a consumer without a workload."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(group: Group, index: Index) -> Iterator[Hit]:
    namespace = group.spec.metadata.namespace
    for name in group.spec.spec.consumers if index.pods.given(namespace) else ():
        consumer = group.spec.consumer(name)
        for version in consumer.spec.versions:
            workload = consumer.workload(version)
            if not index.pods.named(namespace, workload):
                message = f"no workload in {namespace} is called {workload}"
                yield Hit(group, ("spec", "consumers", name, "versions", version), message)


RULE = Rule(
    code="GL613",
    level=Level.WARNING,
    title="A version of a consumer has no workload.",
    fix="Name the Deployment of its consumers: versions: {VERSION: {name: GROUP, workload: DEPLOYMENT}}.",
    why="Nobody consumes the messages of its lanes there; the baseline's consumers take them.",
    needs=("Deployment",),
    spec=check,
)
