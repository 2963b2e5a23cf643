"""A service behind which the routes no longer see the tag."""

from collections.abc import Iterator

from meshconfig import baggage
from meshconfig.groups import Group
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.model import Carries
from meshconfig.simulate import Carrying, loss
from meshconfig.simulate.request import Pairs

SOME_LANE = "lane"
Reached = tuple[str, Pairs]  # a service and the headers that reach it


def check(group: Group, _index: Index) -> Iterator[Hit]:
    if len(group.spec.spec.lanes) > 1:
        for name, message in sorted({*_lost(group)}):
            yield Hit(group, ("spec", "services", name, "carries"), message)


def _lost(group: Group) -> Iterator[tuple[str, str]]:
    """Follows the tag from the entries along `calls`."""
    model = group.model
    services = {one.name: one for one in model.services}
    carrying = Carrying((model.tag,), {one.host: one.carries for one in model.services})
    callees = _Callees(group)
    steps: dict[tuple[Carries, Pairs], tuple[Pairs, str | None]] = {}  # the same for all services that carry alike
    waiting, seen = [*_entered(group)], set[Reached]()
    while waiting:
        reached = waiting.pop()
        name, received = reached
        if reached in seen or not callees.has_any(name):
            continue
        seen.add(reached)
        service = services[name]
        step = (service.carries, received)
        if step not in steps:
            sent = carrying.sent(service.host, received)
            steps[step] = sent, loss(name, service.carries, model.tag, received, sent, in_baggage=model.baggage)
        sent, lost = steps[step]
        if lost:
            yield name, loss(name, service.carries, model.tag, received, sent, in_baggage=model.baggage) or lost
        if sent:
            waiting += [(callee, sent) for callee in callees.new(name, sent)]


def _entered(group: Group) -> Iterator[Reached]:
    """The services at entries, with what an entry sets; without entries, those that nobody calls."""
    spec = group.spec.spec
    header = ((spec.tag.header, SOME_LANE),)
    both = (*header, (baggage.HEADER, baggage.member(spec.tag.header, SOME_LANE)))
    for entry in spec.entries:
        for route in entry.routes:
            yield route.service, both
            if entry.baggage == "keep":
                yield route.service, header
    if not spec.entries:
        called = {name for service in spec.services.values() for name in service.calls}
        yield from ((name, both) for name in spec.services if name not in called)


class _Callees:
    """The services that each service calls; where no service says so, each of the others may be."""

    def __init__(self, group: Group) -> None:
        self._calls = {name: one.calls for name, one in group.spec.spec.services.items()}
        self._said = any(self._calls.values())
        self._senders: dict[Pairs, str] = {}

    def has_any(self, name: str) -> bool:
        return bool(self._calls[name]) if self._said else len(self._calls) > 1

    def new(self, name: str, sent: Pairs) -> tuple[str, ...]:
        """The callees that these headers reach for the first time, as far as that is known.

        Where each service may call each other one, a first sender's headers reach all others, a second one's the first.
        """
        if self._said:
            return self._calls[name]
        first = self._senders.setdefault(sent, name)
        return tuple(other for other in self._calls if other != name) if first == name else (first,)


RULE = Rule(
    code="GL605",
    level=Level.WARNING,
    title="A service loses the tag on the way.",
    fix="Have it send the tag's header, or, where it sends baggage alone, set tag.baggage: true.",
    why="Behind it requests are untagged: they go to the baseline, whatever lane they came in by.",
    spec=check,
)
