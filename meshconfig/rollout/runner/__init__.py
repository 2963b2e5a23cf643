"""Drives rollouts: the only part of them that waits, and that changes a cluster.

    driver    gets what the controller's watches see; a worker for each rollout that asks for something
    worker    reads the state, carries out the actions that the state machine returns, reports the outcome
    upkeep    what belongs to the object: first state, finalizer, changed spec, deletion, what Git says meanwhile
    admission | scaling | routing | measuring    how each action is carried out
    kube_events | webhooks    publish the log: Kubernetes Events, webhooks
    metrics   /metrics and /healthz

A controller that is killed takes nothing with it: the actions follow from the stored state alone.
"""

from meshconfig.rollout.runner.context import Settings
from meshconfig.rollout.runner.driver import Driver

__all__ = ["Driver", "Settings"]
