"""Decides which flow a change needs, and words the reasons and the risks for people."""

from collections import defaultdict
from collections.abc import Iterable

from meshconfig.backend.kinds import OWN_GATEWAY
from meshconfig.cluster.objects import Manifest, State
from meshconfig.cluster.plan.routing_change import RoutingChange
from meshconfig.istio.hosts import EVERY_HOST, service_name

SHOWN = 3
INSIDE = "a request that begins inside the mesh, not at an entry, may meet both"


def why_mixed(change: RoutingChange) -> tuple[str, ...]:
    """Why a direct change could let one request meet both old and new routes; empty if it cannot.

    It cannot if at most one place changes for the live lanes. A place is one service that others call, or the entries.
    """
    moving = sorted(change.redefined.moving)
    reasons = [f"subset {name} of {_short(one)} gets other Pods while it serves" for one, name in moving]
    if not change.enters:
        return tuple(reasons)
    if len(change.meanings) > 1 or (change.meanings and change.entries):
        reasons += _meanings(change)
        if change.entries:
            entries = [change.live.entries[name].host for name in change.entries]
            reasons.append(f"{_and(entries)} {'leads' if len(entries) == 1 else 'lead'} elsewhere as well")
        if not change.calls_known:
            reasons.append("no service says what it calls, so each may be called")
    return tuple(reasons)


def why_safe(change: RoutingChange) -> tuple[str, ...]:
    """Why a direct change lets no request meet both old and new routes."""
    if not change.enters:
        when = "yet" if change.wanted.entries else "any more"
        return (f"nothing comes in through an entry {when}",)
    if change.meanings:
        one = _short(next(iter(change.meanings)))
        return (f"only {one} changes for the lanes that are there, and no entry leads elsewhere",)
    return ("no lane that is there changes between services",)


def risks(change: RoutingChange, *, consistent: bool) -> tuple[str, ...]:
    """What can go wrong with the chosen flow, one sentence each."""
    if consistent:
        return (
            f"{INSIDE}: no entry gives it the new tag",
            "routes outside of this group that ask for a lane's tag by its exact value do not know it with .next",
        )
    if not change.meanings:
        return ()
    if not change.enters:
        return (INSIDE,)
    return (f"a request that calls {_and(_short(one) for one in change.meanings)} more than once may meet both",)


def fast_risks(reasons: Iterable[str]) -> tuple[str, ...]:
    """The risks of a direct change that `--fast` forces, one for each reason against it."""
    return tuple(f"a request may meet old and new: {reason}" for reason in reasons)


def new_addresses(live: State, wanted: State) -> tuple[str, ...]:
    """The hosts that get another address, as their Gateway of the Gateway API gets another name; one sentence each.

    Istio makes Pods and an address for each such Gateway, whose name comes from its entry's first host.
    """
    gone, new = (
        {name: one for name, one in these.items() if name.kind == OWN_GATEWAY and name not in those}
        for these, those in ((live, wanted), (wanted, live))
    )
    return tuple(
        f"{_and(hosts)} {'gets' if len(hosts) == 1 else 'get'} another address: {one} takes the place of {name}, "
        "as the first host of an entry names its Gateway"
        for name, old in gone.items()
        for one, other in new.items()
        if (hosts := sorted(_hostnames(old) & _hostnames(other)))
    )


def _hostnames(gateway: Manifest) -> set[str]:
    return {str(one.get("hostname", EVERY_HOST)) for one in gateway["spec"].get("listeners") or ()}


def _meanings(change: RoutingChange) -> list[str]:
    """Sentences such as `gray means something else in cat and mouse`, one for all lanes that change in both."""
    places: dict[str | None, list[str]] = defaultdict(list)
    for one, lanes in change.meanings.items():
        for lane in lanes:
            places[lane].append(_short(one))
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


def _short(host: str) -> str:
    """The first label of a Service's host, by which people know the service; of any other the whole host."""
    return host.partition(".")[0] if service_name(host) or "." not in host else host
