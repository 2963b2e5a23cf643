"""The target of a rollback: the spec of an earlier revision as the wanted state."""

from meshconfig.cluster import history
from meshconfig.cluster.change.prepare import Wanted
from meshconfig.cluster.client import Client
from meshconfig.cluster.history import Past, Revision
from meshconfig.cluster.revision import RESTORE
from meshconfig.errors import InputError
from meshconfig.istio import Resources
from meshconfig.spec.preview import without_previews


def rollback_target(client: Client, namespace: str, group: str, to: int | None) -> Wanted:
    """The state of a group at an earlier revision.

    Parameters:
        to: the revision's number; 0 for what `apply --adopt` took over; None for the newest success with a spec other
            than the last applied, or without one for what was taken over.

    Raises:
        InputError: there is no such revision, no earlier success, or nothing to give back that an API server takes.
        UnreadableError: the revision cannot be read.
    """
    past = history.read(client, namespace, group)
    last = past.last
    if last and last.adopted and (to == 0 or (to is None and history.before_last(past.revisions) is None)):
        Resources.parse(last.adopted)  # a forged one may have fields of any type, which no planning expects
        return Wanted(group, namespace, last.spec, RESTORE, gone=True, stored=True, restored=last.adopted)
    if to == 0:
        said = f"group {namespace}/{group} has nothing that --adopt took over and that was not given back"
        raise InputError.at("--to", said + _unreadable(past))
    one = _numbered(past, to) if to is not None else _before_last(past)
    spec = without_previews(one.spec)
    return Wanted(group, namespace, spec, f"rollback to {one.number}", one.gone, stored=True)


def _numbered(past: Past, number: int) -> Revision:
    for one in past.revisions:
        if one.number == number:
            return one
    if error := past.unreadable_number(number):
        raise error
    known = ", ".join(str(one.number) for one in past.revisions) or "none"
    raise InputError.at("--to", f"group {past.namespace}/{past.group} has no revision {number}; it has {known}")


def _before_last(past: Past) -> Revision:
    # Where the newest revision cannot be read, the newest success before it is what to go back to.
    one = history.before_last(past.revisions) if past.damaged is None else history.last_applied(past.revisions)
    if one is None:
        said = f"group {past.namespace}/{past.group} has no earlier revision that succeeded"
        raise InputError.at("graylane rollback", said + _unreadable(past))
    return one


def _unreadable(past: Past) -> str:
    return "".join(f"; {error}" for error in past.unreadable)
