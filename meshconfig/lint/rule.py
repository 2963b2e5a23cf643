"""What a rule is: its code, what to tell a reader, an example, and the check itself."""

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
    """What a check yields: whose field, which field, and what is wrong with it."""

    owner: Resource[Any] | Group
    path: FieldPath
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of mistake. Its example stands in `examples/CODE.bad.yaml` and `CODE.good.yaml`.

    Parameters:
        code: `GLnnn`, never used again for another rule.
        title: what is wrong, in one line.
        fix: what to do about it, in one line.
        why: what happens in the mesh when nobody does.
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
    istio: tuple[str, ...] = ()
    kiali: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    resources: Callable[[Index], Iterable[Hit]] | None = None
    spec: Callable[[Group, Index], Iterable[Hit]] | None = None

    @property
    def bad(self) -> str:
        """YAML with this mistake and no other."""
        return _example(self.code, "bad")

    @property
    def good(self) -> str:
        """The same without it."""
        return _example(self.code, "good")


def _example(code: str, which: str) -> str:
    return (files("meshconfig.lint") / "examples" / f"{code}.{which}.yaml").read_text(encoding="utf-8")
