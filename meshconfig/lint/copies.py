"""Resources that the input contains more than once. A cluster has one of each: the last one replaces the others."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple, cast

from meshconfig.istio import Resource, Resources
from meshconfig.istio.resources import Identity, identity
from meshconfig.lint.origin import Rendered
from meshconfig.render import GROUP, MANAGED_BY

Each = tuple[Resource[Any], ...]
_EACH = tuple(part.name for part in fields(Resources) if part.name not in ("repeated", "unreadable", "whole"))


class Replaced(NamedTuple):
    """A resource that has no effect, because `by` has its kind, namespace and name, and another content."""

    resource: Resource[Any]
    by: Resource[Any]


def one_of_each(given: Resources, made: Resources) -> tuple[Resources, tuple[Replaced, ...]]:
    """All resources, each once, and those whose content another one replaces.

    Parameters:
        given: the resources of the input, in its order.
        made: those that its specs render to, which are applied after all others.
    """
    joined: dict[str, Each] = {name: (*getattr(given, name), *getattr(made, name)) for name in _EACH}
    last = {identity(one): one for every in joined.values() for one in every}
    if len(last) == sum(map(len, joined.values())):
        return replace(given, **cast(dict[str, Any], joined)), _within(given)
    kept: dict[str, Any] = {name: tuple(one for one in every if _lasts(one, last)) for name, every in joined.items()}
    return replace(given, **kept), (*_within(given), *_replaced(joined.values(), last))


def _within(given: Resources) -> tuple[Replaced, ...]:
    """The resources of the input that a later one of the input replaces."""
    return tuple(Replaced(other, kept) for kept, other in given.repeated)


def _lasts(one: Resource[Any], last: Mapping[Identity, Resource[Any]]) -> bool:
    return not one.name or last[identity(one)] is one  # without a name of its own it gets one from the API server


def _replaced(joined: Iterable[Each], last: Mapping[Identity, Resource[Any]]) -> Iterator[Replaced]:
    for one in (one for every in joined for one in every if not _lasts(one, last)):
        by = last[identity(one)]
        if by.manifest != one.manifest and not _is_an_earlier_state(one, by):
            yield Replaced(one, by)


def _is_an_earlier_state(one: Resource[Any], by: Resource[Any]) -> bool:
    """Whether a resource is what an earlier apply of the same spec wrote: it comes from a cluster, say."""
    labels = one.metadata.labels
    mine = isinstance(by.source, Rendered) and labels.get(GROUP) == by.source.group.key[1]
    return mine and labels.get(MANAGED_BY) == "graylane"
