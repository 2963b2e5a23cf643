"""Compares what specs and manifests make of a request with what a case expects."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from meshconfig.explain import Names, percent
from meshconfig.route_tests.resolve import ResolvedCase, Version
from meshconfig.simulate import (
    Decision,
    Destination,
    DirectResponse,
    Failure,
    Outcome,
    Redirect,
    Step,
    Undecided,
    follow,
    simulate,
)

NOT_COMPARED = "its status is the service's own, which only --send sees"


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer of the resources to a case.

    Parameters:
        failures: what is not as expected, one sentence each; none for a case that passes.
        notes: what was not compared, one sentence each.
        steps: the ways along the expected chain; empty where none is expected.
    """

    case: ResolvedCase
    decision: Decision
    steps: tuple[Step, ...] = ()
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def check(names: Names, case: ResolvedCase, *, allow_undecided: bool = False) -> Checked:
    """Simulates the request of a case, and compares the answer.

    Parameters:
        allow_undecided: what could change the answer and is not known is a note, and no failure.
    """
    decision = simulate(names.given.index, case.request)
    steps = _steps(names, case)
    reader = Reader(names)
    failures = list(dict.fromkeys(_failures(reader, case, decision, steps)))
    notes: list[str] = []
    expect = case.written.case.expect
    if expect.status is not None and (case.answer or case.chain) and decision.destinations:
        notes.append(f"status {expect.status} was not compared: {NOT_COMPARED}")
    unanswered = any(isinstance(one, Undecided) for one in _outcomes(decision, steps))
    (notes if allow_undecided and not unanswered else failures).extend(_undecided(decision, steps))
    return Checked(case, decision, steps, tuple(failures), tuple(notes))


def _steps(names: Names, case: ResolvedCase) -> tuple[Step, ...]:
    if not case.hops:
        return ()
    hops = [(hop.host, hop.port) for hop in case.hops]
    return follow(names.given.index, case.request, hops, carrying=names.carrying)


def _outcomes(decision: Decision, steps: Iterable[Step]) -> Iterator[Outcome]:
    yield from (share.outcome for share in decision.shares)
    yield from (outcome for step in steps for outcome in step.outcomes)


def _undecided(decision: Decision, steps: Iterable[Step]) -> list[str]:
    every = [decision, *(one for step in steps for one in step.decisions)]
    return [f"not decided: {why}" for why in dict.fromkeys(why for one in every for why in one.undecided)]


