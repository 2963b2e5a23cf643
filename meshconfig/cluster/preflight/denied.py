"""Checks that the account has the permissions that the change needs."""

from collections.abc import Iterator
from itertools import groupby

from meshconfig.cluster.preflight.finding import Finding, error
from meshconfig.cluster.preflight.permission import Permission
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot


def check(snapshot: ClusterSnapshot) -> Iterator[Finding]:
    for (namespace, what), ones in groupby(sorted(snapshot.denied, key=_place), _place):
        verbs = ", ".join(sorted(one.verb for one in ones))
        fix = f"Bind the Role of k8s/rbac to this account in {namespace}, or one that has these verbs."
        yield error(f"Namespace {namespace}", f"this account may not {verbs} {what}", fix)


def _place(one: Permission) -> tuple[str, str]:
    return one.namespace, one.what
