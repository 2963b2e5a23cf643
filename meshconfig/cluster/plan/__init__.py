"""From what is there to what is wanted, in steps that lose no request. Pure.

routing_change (which lane meets something else where) → why (which flow) → direct | consistent (drafts: tables)
→ steps (what of it is left to do, what waits for what, lowered to resources) → Plan
"""

from collections.abc import Iterable, Mapping

from meshconfig.cluster.objects import key
from meshconfig.cluster.plan.consistent import consistent
from meshconfig.cluster.plan.depth import called, depths
from meshconfig.cluster.plan.direct import direct
from meshconfig.cluster.plan.flow import Flow
from meshconfig.cluster.plan.routing_change import routing_change
from meshconfig.cluster.plan.steps import Assembly, Draft, Lower, NewSubset, Plan, Step
from meshconfig.cluster.plan.why import fast_risks, risks, why_mixed, why_safe
from meshconfig.model import RoutingState

__all__ = ["Lower", "NewSubset", "Plan", "Step", "called", "depths", "plan"]


def plan(
    live: RoutingState,
    wanted: RoutingState,
    *,
    lower: Lower,
    tag: str,
    baseline: str,
    depth: Mapping[str, int],
    called: frozenset[str] | None = None,
    fast: bool = False,
    settled: bool = False,
) -> Plan:
    """The steps from live to wanted; none where nothing differs.

    Parameters:
        live: what is in the cluster, graylane's alone, as its backend lifts it; a change cut off may have left it.
        wanted: the tables of the group's model.
        lower: the resources of a table.
        tag: the name of the tag's header.
        baseline: the lane of requests without a tag.
        depth: of each host, 0 for one that calls nothing (`depths`); those change first.
        called: the hosts that services call (`called`); None where that is not known: then any may be.
        fast: change directly, also where requests under way may meet both.
        settled: the last change came to its end, and what was under way then has ended. Where that is not known, the
            plan waits for it before anything that could hurt.
    """
    assembly = Assembly.start(live.tables, lower, settled=settled)
    if assembly.now == {key(one): one for table in wanted.tables for one in lower(table)}:
        return Plan((), False, ("nothing differs",), ())
    change = routing_change(live, wanted, tag, called)
    flow = Flow(change, baseline, depth)
    reasons = why_mixed(change)
    if reasons and not fast:
        return Plan(_assembled(assembly, consistent(flow)), True, reasons, risks(change, consistent=True))
    steps = _assembled(assembly, direct(flow, fast=fast))
    limits = fast_risks(reasons) if reasons else risks(change, consistent=False)
    return Plan(steps, False, reasons or why_safe(change), limits)


def _assembled(assembly: Assembly, drafts: Iterable[Draft]) -> tuple[Step, ...]:
    for draft in drafts:
        assembly.add(draft)
    return tuple(assembly.steps)
