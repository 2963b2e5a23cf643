"""Which flow a change needs, and the words for it."""

from collections import defaultdict
from collections.abc import Iterable

from meshconfig.cluster.plan.difference import Difference
from meshconfig.cluster.plan.parts import host, short

SHOWN = 3
INSIDE = "a request that begins inside the mesh, not at an entry, may meet both"


def both_met(difference: Difference) -> tuple[str, ...]:
    """Why a direct change could let a request meet both, old and new; empty if none can.

    None can where at most one place changes for the lanes that were there: one service that others call, or entries.
    """
    moving = sorted(difference.redefined.moving)
    reasons = [f"subset {name} of {short(one)} gets other Pods while it serves" for one, name in moving]
    if not difference.enters:
        return tuple(reasons)
    if len(difference.meanings) > 1 or (difference.meanings and difference.entries):
        reasons += _meanings(difference)
        if difference.entries:
            entries = [host(difference.live.entries[name]) for name in difference.entries]
            reasons.append(f"{_and(entries)} {'leads' if len(entries) == 1 else 'lead'} elsewhere as well")
        if not difference.calls_known:
            reasons.append("no service says what it calls, so each may be called")
    return tuple(reasons)


def none_met(difference: Difference) -> tuple[str, ...]:
    """Why a direct change lets no request meet both."""
    if not difference.enters:
        when = "yet" if difference.wanted.entries else "any more"
        return (f"nothing comes in through an entry {when}",)
    if difference.meanings:
        one = short(next(iter(difference.meanings)))
        return (f"only {one} changes for the lanes that are there, and no entry leads elsewhere",)
    return ("no lane that is there changes between services",)


def risks(difference: Difference, *, consistent: bool) -> tuple[str, ...]:
    """Limits of what was chosen."""
    if consistent:
        found = [
            f"{INSIDE}: no entry gives it the new tag",
            "routes outside of this group that ask for a lane's tag by its exact value do not know it with .next",
        ]
        if difference.baggage:
            found.append("a service that passes on baggage and not the tag's header loses the new tag on the way")
        return tuple(found)
    if not difference.meanings:
        return ()
    if not difference.enters:
        return (INSIDE,)
    return (f"a request that calls {_and(short(one) for one in difference.meanings)} more than once may meet both",)


def gives_up(reasons: Iterable[str]) -> tuple[str, ...]:
    """What `--fast` risks."""
    return tuple(f"a request may meet old and new: {reason}" for reason in reasons)


def _meanings(difference: Difference) -> list[str]:
    """`gray means something else in cat and mouse`: lanes that change in the same services together."""
    places: dict[str | None, list[str]] = defaultdict(list)
    for one, lanes in difference.meanings.items():
        for lane in lanes:
            places[lane].append(short(one))
    together: dict[tuple[str, ...], list[str | None]] = defaultdict(list)
    for lane, hosts in places.items():
        together[tuple(hosts)].append(lane)
    return [_sentence(same, hosts) for hosts, same in together.items()]


def _sentence(lanes: list[str | None], hosts: tuple[str, ...]) -> str:
    names = ["no tag" if lane is None else lane for lane in lanes]
    return f"{_and(names)} {'means' if len(names) == 1 else 'mean'} something else in {_and(hosts)}"


def _and(words: Iterable[str]) -> str:
    every = list(dict.fromkeys(words))
    if len(every) > SHOWN:
        every = [*every[:SHOWN], f"{len(every) - SHOWN} more"]
    return " and ".join([", ".join(every[:-1]), every[-1]] if len(every) > 1 else every)
