"""What graylane's accounts may do: one table for preflight's questions, for the manifests in k8s/ and for their tests.

`graylane` is the account of a person or a CI job that changes the mesh itself, `graylane-objects` that of one that
changes LaneGroup objects, which a controller carries out, `graylane-previews` that of a CI job that makes preview
lanes, `graylane-viewer` that of a person who looks at the console, `graylane-controller` that of the controller, and
`graylane-explain` that of `explain --live`, which reads and changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from meshconfig.backend.kinds import KINDS, OF_GATEWAY_API, OWNED, ROUTING, Role

Account = Literal[
    "graylane", "graylane-objects", "graylane-previews", "graylane-viewer", "graylane-controller", "graylane-explain"
]
# People and CI jobs; no Pod runs as one of them.
OUTSIDERS = ("graylane", "graylane-objects", "graylane-previews", "graylane-viewer")
NAMES = tuple(kind.name for kind in ROUTING if Role.RARE not in kind.role)
OUTSIDE = tuple(kind.name for kind in ROUTING if Role.RARE in kind.role and Role.OPTIONAL not in kind.role)
FOR_GATEWAY_API = tuple(kind.name for kind in OF_GATEWAY_API)
SCALING = tuple(kind.name for kind in OWNED if Role.SCALING in kind.role)


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on kinds in the namespace of a group.

    Parameters:
        why: what the verbs are for; it becomes a comment of the manifest.
        subresource: such as `scale`.
        names: the objects that it is limited to; empty for all.
    """

    kinds: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    subresource: str = ""
    names: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The API group of its kinds: one Right has kinds of one group."""
        (group,) = {KINDS[name].group for name in self.kinds}
        return group

    @property
    def resources(self) -> tuple[str, ...]:
        tail = f"/{self.subresource}" if self.subresource else ""
        return tuple(KINDS[name].plural + tail for name in self.kinds)


# Verbs for graylane's own records in the group's namespace: the lock, the revisions, and the rollouts.
LOCK = ("get", "create", "update")
HISTORY = ("list", "create", "update", "delete")
ROLLOUTS = ("list",)
WRITE = ("create", "patch")

_PODS = (
    Right(
        ("EndpointSlice",),
        ("list",),
        "Read, so that nothing is routed to where nobody answers: Services and their ports, the Pods behind each "
        "subset and which of them are ready, and whether the namespace has sidecars. A Role can grant its own "
        "namespace alone.",
    ),
    Right(("Service", "Pod"), ("list",), ""),
    Right(("Namespace",), ("get",), ""),
)
RIGHTS: dict[Account, tuple[Right, ...]] = {
    "graylane": (
        Right(
            NAMES,
            ("list", *WRITE, "delete"),
            "What a spec renders to. list: what is there now, one request a kind. patch: server-side apply, and "
            "create where the resource is new. delete: what is no longer in the spec.",
        ),
        Right(
            OUTSIDE,
            ("list", *WRITE, "delete"),
            "Hosts outside the mesh, for services with `external`. Take the rule away if no spec has one.",
        ),
        Right(SCALING, ("list", *WRITE, "delete"), ""),
        Right(
            ("ConfigMap",),
            (*HISTORY, "patch"),
            "The history, a ConfigMap a revision. create: begin one. update: how it ended. delete: the eleventh. And "
            "who consumes which messages, for a spec with `consumers`. patch: server-side apply.",
        ),
        Right(
            ("Rollout",),
            ("get", *ROLLOUTS, *WRITE),
            "Rollouts. list: while one is active, only it changes its group. create, patch: start one.",
        ),
        Right(
            ("Rollout",),
            ("update",),
            "Start one, and decide on it (approve, pause, abort …), by compare-and-swap.",
            "status",
        ),
        Right(
            ("Lease",),
            LOCK,
            "One operator at a time. update: renew it, take it over, give it back; by compare-and-swap, so that get "
            "comes first.",
        ),
        *_PODS,
        Right(
            ("Deployment",),
            ("get", "list"),
            "Read alone. list, for `status`: how many Pods of a version should be there. get, for `rollout start`: "
            "is the Deployment of each version there.",
        ),
        Right(("LaneGroup",), ("get",), "Whether a controller has the group; then the account changes nothing of it."),
    ),
    "graylane-objects": (
        Right(
            ("LaneGroup",),
            ("get", "list", "watch", "create", "patch", "update", "delete"),
            "What a controller carries out. list and watch: follow it. create: `kubectl apply` of the first. patch: "
            "server-side apply. update: `--adopt`, where fields of others go.",
        ),
        Right(
            ("ConfigMap",),
            ("list",),
            "The history, for `history` and `rollback`. The rest of `status`, and the plan of `--dry-run`, take the "
            "lists of k8s/rbac/graylane.yaml.",
        ),
    ),
    "graylane-previews": (
        Right(
            ("Lane",),
            ("get", "list", "watch", *WRITE, "delete"),
            "Preview lanes. create, patch: server-side apply, and until when a lane is kept. watch: follow it "
            "until it can be reached, or has gone.",
        ),
        Right(("LaneGroup",), ("get",), "The version that is cloned by default, and how a lane is reached."),
    ),
    "graylane-viewer": (
        Right(
            ("LaneGroup",),
            ("get", "list"),
            "The groups. Whoever may list them sees their traffic too: the pages Graph and Carry.",
        ),
        Right(("Lane",), ("get", "list"), "Preview lanes."),
        Right(("Rollout",), ("get", "list"), "Rollouts, with their metrics and their log."),
        Right(("ConfigMap",), ("list",), "The history. RBAC knows no labels: it is every ConfigMap of the namespace."),
        Right(("Lease",), ("get",), "Who changes a group now."),
        Right((*NAMES, *OUTSIDE), ("list",), "What routes requests, and what others have changed there."),
        Right(FOR_GATEWAY_API, ("list",), "The same of groups with `backend: gateway`."),
        Right(SCALING, ("list",), ""),
        *_PODS,
        Right(("Deployment",), ("list",), "How many Pods of a version should be there."),
    ),
    "graylane-controller": (
        Right(
            ("LaneGroup",),
            ("get", "list", "watch", "patch"),
            "What should be true. patch: the finalizer, by which routes go before the object does; never `spec`.",
        ),
        Right(("LaneGroup",), ("patch",), "What is true, and how far a plan is.", "status"),
        Right(
            NAMES,
            ("list", "watch", *WRITE, "delete"),
            "Each plan is an apply, with the rights that one takes (k8s/rbac/graylane.yaml). watch: what others change "
            "goes back to what the group says.",
        ),
        Right(
            OUTSIDE,
            ("list", "watch", *WRITE, "delete"),
            "Hosts outside the mesh, for a group whose services have `external`.",
        ),
        Right(SCALING, ("list", "watch", *WRITE, "delete"), "delete: also the old version's, once it is retired."),
        Right(
            ("ConfigMap",),
            (*HISTORY, "patch"),
            "The history of the applies. patch: who consumes which messages, for a spec with `consumers`.",
        ),
        Right(
            ("Rollout",),
            ("get", *ROLLOUTS, "watch", "patch"),
            "What is to be driven. patch: the finalizer that holds a rollout until it has ended, and no spec.",
        ),
        Right(("Rollout",), ("update",), "Its state, read and written by compare-and-swap.", "status"),
        Right(
            ("Lane",),
            ("get", "list", "watch", "patch", "delete"),
            "Preview lanes. patch: the finalizer, by which routes go before Pods do; never `spec`. delete: one that "
            "has expired. The rules of preview lanes can be taken away together.",
        ),
        Right(("Lane",), ("patch",), "Preview lanes: how far each is.", "status"),
        Right(("Lease",), LOCK, "One controller at a time, and one operator of a group at a time."),
        *_PODS,
        Right(
            ("Deployment",),
            ("get", "delete"),
            "How many Pods there are and how many are ready; delete: the old version, once it is retired.",
        ),
        Right(("Deployment",), ("patch",), "Of a Deployment only its number of Pods: no image, no command.", "scale"),
        Right(
            ("Deployment",),
            ("list", "watch", *WRITE),
            "Preview lanes: their clones, and when the Pods of these are ready. RBAC cannot limit it to clones.",
        ),
        Right(
            ("Job",),
            ("list", "watch", "create", "delete"),
            "Preview lanes: the Jobs before and after, from the templates of CronJobs.",
        ),
        Right(("CronJob",), ("get",), ""),
        Right(
            ("Event",),
            ("create",),
            "What happened to a group; each transition of a rollout, also as an Event of the new version's Deployment.",
        ),
        Right(
            ("Secret",),
            ("get",),
            "What signs the webhooks. Name here the Secrets of your rollouts' `notify`, or take the rule away: "
            "without resourceNames it would be every Secret of the namespace.",
            names=("rollout-hook",),
        ),
    ),
    "graylane-explain": (
        Right(
            ("VirtualService", "DestinationRule", "Gateway", "ServiceEntry", "Sidecar"),
            ("list",),
            "What routes requests.",
        ),
        Right(FOR_GATEWAY_API, ("list",), ""),
        Right(("Service",), ("list",), "The hosts and ports that there are."),
        Right(("Pod",), ("list",), "Who may send, and which Pods a subset has."),
        Right(("Deployment", "StatefulSet", "DaemonSet"), ("list",), ""),
        Right(
            ("EnvoyFilter",),
            ("list",),
            "What may change an answer and is not computed. explain says so where there is one.",
        ),
        Right(("WasmPlugin", "TrafficExtension"), ("list",), ""),
        Right(("AuthorizationPolicy", "RequestAuthentication"), ("list",), ""),
    ),
}
ISTIOD = (
    Right(("Pod",), ("list",), "Which Pods are istiod's."),
    Right(
        ("Pod",),
        ("get", "create"),
        "Their debug pages, which answer their own host alone: by a port-forward, as istioctl reads them. Older API "
        "servers ask for one verb of the two. RBAC cannot say which Pod or port: this reaches any port of any Pod of "
        "istio-system.",
        "portforward",
    ),
)
# Where the controller's Pods have a Lease of their own, beside those of the groups.
LEADER = (Right(("Lease",), LOCK, "One controller at a time."),)
# What an account needs besides for groups with `backend: gateway`, in a manifest of its own.
_ROUTES = "What a spec with `backend: gateway` renders to in place of VirtualServices and Gateways of Istio."
_SERVICES = "A Service for each version. RBAC cannot say which: this reaches every Service of the namespace."
GATEWAY_API: dict[Account, tuple[Right, ...]] = {
    "graylane": (
        Right(FOR_GATEWAY_API, ("list", *WRITE, "delete"), _ROUTES),
        Right(("Service",), ("list", *WRITE, "delete"), _SERVICES),
    ),
    "graylane-controller": (
        Right(
            FOR_GATEWAY_API,
            ("list", "watch", *WRITE, "delete"),
            f"{_ROUTES} watch: what others change goes back to what the group says.",
        ),
        Right(("Service",), ("list", "watch", *WRITE, "delete"), _SERVICES),
    ),
}
# The controller's Pods are in a namespace that enforces the `restricted` Pod Security Standard. Where sidecars are
# injected it cannot be enforced: Istio's init container needs more.
HOMES: dict[Account, str] = {"graylane-controller": "graylane-system"}
HEADS: dict[str, str] = {
    "graylane": (
        "Who runs graylane in one namespace, and the least that it takes. For another namespace, change "
        "`namespace: demo`. barrier/istiod.yaml beside it lets barriers ask istiod. Which right is for what: "
        "docs/rbac.md."
    ),
    "graylane-objects": (
        "Who runs graylane in one namespace whose groups a controller keeps: no right on the mesh. For another "
        "namespace, change `namespace: demo`. Which right is for what: docs/rbac.md."
    ),
    "graylane-previews": (
        "Who makes preview lanes in one namespace, such as a CI job: no right on the mesh, groups or Deployments. "
        "For another namespace, change `namespace: demo`. Which right is for what: docs/rbac.md."
    ),
    "graylane-viewer": (
        "Who looks at every page of the console in one namespace, and changes nothing: for a person, put the user or "
        "the group of users into `subjects`. For another namespace, change `namespace: demo`. Which right is for what: "
        "docs/rbac.md."
    ),
    "graylane-controller": (
        "What the controller may, and no more. barrier/istiod.yaml beside it lets barriers ask istiod. Which "
        "right is for what: docs/rbac.md."
    ),
    "graylane-explain": (
        "Who runs `graylane explain --live -n demo`, which only reads. For another namespace, change "
        "`namespace: demo`. Beside it goes root.yaml, or for -A everywhere/cluster.yaml. Which right is for what: "
        "docs/explain.md."
    ),
    "root": (
        "Istio's own namespace, whose resources hold in all others, and where the gateways are. Without it, each "
        "answer says that it was not read."
    ),
    "cluster": "For `graylane explain --live -A`, which reads every namespace.",
    "gateway-api": (
        "For groups with `backend: gateway`, beside account.yaml or graylane.yaml: their HTTPRoutes and the Services "
        "of their versions. Which right is for what: docs/rbac.md."
    ),
    "istiod": (
        "For barriers that know: graylane asks istiod which proxies have acknowledged a change, by a "
        "port-forward. Without it, `--istiod URL` reaches istiod another way, or each barrier is a wait "
        "(`--wait`) and the report says `unverified`."
    ),
}
_WIDTH = 118


def account(name: Account, namespace: str = "demo") -> str:
    """The manifest of an account: its ServiceAccount, Role and RoleBinding, as YAML with comments.

    Parameters:
        namespace: that of the groups, where the account may do all this.
    """
    # The command's own accounts are used from outside; the controller's Pods need their token.
    token = "automountServiceAccountToken: false\n" if name in OUTSIDERS else ""
    home = HOMES.get(name, namespace)
    head = f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\n  namespace: {home}\n{token}"
    role = _role(name, namespace, RIGHTS[name])
    return _comment(HEADS[name]) + "---\n".join((head, role, _binding(name, name, namespace, name, home)))


def for_istiod(name: Account, role: str, namespace: str = "demo") -> str:
    """The manifest by which an account reads istiod's debug pages."""
    binding = _binding(f"{role}-{namespace}", role, "istio-system", name, HOMES.get(name, namespace))
    return _comment(HEADS["istiod"]) + "---\n".join((_role(role, "istio-system", ISTIOD), binding))


