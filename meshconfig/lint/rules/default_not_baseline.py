"""A default route that is not the baseline's."""

from collections.abc import Iterator

from meshconfig.groups import Group
from meshconfig.istio import VirtualService, fqdn
from meshconfig.lint.finding import Level
from meshconfig.lint.http_fields import distinct
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.rules.weights_one_sided import is_one_sided


def check(index: Index) -> Iterator[Hit]:
    """Among routes to subsets, a default to none of them: it goes to every version's Pods."""
    for owner in distinct(use.owner for use in index.uses_of_whole_hosts):
        default = next((number for number, route in enumerate(owner.spec.http) if not route.match), None)
        if default is None:
            continue
        whole = [(place, one) for place, one in enumerate(owner.spec.http[default].route) if not one.destination.subset]
        chosen = _subset_hosts(owner, default) if whole else set()
        for place, one in whole:
            if fqdn(one.destination.host, owner.namespace) in chosen:
                path = ("spec", "http", default, "route", place, "destination")
                yield Hit(owner, path, f"no subset: untagged requests go to every version of {one.destination.host}")


def check_spec(group: Group, _index: Index) -> Iterator[Hit]:
    """A service whose untagged requests never go to the version that the baseline's tag means.

    With the baseline alone there is no other lane to keep them out of: `default` is a choice among versions then.
    """
    lane, lanes = group.spec.spec.tag.default, group.spec.spec.lanes
    for name, service in group.spec.spec.services.items() if len(lanes) > 1 else ():
        if (not service.default and not service.weights) or is_one_sided(group, name):
            continue  # they go to the baseline's version, or GL615 says what to write
        here = group.spec.service(name)
        version = here.version_in(lane)
        weights = service.weights or {str(service.default): 1}
        untagged = {name for name, weight in weights.items() if weight}
        if version and version not in untagged:
            field = "weights" if service.weights else "default"
            message = f"untagged requests never go to {version}, the version of the baseline {lane}"
            yield Hit(group, ("spec", "services", name, field), message)


def _subset_hosts(owner: VirtualService, before: int) -> set[str]:
    """The hosts, in full, to whose subsets the routes before this one lead."""
    targets = (one.destination for route in owner.spec.http[:before] for one in route.route)
    return {fqdn(one.host, owner.namespace) for one in targets if one.subset}


RULE = Rule(
    code="GL211",
    level=Level.WARNING,
    title="The default route does not lead to the baseline's version.",
    fix="Give the default route the baseline's subset; in a spec, put the baseline's version into default or weights.",
    why="Without a subset, untagged requests are spread over the Pods of all versions, including gray ones.",
    resources=check,
    spec=check_spec,
)
