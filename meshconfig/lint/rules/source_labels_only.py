"""Routes that ask for the caller's labels, and none for other callers."""

from collections.abc import Iterator

from meshconfig.istio import HTTPMatchRequest, VirtualService
from meshconfig.istio.gateways import in_mesh
from meshconfig.istio.pods import ADDED_LABELS
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def _has_everybody(label: str) -> bool:
    """Whether Istio gives each Pod this label: such routes are for clusters, zones or nodes, and so for all callers."""
    return label.startswith(ADDED_LABELS)


def check(index: Index) -> Iterator[Hit]:
    for owner in index.http.owners_of_matches("source_labels", "source_namespace"):
        if in_mesh(owner.spec.gateways) and owner.spec.hosts and owner.spec.http and not _open_to_all(owner):
            message = "every route asks for labels or a namespace of the caller: for others none of this holds"
            yield Hit(owner, ("spec", "http"), message)


def _open_to_all(owner: VirtualService) -> bool:
    return any(not route.match or any(map(_is_open, route.match)) for route in owner.spec.http)


def _is_open(match: HTTPMatchRequest) -> bool:
    """Does it take any caller? Istio ignores the caller's labels in a match that names gateways."""
    return bool(match.gateways) or (not match.source_namespace and all(map(_has_everybody, match.source_labels)))


RULE = Rule(
    code="GL215",
    level=Level.WARNING,
    title="Every route requires labels of the caller, so that it applies to no other caller.",
    fix="End with a route without a match, to the baseline's version.",
    why="To a caller without these labels the VirtualService does not exist: Istio spreads its requests over the Pods "
    "of all versions.",
    resources=check,
)
