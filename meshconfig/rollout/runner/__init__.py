"""Drives rollouts: the only part of them that waits, and that changes a cluster.

    runner    one at a time, by a Lease; a worker for each active rollout
    worker    reads the state, carries out the actions that the state machine returns with it, reports the outcome
    admission | scaling | routing | measuring    how each action is carried out
    kube_events | webhooks    publish the log: Kubernetes Events, webhooks
    metrics   /metrics and /healthz

A runner that is killed takes nothing with it: the actions follow from the stored state alone.
"""

from meshconfig.rollout.runner.context import Settings
from meshconfig.rollout.runner.runner import Runner

__all__ = ["Runner", "Settings"]
