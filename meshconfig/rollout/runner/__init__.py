"""Carries out rollouts. Only this package waits, and changes the cluster.

    runner       holds the namespace's Lease; starts a worker for each active rollout
    worker       reads the state, carries out its actions, reports the result, repeats
    admission, scaling, routing, measuring    carry out one kind of action each
    kube_events, webhooks    report each entry of the log
    metrics      serves /metrics and /healthz

A runner keeps no state of its own, so that killing it loses nothing: all actions follow from the stored state.
"""

from meshconfig.rollout.runner.context import Settings
from meshconfig.rollout.runner.runner import Runner

__all__ = ["Runner", "Settings"]
