"""From what is there to what is wanted, in steps that lose no request. Pure.

parts (what is what) → difference (which lane meets something else where) → why (which flow)
→ direct | consistent (drafts) → steps (what of it is left to do, and what waits for what) → Plan
"""

from collections.abc import Mapping

from meshconfig.cluster.objects import State
from meshconfig.cluster.plan.consistent import consistent
from meshconfig.cluster.plan.depth import called, depths
from meshconfig.cluster.plan.difference import difference
from meshconfig.cluster.plan.direct import direct
from meshconfig.cluster.plan.flow import Flow
from meshconfig.cluster.plan.parts import Parts
from meshconfig.cluster.plan.steps import NewSubset, Plan, Step, assemble
from meshconfig.cluster.plan.why import both_met, gives_up, none_met, risks

__all__ = ["NewSubset", "Plan", "Step", "called", "depths", "plan"]


def plan(
    live: State,
    wanted: State,
    *,
    tag: str,
    baseline: str,
    depth: Mapping[str, int],
    called: frozenset[str] | None = None,
    fast: bool = False,
    settled: bool = False,
) -> Plan:
    """The steps from live to wanted; none where nothing differs.

    Parameters:
        live: what is in the cluster, ours alone, without what the server adds; a change cut off may have left it.
        wanted: what `render` makes of the group.
        tag: the name of the tag's header. baseline: the lane of who sends none.
        depth: of each host, 0 for one that calls nothing (`depths`); those change first.
        called: the hosts that services call (`called`); None where that is not known: then any may be.
        fast: change directly, also where requests under way may meet both.
        settled: the last change came to its end, and what was under way then has ended. Where that is not known, the
            plan waits for it before anything that could hurt.
    """
    if live == wanted:
        return Plan((), False, ("nothing differs",), ())
    change = difference(Parts.of(live), Parts.of(wanted), tag, called)
    flow = Flow(live, wanted, change, baseline, depth)
    reasons = both_met(change)
    if reasons and not fast:
        steps = assemble(live, consistent(flow), settled=settled)
        return Plan(steps, True, reasons, risks(change, consistent=True))
    steps = assemble(live, direct(flow, fast=fast), settled=settled)
    limits = gives_up(reasons) if reasons else risks(change, consistent=False)
    return Plan(steps, False, reasons or none_met(change), limits)
