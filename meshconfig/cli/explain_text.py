"""The text that `graylane explain` prints: the routes that were tried, the answer, and what is not certain of it."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from meshconfig.cli.common import Line
from meshconfig.explain import Hop, Names
from meshconfig.istio.gateway_api import Reported
from meshconfig.simulate import Decision, Destination, NearMiss, Outcome, Request, RouteRef, Step, loss

# Of a spec it is known that what it names exists, so that only these are told.
_TOLD_OF_SPECS = ("the client calls port ",)


def lines(
    request: Request,
    origin: str,
    decision: Decision,
    misses: Sequence[NearMiss],
    said: Sequence[Reported],
    notes: Sequence[str],
    names: Names,
) -> Iterator[Line]:
    """The answer for one request.

    Parameters:
        origin: where the request comes from; empty for specs, whose requests have but one origin.
        said: what istiod reports against routes; what it does not accept is among the misses.
        notes: further sentences, such as one about a tag that names no lane.
    """
    sent = "  ".join(f"{name}: {value}" for name, value in request.headers)
    yield f"{request.method} {request.host}{request.path}" + (f"   {sent}" if sent else ""), "bold"
    if origin:
        yield f"  {origin}", "dim"
    yield from ((one, "yellow") for one in notes)
    seen = ""
    for skipped in decision.skipped:
        yield from _heading(skipped.route.resource, seen)
        seen = skipped.route.resource
        yield _row("no ", _place(skipped.route), str(skipped), "dim")
    if decision.route:
        yield from _heading(decision.route.resource, seen)
        yield _row("yes", _place(decision.route), "takes it", "green")
    for share in decision.shares:
        yield _share(share.outcome, share.probability, names, sent=bool(request.headers))
        yield from _pods(share.outcome)
    yield from ((f"copied to {mirror} ({percent(mirror.share)})", "dim") for mirror in decision.mirrors)
    yield from ((f"not used: {one}", "yellow") for one in misses)
    yield from ((f"reported: {one}", "yellow") for one in said if not one.refusal)
    yield from ((f"not decided: {one}", "yellow") for one in decision.undecided)
    only_specs = names.given.only_specs
    told = [one for one in decision.assumed if not only_specs or one.startswith(_TOLD_OF_SPECS)]
    yield from ((f"assumed: {one}", "dim") for one in told)


def _heading(resource: str, seen: str) -> list[Line]:
    return [] if resource == seen else [(f"  {resource}", "")]


def _place(ref: RouteRef) -> str:
    own = ref.written.rpartition(" ")[2] or f"{ref.kind}[{ref.index}]"
    return ref.name or (f"{own} → {ref.delegate} http[{ref.delegate_index}]" if ref.delegate else own)


def _row(mark: str, name: str, text: str, style: str) -> Line:
    return (f"    {mark} {name:<12} {text}", style)


def _share(outcome: Outcome, probability: Fraction, names: Names, *, sent: bool) -> Line:
    share = "" if probability == 1 else f"{percent(probability):>6} "
    if not isinstance(outcome, Destination):
        return (f"→ {share}{outcome}", "red")
    labels = ", ".join(f"{name}={value}" for name, value in outcome.labels)
    where = f"{outcome.host}:{outcome.port}" if outcome.port else outcome.host
    place = where + (f", Pods with {labels}" if labels else "")
    if outcome.authority in names.of_host and outcome.authority != outcome.host:
        place += f", Host: {outcome.authority}"
    headers = "  ".join(f"{name}: {value}" for name, value in outcome.headers) or (
        "none of these headers" if sent else ""
    )
    return (f"→ {share}{names.version(outcome)}   ({place})   it sees {headers or 'no header of these'}", "bold")


def _pods(outcome: Outcome) -> Iterator[Line]:
    """The workloads behind a destination, where any of its namespace are known."""
    if not isinstance(outcome, Destination) or outcome.workloads is None:
        return
    if not outcome.workloads:
        yield "    no workload that is given has such Pods: 503, if there are no others", "yellow"
    elif outcome.preferred != outcome.workloads:
        rest = f"; {', '.join(outcome.workloads)} while none of these is healthy"
        yield f"    answered by {', '.join(outcome.preferred or ())}{rest}", "dim"
    else:
        yield f"    answered by {', '.join(outcome.workloads)}", "dim"


def percent(share: Fraction) -> str:
    return f"{float(share):.4g}" if share < Fraction(1, 1000) else f"{float(share) * 100:.3g} %"


def chain_lines(steps: Sequence[Step], names: Names, hops: Sequence[Hop]) -> list[Line]:
    """Every way along a chain of services, with the services that lose the tag."""
    if not steps:
        return []
    ways = [line for step in steps for line in _chain(step, names, hops)]
    return [("", ""), ("along the chain:", "bold"), *ways]


def _chain(step: Step, names: Names, hops: Sequence[Hop]) -> Iterator[Line]:
    way = " → ".join(names.version(one) if isinstance(one, Destination) else str(one) for one in step.outcomes)
    left = [hop.name for hop in hops[len(step.outcomes) :]]
    missed = f"   it never comes to {', '.join(left)}" if left else ""
    yield f"  {percent(step.probability):>6} {way}{missed}", ""
    yield from ((f"         {one}", "yellow") for one in losses(step, names, hops))


def losses(step: Step, names: Names, hops: Sequence[Hop]) -> Iterator[str]:
    """The services of specs that lose the tag along this way."""
    for hop, at in zip(hops[:-1], step.outcomes, strict=False):
        if isinstance(at, Destination) and names.carrying.service_of(at.host) == hop.host and hop.model is not None:
            sent = names.carrying.sent(hop.host, at.headers)
            if lost := loss(hop.name, hop.carries, hop.model.tag, at.headers, sent, in_baggage=hop.model.baggage):
                yield lost
