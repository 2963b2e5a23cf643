"""Checks what the account may do: change what the change needs, and read what the other checks need."""

from collections.abc import Iterator
from itertools import groupby

from meshconfig.cluster.preflight.finding import Finding, error, warning
from meshconfig.cluster.preflight.permission import Permission
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot


def denied(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    """An error for each kind and namespace where the account lacks permissions."""
    for (namespace, what), ones in groupby(sorted(snapshot.denied, key=_place), _place):
        verbs = ", ".join(sorted(one.verb for one in ones))
        fix = f"Bind the Role of k8s/rbac to this account in {namespace}, or one that has these verbs."
        yield error(f"Namespace {namespace}", f"this account may not {verbs} {what}", fix)


def unread(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    """A warning for everything that could not be read, so that nobody takes the silence of a check for health."""
    for place, reason in snapshot.unread.items():
        fix = "Allow this account to read it (k8s/rbac), or look at it yourself."
        yield warning(str(place), f"not checked: {reason}", fix)


def _place(one: Permission) -> tuple[str, str]:
    return one.namespace, one.what
