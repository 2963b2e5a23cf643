"""Routes that ask for the caller's labels, and none for other callers."""

from collections.abc import Iterator

from meshconfig.istio import VirtualService
from meshconfig.istio.gateways import in_mesh
from meshconfig.istio.pods import ADDED_LABELS
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.unreachable import conditions

OF_THE_CALLER = ("label", "namespace")


def _has_everybody(label: str) -> bool:
    """Whether Istio gives each Pod this label: such routes are for clusters, zones or nodes, and so for all callers."""
    return label.startswith(ADDED_LABELS)


def check(index: Index) -> Iterator[Hit]:
    for owner in index.resources.virtual_services:
        if in_mesh(owner.spec.gateways) and owner.spec.hosts and owner.spec.http and not _open_to_all(owner):
            message = "every route asks for labels or a namespace of the caller: for others none of this holds"
            yield Hit(owner, ("spec", "http"), message)


def _open_to_all(owner: VirtualService) -> bool:
    return any(
        one.gateways is not None or all(kind not in OF_THE_CALLER or _has_everybody(name) for kind, name in one.values)
        for number, route in enumerate(owner.spec.http)
        for _, one in conditions(owner, route, number)
    )


RULE = Rule(
    code="GL215",
    level=Level.WARNING,
    title="Every route requires labels of the caller, so that it applies to no other caller.",
    fix="End with a route without a match, to the baseline's version.",
    why="To a caller without these labels the VirtualService does not exist: Istio spreads its requests over the Pods "
    "of all versions.",
    resources=check,
)
