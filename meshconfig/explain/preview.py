"""What each entry and lane answers before and after a change, computed from the resources of both. Pure.

sides (resources and tables before and after) → questions (kinds of requests) → answers → rows that differ
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from meshconfig.explain.given import Given
from meshconfig.explain.names import Names, percent
from meshconfig.explain.questions import Question, questions
from meshconfig.groups import Group
from meshconfig.istio import Resources
from meshconfig.istio.hosts import namespace_of
from meshconfig.istio.resources import Manifest
from meshconfig.model import RoutingState
from meshconfig.simulate import Decision, Destination, Outcome, Request, simulate

NOT_SERVED = "not served"
_HOPS = 40  # services in one answer, at most


class Row(NamedTuple):
    """Requests to one place that are answered alike.

    Parameters:
        place: host and path at a gateway, or the name of a service that others call.
        requests: what the requests carry, such as `env: gray` or `no tag`.
        before, after: who answers, with all services behind.
    """

    place: str
    requests: tuple[str, ...]
    before: str
    after: str


class Preview(NamedTuple):
    """The answers that change.

    Parameters:
        rows: of the kinds of requests whose answers change.
        changed, total: how many kinds of requests there are of these, and in all.
        untried: routes whose conditions no request was found for, one sentence each.
    """

    rows: tuple[Row, ...]
    changed: int
    total: int
    untried: tuple[str, ...]


class Side:
    """The routing before or after a change.

    Parameters:
        groups: the specs of both sides, this one's last.
        manifests: the group's resources.
        tables: the same resources as tables.
    """

    def __init__(self, groups: Sequence[Group], manifests: Iterable[Manifest], tables: RoutingState) -> None:
        self.tables = tables
        self.group = groups[-1]
        resources = Resources.parse([*manifests, *_gateways_of_others(tables)])
        self.names = Names(Given(tuple(groups), resources, "", only_specs=True))
        self.services = {one.name: one for one in self.group.model.services}
        self.reached: set[str] = set()
        self._left = 0

    def answer(self, asked: Question) -> str:
        """Who answers: `cat/gray → mouse/prod`, or `90 % cat/prod; 10 % cat/gray`."""
        if asked.gateway and not any(asked.is_of(one) for one in self.tables.entries.values()):
            return NOT_SERVED
        self._left = _HOPS
        return self._shares(self._asked(asked) if asked.gateway else self._call(asked.host, asked.request), ())

    def _asked(self, asked: Question) -> Decision:
        """The answer to plain HTTP, or to HTTPS where only that is served."""
        found = [simulate(self.names.given.index, asked.at(scheme)) for scheme in ("http", "https")]
        return next((one for one in found if one.destinations), found[0])

    def _call(self, host: str, request: Request, caller: str = "") -> Decision:
        service = self.names.by_host.get(host)
        made = Request(
            host,
            request.path,
            request.method,
            request.pairs,
            source_namespace=namespace_of(caller or host) or "default",
            port=service.port if service else None,
        )
        return simulate(self.names.given.index, made)

    def _shares(self, decision: Decision, above: tuple[str, ...]) -> str:
        sums: dict[str, Fraction] = {}
        for share in decision.shares:
            text = self._outcome(share.outcome, above)
            sums[text] = sums.get(text, Fraction(0)) + share.probability
        if len(sums) == 1:
            return next(iter(sums))
        return "; ".join(f"{percent(share)} {text}" for text, share in sums.items())

    def _outcome(self, outcome: Outcome, above: tuple[str, ...]) -> str:
        """One answer and those behind it; a service that calls one of those above it closes a circle."""
        said = self.names.said(outcome)
        if not isinstance(outcome, Destination):
            return said
        said += " while it has healthy Pods" if outcome.prefers else ""
        self.reached.add(outcome.host)
        self._left -= 1
        sent = Request("", headers=self.names.carrying.sent(outcome.host, outcome.headers))
        below = []
        for callee in self._callees(outcome.host):
            if callee in (*above, outcome.host):
                continue
            if self._left <= 0:
                below.append("…")
                break
            found = self._shares(self._call(callee, sent, outcome.host), (*above, outcome.host))
            below.append(f"({found})" if "; " in found else found)
        return " → ".join([said, *([f"({', '.join(below)})"] if len(below) > 1 else below)])

    def _callees(self, host: str) -> Iterator[str]:
        caller = next((one for one in self.services.values() if one.host == host), None)
        yield from (self.services[name].host for name in (caller.calls if caller else ()) if name in self.services)


def _gateways_of_others(tables: RoutingState) -> Iterator[Manifest]:
    """A stand-in for each Gateway that an entry uses and the group does not make: it serves every host."""
    used = {name for table in tables.entries.values() for name in table.gateways}
    for name in sorted(used - {f"{one.namespace}/{one.name}" for one in tables.gateways}):
        namespace, _, own = name.partition("/")
        port = {"number": 80, "name": "http", "protocol": "HTTP"}
        yield {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"name": own, "namespace": namespace},
            "spec": {"selector": {"istio": "ingressgateway"}, "servers": [{"port": port, "hosts": ["*"]}]},
        }


def preview(before: Side, after: Side) -> Preview:
    """Compares the answers of two sides, to all kinds of requests that their entries and lanes tell apart.

    A service that no entry leads to, by the calls between services, is asked as another service calls it; and so is
    one with a rule, as it is not known which headers besides the tag its callers pass on.
    """
    asked, untried = questions(before.tables, after.tables, (before.group, after.group))
    every = [(one, before.answer(one), after.answer(one)) for one in asked if one.gateway]
    reached = before.reached | after.reached
    left = [one for one in asked if not one.gateway and (one.special or one.host not in reached)]
    every += [(one, before.answer(one), after.answer(one)) for one in left]
    rows: dict[tuple[str, str, str], list[str]] = {}
    for one, old, new in every:
        if old != new:
            place = one.place if one.gateway else f"{after.names.short(one.host)}, called by services"
            rows.setdefault((place, old, new), []).append(one.label)
    changed = tuple(Row(place, tuple(labels), old, new) for (place, old, new), labels in rows.items())
    return Preview(changed, sum(len(one.requests) for one in changed), len(every), untried)
