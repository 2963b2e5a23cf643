"""Whoever drives rollouts: the only part of them that waits, and that changes a cluster.

    runner    one at a time by a Lease; a worker for each active rollout
    worker    read the state, do what it asks for, report, again
    taking_up | scaling | routing | measuring    how each thing that it asks for is done
    announcing | telling    who hears of it: Kubernetes Events, webhooks
    metrics   /metrics and /healthz

Nothing is kept here that a killed runner would take with it: what is to be done follows from the stored state alone.
"""

from meshconfig.rollout.runner.runner import Runner
from meshconfig.rollout.runner.world import Settings

__all__ = ["Runner", "Settings"]