def for_gateway_api(name: Account, namespace: str = "demo") -> str:
    """The manifest by which an account may change groups with `backend: gateway`."""
    role = f"{name}-gateway-api"
    binding = _binding(role, role, namespace, name, HOMES.get(name, namespace))
    return _comment(HEADS["gateway-api"]) + "---\n".join((_role(role, namespace, GATEWAY_API[name]), binding))


def for_root(name: Account, namespace: str = "demo") -> str:
    """The manifest by which an account has its rights in Istio's own namespace too."""
    role = _role(f"{name}-root", "istio-system", RIGHTS[name])
    binding = _binding(f"{name}-root-{namespace}", f"{name}-root", "istio-system", name, namespace)
    return _comment(HEADS["root"]) + "---\n".join((role, binding))


def for_cluster(name: Account, namespace: str = "demo") -> str:
    """The manifest by which an account has its rights in every namespace."""
    role = _role(name, "", RIGHTS[name])
    return _comment(HEADS["cluster"]) + "---\n".join((role, _binding(f"{name}-{namespace}", name, "", name, namespace)))


def for_helm() -> str:
    """What the Helm chart grants: a template for each list of rules, with the same rights as the manifests of k8s.

    Secrets are named by a value of the chart; without one there is no rule for them.
    """
    rules = {
        "controller": RIGHTS["graylane-controller"],
        "barrier": ISTIOD,
        "leader": LEADER,
        "gateway": GATEWAY_API["graylane-controller"],
    }
    return "".join(
        ["{{- /* The rights of k8s/controller, from the same table: `make golden` writes them. */ -}}\n"]
        + [
            f'{{{{- define "graylane.rules.{name}" -}}}}\nrules:\n{"".join(map(_helm_rule, rights))}{{{{- end }}}}\n'
            for name, rights in rules.items()
        ]
    )


