"""What would be refused among all resources of the input, grouped by the kind of mistake: one rule each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from meshconfig.admission import Kind, Refusal, check, is_checked
from meshconfig.istio import Resource
from meshconfig.istio.resources import Unreadable
from meshconfig.lint.origin import Rendered
from meshconfig.load import FieldPath


class Refused(NamedTuple):
    """One refusal with its resource."""

    owner: Resource[Any]
    path: FieldPath
    message: str


def refused(resources: Iterable[Resource[Any]], unreadable: Iterable[Unreadable]) -> dict[Kind, list[Refused]]:
    """All refusals.

    Parameters:
        unreadable: resources with fields of a wrong type. Of kinds without a table of fields, and of what the table
            takes, what made them unreadable is reported.
    """
    found: dict[Kind, list[Refused]] = defaultdict(list)
    for owner in resources:
        for one in _refusals(owner):
            found[one.kind].append(Refused(owner, one.path, one.message))
    for left_out in unreadable:
        owner = left_out.resource
        why = _refusals(owner) or [Refusal(Kind.WRONG_TYPE, *fault) for fault in left_out.faults]
        for one in why:
            found[one.kind].append(Refused(owner, one.path, one.message))
    return found


def _refusals(owner: Resource[Any]) -> Sequence[Refusal]:
    if isinstance(owner.source, Rendered) and owner.source.is_graylanes_own:
        return ()
    return check(owner.manifest, owner.namespace) if is_checked(owner.manifest) else ()
