"""Weights of a service that name one version, with a number as of a share in percent."""

from collections.abc import Iterator

from meshconfig.compile.check import with_the_rest
from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule

WHOLE = 100
_SHARES = range(2, WHOLE)  # a weight of 1 is the usual way to name the only one


def is_one_sided(group: Group, name: str) -> bool:
    """Whether a service's weights give one version a part of 100, and leave the baseline's version out."""
    weights = group.spec.spec.services[name].weights
    if not weights:
        return False
    here = group.spec.service(name)
    above_0 = [weight for weight in weights.values() if weight]
    baseline = here.version_in(group.spec.spec.tag.default)
    left_out = len(here.spec.versions) > len(weights) and baseline not in weights
    return left_out and len(above_0) == 1 and above_0[0] in _SHARES


def check(group: Group, _index: Index) -> Iterator[Hit]:
    for name in group.spec.spec.services:
        if is_one_sided(group, name):
            yield Hit(group, ("spec", "services", name, "weights"), _message(group, name))


def _message(group: Group, name: str) -> str:
    here = group.spec.service(name)
    weights = here.spec.weights or {}
    only = next(version for version, weight in weights.items() if weight)
    others = [version for version in here.spec.versions if version not in weights]
    other = here.version_in(group.spec.spec.tag.default) or others[0]
    return (
        f"every untagged request goes to {only}: weights are relative to each other; write "
        f"{with_the_rest(weights, other)}, or {only}: {WHOLE} if it is to get all"
    )


RULE = Rule(
    code="GL615",
    level=Level.WARNING,
    title="A service's weights give a part of 100 to one version and name no other.",
    fix="Give the other version the rest, as in weights: {gray: 5, prod: 95}.",
    why="Weights are relative to each other, so that the only version gets every untagged request.",
    spec=check,
)
