"""What somebody changed in the mesh by hand, and who: for the Event that the controller writes before it goes back."""

from meshconfig.cluster.change import Prepared
from meshconfig.cluster.diff import Kind, ResourceDiff
from meshconfig.cluster.fields import other_managers
from meshconfig.cluster.objects import Manifest

SHOWN = 5  # resources that a message names


def is_drift(prepared: Prepared) -> bool:
    """Whether the mesh differs from a spec that was applied completely: so it is the mesh that has changed."""
    return bool(prepared.differences) and prepared.remembered and prepared.settled


def told(prepared: Prepared) -> str:
    """What differs, with the managers that the API server names, in one line."""
    found = [_told(one, prepared.live.raw.get(one.key)) for one in prepared.differences]
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def _told(one: ResourceDiff, raw: Manifest | None) -> str:
    if one.kind is Kind.CREATED:
        return f"{one.key} was deleted"
    managers = dict.fromkeys(each.manager for each in other_managers(raw)) if raw else {}
    return f"{one.key} was changed" + (f" by {', '.join(managers)}" if managers else "")
