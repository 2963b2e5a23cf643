"""Plans a change: the steps that lead from the tables in a cluster to the wanted ones and lose no request. Pure.

routing_change (which lanes get other routes, and in which services) → why (which flow the change needs)
→ direct | consistent | adoption (the flow's drafts, as tables)
→ steps (the drafts that still have something to do, with their waits, lowered to resources) → Plan
"""

from collections.abc import Iterable, Mapping, Sequence

from meshconfig.cluster.objects import key
from meshconfig.cluster.plan.adoption import adoption
from meshconfig.cluster.plan.consistent import consistent, why_too_long
from meshconfig.cluster.plan.depth import called, depths
from meshconfig.cluster.plan.direct import direct
from meshconfig.cluster.plan.flow import Flow
from meshconfig.cluster.plan.routing_change import routing_change
from meshconfig.cluster.plan.steps import (
    Assembly,
    Draft,
    Lower,
    NewSubset,
    Plan,
    Step,
    Transition,
    at_once,
    too_large,
)
from meshconfig.cluster.plan.why import fast_risks, risks, why_mixed, why_safe
from meshconfig.model import RoutingState

__all__ = ["Lower", "NewSubset", "Plan", "Step", "called", "depths", "plan"]


def plan(
    live: RoutingState,
    wanted: RoutingState,
    *,
    lower: Lower,
    transition: Transition = at_once,
    tag: str,
    baseline: str,
    depth: Mapping[str, int],
    called: frozenset[str] | None = None,
    fast: bool = False,
    settled: bool = False,
    adopted: Sequence[str] = (),
) -> Plan:
    """Plans the steps from the live tables to the wanted ones; no steps where the resources are equal.

    Parameters:
        live: the group's tables in the cluster, as the backend lifts them. They may be what an interrupted change left.
        wanted: the tables of the group's model.
        lower: returns the resources of a table.
        transition: returns the writes that lead from the resources of a table to others, in waves.
        tag: the name of the tag's header.
        baseline: the lane of requests without a tag.
        depth: the depth of each host in the calls between services, as `depths` returns it. A host that calls nothing
            has 0; services of a smaller depth change first.
        called: the hosts that services call, as the function `called` returns them; None where it is not known, so
            that any host may be called.
        fast: take the direct flow even if one request may meet both old and new routes.
        settled: the last change is complete, and the requests that were running then have ended. If False, the plan
            first waits for proxies and requests wherever a step could harm them.
        adopted: what the change takes over from others, or gives back to them, a sentence each; these resources are
            among the live or the wanted tables. Empty for a change of the group's own resources.
    """
    assembly = Assembly.start(live.tables, lower, settled=settled, transition=transition)
    if assembly.now == {key(one): one for table in wanted.tables for one in lower(table)}:
        return Plan((), False, ("nothing differs",), ())
    change = routing_change(live, wanted, tag, called)
    flow = Flow(change, baseline, depth)
    if adopted:
        return Plan(_assembled(assembly, adoption(flow)), False, tuple(adopted), ())
    reasons = why_mixed(change)
    long = why_too_long(flow) if reasons and not fast else ()
    if reasons and not fast and not long:
        drafted = _assembled(
            Assembly.start(live.tables, lower, settled=settled, transition=transition), consistent(flow)
        )
        if not (long := why_too_large(drafted)):
            return Plan(drafted, True, reasons, risks(change, consistent=True))
    steps = _assembled(assembly, direct(flow, fast=fast or bool(long)))
    limits = fast_risks(reasons) if reasons else risks(change, consistent=False)
    return Plan(steps, False, (*reasons, *long) or why_safe(change), limits)


def why_too_large(steps: Iterable[Step]) -> tuple[str, ...]:
    """Why the API server would refuse a consistent change half-way, which has the routes of both states at once."""
    return tuple(f"a consistent change would on its way write {said}" for said in too_large(steps))


def _assembled(assembly: Assembly, drafts: Iterable[Draft]) -> tuple[Step, ...]:
    for draft in drafts:
        assembly.add(draft)
    return tuple(assembly.steps)
