"""The weights of an `auto` step: one rung up while metrics pass, one rung down after a failed measurement."""

from meshconfig.spec.rollout import Auto


def rungs(auto: Auto) -> tuple[int, ...]:
    """`{from: 5, to: 100, add: 40}` gives 5, 45, 85, 100."""
    return (*range(auto.from_, auto.to, auto.add), auto.to)


def above(auto: Auto, rung: int) -> int | None:
    """The next rung; None after the last one."""
    return rung + 1 if rung + 1 < len(rungs(auto)) else None


def below(rung: int) -> int:
    """The previous rung; at the first one, the weight stays."""
    return max(rung - 1, 0)
