"""A request followed through the services that it makes call each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from meshconfig.istio import Resources
from meshconfig.simulate.carry import Carrying
from meshconfig.simulate.decide import simulate
from meshconfig.simulate.decision import Decision, Destination, Outcome
from meshconfig.simulate.index import Index
from meshconfig.simulate.request import Request

CARRYING = Carrying(("env",))


@dataclass(frozen=True, slots=True)
class Step:
    """One way that a request may take, and its probability.

    Parameters:
        probability: above 0, at most 1.
        outcomes: the outcome at each hop; a way ends early where a hop has no destination or leaves the chain.
        decisions: the decision at each hop.
    """

    probability: Fraction
    outcomes: tuple[Outcome, ...]
    decisions: tuple[Decision, ...]


def follow(
    resources: Resources | Index,
    request: Request,
    chain: Sequence[tuple[str, int | None]],
    *,
    carrying: Carrying = CARRYING,
) -> tuple[Step, ...]:
    """Every way that a request may take along a chain of services; the probabilities sum to 1.

    Parameters:
        chain: host and port of each service, in order. `request` goes to the first; each service calls the next.
        carrying: what services hand on.
    """
    index = resources if isinstance(resources, Index) else Index(resources)
    ways = [Step(Fraction(1), (), ())]
    for number, call in enumerate(chain):
        before = chain[number - 1][0] if number else None
        ways = [
            longer for way in ways for longer in _longer(index, way, _next(index, way, request, before, call, carrying))
        ]
    return tuple(_merged(ways))


def _next(
    index: Index, way: Step, request: Request, before: str | None, call: tuple[str, int | None], carrying: Carrying
) -> Request | None:
    """The request of the next hop; None where the way has ended, because the request did not reach `before`."""
    if before is None:
        return request
    at = way.outcomes[-1]
    if not isinstance(at, Destination):
        return None
    reached = carrying.service_of(at.host)
    if reached.partition(".")[0] != before.partition(".")[0]:
        return None
    known = index.registry.get(at.host)
    return Request(
        call[0],
        headers=carrying.sent(at.host, at.headers),
        source_namespace=known.namespace if known else "",
        source_labels=_labels(index, at),
        port=call[1],
    )


def _longer(index: Index, way: Step, request: Request | None) -> Iterator[Step]:
    if request is None:
        yield way
        return
    decision = simulate(index, request)
    for share in decision.shares:
        yield Step(
            way.probability * share.probability,
            (*way.outcomes, share.outcome),
            (*way.decisions, decision),
        )


def _labels(index: Index, at: Destination) -> Mapping[str, str] | None:
    """The labels of the Pods that send the next request; None unless exactly one workload can be meant."""
    found = [one for one in index.registry.all_workloads() if f"{one.namespace}/{one.name}" in (at.preferred or ())]
    return found[0].spec.template.metadata.labels if len(found) == 1 else None


def _merged(ways: Iterable[Step]) -> Iterator[Step]:
    sums: dict[tuple[Outcome, ...], Step] = {}
    for way in ways:
        known = sums.get(way.outcomes)
        sums[way.outcomes] = replace(known, probability=known.probability + way.probability) if known else way
    return iter(sums.values())
