"""What a rule is: its code, what to tell a reader, an example, and the check itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from meshconfig.groups import Group
from meshconfig.istio import Resource
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.load import FieldPath


@dataclass(frozen=True, slots=True)
class Hit:
    """What a check yields: whose field, which field, and what is wrong with it."""

    owner: Resource[Any] | Group
    path: FieldPath
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of mistake.

    Parameters:
        code: `GLnnn`, never used again for another rule.
        title: what is wrong, in one line.
        fix: what to do about it, in one line.
        why: what happens in the mesh when nobody does.
        bad, good: YAML of an example with this mistake and no other, and of the same without it.
        istio, kiali: the codes under which `istioctl analyze` and Kiali report the same mistake.
        needs: kinds without which nothing can be said: the rule is silent until one of each group is given.
        resources: looks at resources, of any origin.
        spec: looks at one group's spec, for what its resources no longer tell.
    """

    code: str
    level: Level
    title: str
    fix: str
    why: str
    bad: str
    good: str
    istio: tuple[str, ...] = ()
    kiali: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    resources: Callable[[Index], Iterable[Hit]] | None = None
    spec: Callable[[Group, Index], Iterable[Hit]] | None = None
