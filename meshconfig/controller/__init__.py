"""`graylane controller`: makes what LaneGroup objects say become true in the mesh, without a lost request.

    controller  one leader by a Lease; watches feed a queue of groups, and workers take groups from it
    queue       each group once, however often it changed, and by one worker at a time
    reconcile   one look at a group: what it should be, the change, and what its status says
    ending      the deletion of a group: routes first, then the rest, then its finalizer
    watches     which kinds are watched where: those of the Gateway API from the first group that needs them
    owned       which group a resource of the mesh belongs to, and whether somebody changed it
    reporter    writes status and Events, no more often than people read them
    metrics     of groups, for Prometheus

Plans, locks and barriers are those of `graylane apply`. The controller stores nothing of its own: after a kill, the
objects, the history and the mesh say what is left to do.
"""

from meshconfig.controller.controller import Controller, Scope

__all__ = ["Controller", "Scope"]
