"""What was asked of the API server, as RBAC calls it; and what it says that an account may."""

import json
import os
import subprocess
from pathlib import Path

from meshconfig.cluster.client import APPLY

Right = tuple[str, str, str]  # namespace, resource, verb

VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}
# Of an account's name, of what it may do, and of what there is, any account may ask.
ANYBODY = ("selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews")


def rights(method: str, where: str, content_type: str = "") -> set[Right]:
    """What a request takes; nothing where it is no namespace's."""
    _, _, rest = where.partition("/namespaces/")
    if not rest:
        return set()
    namespace, *parts = rest.split("/")
    if not parts:
        return {(namespace, "namespaces", "get")}
    resource, name, below = (*parts, "", "")[:3]
    verb = VERBS.get(method, "get" if name else "list")
    # Server-side apply creates what is not there.
    verbs = {verb, "create"} if content_type == APPLY else {verb}
    return {(namespace, f"{resource}/{below}" if below else resource, verb) for verb in verbs}


def allowed(config: Path, namespace: str) -> set[Right]:
    """What the API server says that an account may do in a namespace."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    command = ["kubectl", "create", "--raw", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", "-f", "-"]
    environment = {**os.environ, "KUBECONFIG": str(config)}
    done = subprocess.run(
        command, input=json.dumps(review), env=environment, capture_output=True, text=True, check=True
    )
    return {
        (namespace, what, verb)
        for rule in json.loads(done.stdout)["status"]["resourceRules"]
        for what in rule["resources"]
        for verb in rule["verbs"]
        if what not in ANYBODY
    }
