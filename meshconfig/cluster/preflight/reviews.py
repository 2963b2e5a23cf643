"""Asks the API server what the account may do, with one request a namespace where that tells it.

Source: Kubernetes, authorization.k8s.io/v1 SelfSubjectRulesReview and SelfSubjectAccessReview; how a rule matches:
kubernetes/kubernetes `pkg/apis/rbac/v1/evaluation_helpers.go`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from meshconfig.cluster.client import Client
from meshconfig.cluster.preflight.permission import Permission
from meshconfig.errors import ApiError

API = "authorization.k8s.io/v1"
ALL = "*"

Rule = Mapping[str, Any]


def granted_by_rules(client: Client, needs: Iterable[Permission]) -> frozenset[Permission]:
    """Those of the permissions that the rules of their namespaces grant. The others may be granted all the same.

    One question answers for a namespace, where each permission by itself takes twenty.
    """
    places: dict[str, list[Permission]] = {}
    for one in needs:
        places.setdefault(one.namespace, []).append(one)
    asked = [ones for ones in places.values() if len(ones) > 1]  # for one permission, the exact question is as short
    rules = client.map_concurrently(lambda ones: _rules(client, ones[0].namespace), asked)
    return frozenset(
        one
        for ones, found in zip(asked, rules, strict=True)
        for one in ones
        if any(_grants(rule, one) for rule in found)
    )


def is_granted(client: Client, need: Permission) -> bool:
    """The server's own answer for one permission."""
    body = {"apiVersion": API, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": need._asdict()}}
    answer = client.request("POST", f"/apis/{API}/selfsubjectaccessreviews", body)
    return bool(answer["status"]["allowed"])


def _rules(client: Client, namespace: str) -> list[Rule]:
    """What the account may do in a namespace; empty where the server cannot tell it whole.

    With an authorizer that decides case by case, such as a webhook, the rules are incomplete: it may also deny what a
    rule grants.
    """
    body = {"apiVersion": API, "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    try:
        status = client.request("POST", f"/apis/{API}/selfsubjectrulesreviews", body)["status"]
    except ApiError:
        return []  # not served, or forbidden: the exact questions say what people are told
    return [] if status.get("incomplete") else list(status.get("resourceRules") or ())


def _grants(rule: Rule, need: Permission) -> bool:
    """Whether a rule grants a permission for all objects; one for named objects does not."""
    return (
        not rule.get("resourceNames")
        and _has(rule, "verbs", (need.verb,))
        and _has(rule, "apiGroups", (need.group,))
        and _has(rule, "resources", tuple(_names(need)))
    )


def _has(rule: Rule, field: str, names: Collection[str]) -> bool:
    return any(one == ALL or one in names for one in rule.get(field) or ())


def _names(need: Permission) -> Iterator[str]:
    """What a rule may call the resource of a permission."""
    yield f"{need.resource}/{need.subresource}" if need.subresource else need.resource
    if need.subresource:
        yield f"{ALL}/{need.subresource}"
