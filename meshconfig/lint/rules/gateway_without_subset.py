"""A gateway's route to a host whose subsets only the mesh routes choose."""

from collections import defaultdict
from collections.abc import Iterator

from meshconfig.istio.gateways import at_gateways
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index, Use
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    whole = [use for use in index.uses_of_whole_hosts if at_gateways(use.owner.spec.gateways)]
    chosen = _chosen_by_own_routes(index) if whole else {}
    for use in whole:
        other = next((one.owner for one in chosen.get(use.host, ()) if one.owner is not use.owner), None)
        if other:
            message = f"this leads to every version of {use.host}: {other} chooses among them between services only"
            yield Hit(use.owner, use.path, message)


def _chosen_by_own_routes(index: Index) -> dict[str, list[Use]]:
    """For each host, the destinations with a subset in the host's own VirtualServices."""
    found: dict[str, list[Use]] = defaultdict(list)
    for _, hosts, uses in index.uses_by_owner:
        for use in uses:
            if use.host in hosts and use.destination.subset:
                found[use.host].append(use)
    return found


RULE = Rule(
    code="GL205",
    level=Level.WARNING,
    title="A gateway's route has no subset, but the routes between services have.",
    fix="Repeat the service's routes at the gateway: each destination with its subset.",
    why="A gateway does not use the mesh's routes: requests from outside go to all Pods, including gray ones.",
    istio=("IST0140",),
    resources=check,
)