def _helm_rule(right: Right) -> str:
    lines = list(_rule(right))
    if right.names:
        lines = ["    resourceNames: {{ toJson . }}" if one.startswith("    resourceNames:") else one for one in lines]
        lines = ["  {{- with .Values.webhookSecrets }}", *lines, "  {{- end }}"]
    return "".join(f"{line}\n" for line in lines)


def _role(name: str, namespace: str, rights: Iterable[Right]) -> str:
    """A Role, or without a namespace a ClusterRole."""
    lines = [
        "apiVersion: rbac.authorization.k8s.io/v1",
        f"kind: {'Role' if namespace else 'ClusterRole'}",
        "metadata:",
        f"  name: {name}",
        *([f"  namespace: {namespace}"] if namespace else []),
        "rules:",
        *(line for right in rights for line in _rule(right)),
    ]
    return "".join(f"{line}\n" for line in lines)


def _rule(right: Right) -> Iterator[str]:
    yield from _comment(right.why, "  ").splitlines()
    group = right.group or '""'
    yield f"  - apiGroups: [{group}]"
    yield f"    resources: [{', '.join(right.resources)}]"
    if right.names:
        yield f"    resourceNames: [{', '.join(right.names)}]"
    yield f"    verbs: [{', '.join(right.verbs)}]"


def _binding(name: str, role: str, namespace: str, account: str, home: str) -> str:
    """A RoleBinding, or without a namespace a ClusterRoleBinding."""
    cluster = "" if namespace else "Cluster"
    place = f"\n  namespace: {namespace}" if namespace else ""
    return f"""apiVersion: rbac.authorization.k8s.io/v1
kind: {cluster}RoleBinding
metadata:
  name: {name}{place}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {cluster}Role
  name: {role}
subjects:
  - kind: ServiceAccount
    name: {account}
    namespace: {home}
"""


def _comment(text: str, indent: str = "") -> str:
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= _WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"{indent}# {word}")
    return "".join(f"{line}\n" for line in lines)