class Reader:
    """Says who is expected and who answers, in the words of the case."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def expected(self, wanted: Version | int) -> str:
        if isinstance(wanted, int):
            return f"status {wanted}"
        service = self.names.short(wanted.host) if wanted.host else ""
        return "/".join(part for part in (service, wanted.name) if part) if service else f"version {wanted.name}"

    def mismatch(self, wanted: Version, outcome: Outcome) -> str | None:
        """Why an outcome is not the version; None where it is."""
        if isinstance(outcome, Undecided):
            return None  # the decision says why
        said = f"expected {self.expected(wanted)}; got {self.names.said(outcome)}"
        if not isinstance(outcome, Destination):
            return said
        if wanted.host is not None and self.names.place(outcome)[0] != wanted.host:
            return said
        if not wanted.name:
            return None
        found = self.names.answering(outcome)
        if len(found) == 1:
            return None if found == {wanted.name} else said
        if found:
            return f"{said}: the route names no subset, so that any of these Pods may answer"
        return f"{said}: the route names no subset, and which Pods answer is not known"


def _failures(reader: Reader, case: ResolvedCase, decision: Decision, steps: Sequence[Step]) -> Iterator[str]:
    expect = case.written.case.expect
    if case.answer is not None and not case.shares:
        yield from _answers(reader, case.answer, decision)
    if case.chain:
        yield from _along(reader, case, steps)
    if expect.redirect is not None:
        yield from _redirects(reader, expect.redirect, decision)
    if expect.status is not None:
        yield from _statuses(reader, case, expect.status, decision)
    if case.shares:
        yield from _shares(reader, case, decision)
    if expect.headers:
        yield from _headers(reader, case, decision)


def _of(probability: Fraction) -> str:
    return "" if probability == 1 else f" for {percent(probability)} of the requests"


def _answers(reader: Reader, wanted: Version, decision: Decision) -> Iterator[str]:
    for share in decision.shares:
        if why := reader.mismatch(wanted, share.outcome):
            yield why + _of(share.probability)


def _along(reader: Reader, case: ResolvedCase, steps: Sequence[Step]) -> Iterator[str]:
    wanted = " → ".join(map(reader.expected, case.chain))
    for step in steps:
        if any(isinstance(one, Undecided) for one in step.outcomes):
            continue
        # A way that ends early ends at what is not as expected.
        if any(reader.mismatch(*pair) for pair in zip(case.chain, step.outcomes, strict=False)):
            got = " → ".join(map(reader.names.said, step.outcomes))
            yield f"expected the chain {wanted}; got {got}{_of(step.probability)}"


def _redirects(reader: Reader, wanted: str, decision: Decision) -> Iterator[str]:
    for share in decision.shares:
        got = share.outcome
        if isinstance(got, Undecided) or (isinstance(got, Redirect) and got.location == wanted):
            continue
        yield f"expected a redirect to {wanted}; got {_shown(reader, got)}{_of(share.probability)}"


def _shown(reader: Reader, outcome: Outcome) -> str:
    return f"a redirect to {outcome.location}" if isinstance(outcome, Redirect) else reader.names.said(outcome)


def _statuses(reader: Reader, case: ResolvedCase, wanted: int, decision: Decision) -> Iterator[str]:
    for share in decision.shares:
        got = share.outcome
        if isinstance(got, Destination):
            if not (case.answer or case.chain):
                yield f"expected status {wanted}; got {reader.names.said(got)}: {NOT_COMPARED}{_of(share.probability)}"
        elif not isinstance(got, Undecided) and status_of(got) != wanted:
            yield f"expected status {wanted}; got {reader.names.said(got)}{_of(share.probability)}"


def status_of(outcome: Outcome) -> int | None:
    """The status that a proxy answers with by itself; None for any other outcome."""
    return outcome.status if isinstance(outcome, Redirect | DirectResponse | Failure) else None


def _shares(reader: Reader, case: ResolvedCase, decision: Decision) -> Iterator[str]:
    left = list(decision.shares)
    for one in case.shares:
        matching = [share for share in left if _is(reader, one.answer, share.outcome)]
        left = [share for share in left if share not in matching]
        got = sum((share.probability for share in matching), Fraction(0))
        if abs(got - one.share) > one.digits:
            yield f"expected {percent(one.share)} for {reader.expected(one.answer)}; got {percent(got)}"
    for share in left:
        if not isinstance(share.outcome, Undecided):
            where = case.answer.host if case.answer else None
            others = "" if where is None else f"expected {reader.names.short(where)}; "
            other = reader.names.said(share.outcome)
            yield f"{others}got {percent(share.probability)} for {other}, which is not expected"


def _is(reader: Reader, wanted: Version | int, outcome: Outcome) -> bool:
    if isinstance(wanted, int):
        return status_of(outcome) == wanted
    return isinstance(outcome, Destination) and reader.mismatch(wanted, outcome) is None


def _headers(reader: Reader, case: ResolvedCase, decision: Decision) -> Iterator[str]:
    if not decision.destinations and not any(isinstance(one.outcome, Undecided) for one in decision.shares):
        got = reader.names.said(decision.shares[0].outcome)
        yield f"expected headers at a service; got {got}, and nothing reaches one"
    for share in decision.shares:
        if isinstance(share.outcome, Destination):
            for name, wanted in case.expect_headers:
                values = [value for key, value in share.outcome.headers if key == name]
                if (", ".join(values) if values else None) != wanted:
                    sees = (
                        f"{reader.names.said(share.outcome)} sees {name}: {', '.join(values)}"
                        if values
                        else f"{name} is absent"
                    )
                    yield f"expected {f'{name}: {wanted}' if wanted is not None else f'no {name}'}; {sees}"
