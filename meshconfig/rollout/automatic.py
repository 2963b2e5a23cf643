"""The weights of an `auto` step: a rung up while the metrics pass, a rung down after a failed measurement."""

from meshconfig.spec.rollout import Auto


def rungs(auto: Auto) -> tuple[int, ...]:
    """The weights, rising: `{from: 5, to: 100, add: 40}` gives 5, 45, 85, 100."""
    return (*range(auto.from_, auto.to, auto.add), auto.to)


def above(auto: Auto, rung: int) -> int | None:
    """The index of the next weight; None after the last one."""
    return rung + 1 if rung + 1 < len(rungs(auto)) else None


def below(rung: int) -> int:
    """The index of the weight before; the first weight stays."""
    return max(rung - 1, 0)
