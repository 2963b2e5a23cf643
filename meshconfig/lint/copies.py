"""Resources that the input contains more than once. A cluster has one of each: the last one replaces the others."""

from typing import Any, NamedTuple

from meshconfig.istio import Resource, Resources
from meshconfig.lint.origin import Rendered
from meshconfig.render import GROUP, MANAGED_BY


class Replaced(NamedTuple):
    """A resource that has no effect, because `by` has its kind, namespace and name, and another content."""

    resource: Resource[Any]
    by: Resource[Any]


def replaced(given: Resources, joined: Resources) -> tuple[Replaced, ...]:
    """The resources whose content another one replaces.

    Parameters:
        given: the resources of the input, in its order.
        joined: the same with those that its specs render to, which are applied after all others.
    """
    pairs = (*given.repeated, *joined.repeated)
    return tuple(Replaced(other, kept) for kept, other in pairs if not _is_said_elsewhere(other, kept))


def _is_said_elsewhere(one: Resource[Any], by: Resource[Any]) -> bool:
    """Whether specs render to both, of which GL609 names the fields, or one is an earlier state of the other."""
    return isinstance(one.source, Rendered) or _is_an_earlier_state(one, by)


def _is_an_earlier_state(one: Resource[Any], by: Resource[Any]) -> bool:
    """Whether a resource is what an earlier apply of the same spec wrote: it comes from a cluster, say."""
    labels = one.metadata.labels
    mine = isinstance(by.source, Rendered) and labels.get(GROUP) == by.source.group.key[1]
    return mine and labels.get(MANAGED_BY) == "graylane"
