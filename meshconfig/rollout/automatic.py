"""`auto`: the weights that metrics drive, up a rung while they pass, down a rung after a failed measurement."""

from meshconfig.spec.rollout import Auto


def rungs(auto: Auto) -> tuple[int, ...]:
    """`{from: 5, to: 100, add: 40}` goes by 5, 45, 85, 100."""
    return (*range(auto.from_, auto.to, auto.add), auto.to)


def above(auto: Auto, rung: int) -> int | None:
    """The next rung; None where the metrics have passed at the last."""
    return rung + 1 if rung + 1 < len(rungs(auto)) else None


def below(rung: int) -> int:
    """The rung before; the first has none, so the weight stays."""
    return max(rung - 1, 0)
