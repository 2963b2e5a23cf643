"""A lint rule: its code, texts for users, an example, and the check."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from meshconfig.groups import Group
from meshconfig.istio import Resource
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.load import FieldPath


@dataclass(frozen=True, slots=True)
class Hit:
    """A mistake that a check found: the resource or group, the field, and a message.

    `level` replaces the rule's own where this case is milder or worse than most.
    """

    owner: Resource[Any] | Group
    path: FieldPath
    message: str
    level: Level | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule, which finds one kind of mistake. Its example is in `examples/CODE.bad.yaml` and `CODE.good.yaml`.

    Parameters:
        code: `GLnnn`; the code of a removed rule is never used again.
        title: the mistake, in one line.
        fix: the remedy, in one line.
        why: what happens in the mesh if nobody fixes it.
        istio, kiali: the codes with which `istioctl analyze` and Kiali report the same mistake.
        needs: groups of kinds. The rule reports nothing unless the input has a kind of each group.
        resources: the check of resources of any origin.
        spec: the check of one group's spec, for mistakes that its resources no longer show.
    """

    code: str
    level: Level
    title: str
    fix: str
    why: str
    istio: tuple[str, ...] = ()
    kiali: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    resources: Callable[[Index], Iterable[Hit]] | None = None
    spec: Callable[[Group, Index], Iterable[Hit]] | None = None

    @property
    def bad(self) -> str:
        """The example as YAML, with this mistake and no other."""
        return _example(self.code, "bad")

    @property
    def good(self) -> str:
        """The corrected example."""
        return _example(self.code, "good")


def _example(code: str, which: str) -> str:
    return (files("meshconfig.lint") / "examples" / f"{code}.{which}.yaml").read_text(encoding="utf-8")
