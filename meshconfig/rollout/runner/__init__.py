"""Whoever drives rollouts: the only part of them that waits, and that changes a cluster.

    runner    one at a time by a Lease; a worker for each active rollout
    worker    read the state, do what it asks for, report, again
    admission | scaling | routing | measuring    how each thing that it asks for is done
    kube_events | webhooks    who hears of it: Kubernetes Events, webhooks
    metrics   /metrics and /healthz

Nothing is kept here that a killed runner would take with it: what is to be done follows from the stored state alone.
"""

from meshconfig.rollout.runner.context import Settings
from meshconfig.rollout.runner.runner import Runner

__all__ = ["Runner", "Settings"]
