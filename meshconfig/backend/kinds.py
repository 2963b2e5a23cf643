"""The kinds of resources that graylane reads and writes: one table for paths, ownership, permissions and barriers.

A backend adds the kinds that it writes, each with the xDS types by which the control plane pushes it to proxies.
"""

from dataclasses import dataclass
from enum import Flag, auto
from typing import Literal

ISTIO = "networking.istio.io"
GRAYLANE = "graylane.dev"
XdsType = Literal["CDS", "EDS", "LDS", "RDS"]


class Role(Flag):
    """What graylane does with a kind."""

    READ = 0
    ROUTING = auto()  # a backend writes it, and the control plane pushes it to proxies
    SCALING = auto()  # a backend writes it, and proxies do not get it
    RARE = auto()  # it is read only where a group has or wants one, so that no other group needs a right for it
    ROSTER = auto()  # a backend writes it for the consumers of messages
    RECORD = auto()  # graylane stores its own data in it: revisions, rollouts, locks


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resources.

    Parameters:
        api: group and version as in `apiVersion`. For Istio's kinds it is the group alone, because a cluster may serve
            v1 or v1beta1.
        plural: the name in paths of the API server.
        pushed_as: the xDS types that bring it to proxies. At each change, istiod sends the first type to every proxy
            that the change concerns. Source: istio/istio `pilot/pkg/xds/{cds,eds,lds,rds}.go`.
    """

    name: str
    api: str
    plural: str
    role: Role = Role.READ
    pushed_as: tuple[XdsType, ...] = ()

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api.partition("/")[0] if "/" in self.api or "." in self.api else ""

    @property
    def resource(self) -> str:
        """The name for kubectl, such as `gateways.networking.istio.io`.

        It has the group, because in a cluster with Gateway API's CRDs `kubectl get gateway` means another kind.
        """
        return f"{self.plural}.{self.group}" if self.group else self.plural


_ALL = (
    Kind("DestinationRule", ISTIO, "destinationrules", Role.ROUTING, ("CDS", "EDS")),
    Kind("ServiceEntry", ISTIO, "serviceentries", Role.ROUTING | Role.RARE, ("CDS", "RDS")),
    Kind("VirtualService", ISTIO, "virtualservices", Role.ROUTING, ("RDS",)),
    Kind("Gateway", ISTIO, "gateways", Role.ROUTING, ("LDS", "RDS")),
    Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers", Role.SCALING),
    Kind("Sidecar", ISTIO, "sidecars", Role.READ, ("CDS", "EDS", "LDS", "RDS")),
    Kind("ConfigMap", "v1", "configmaps", Role.RECORD | Role.ROSTER | Role.RARE),
    Kind("Lease", "coordination.k8s.io/v1", "leases", Role.RECORD),
    Kind("Deployment", "apps/v1", "deployments"),
    Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
    Kind("Service", "v1", "services"),
    Kind("Pod", "v1", "pods"),
    Kind("Namespace", "v1", "namespaces"),
    Kind("Event", "v1", "events"),
    Kind("StatefulSet", "apps/v1", "statefulsets"),
    Kind("DaemonSet", "apps/v1", "daemonsets"),
    Kind("Job", "batch/v1", "jobs"),
    Kind("CronJob", "batch/v1", "cronjobs"),
    # Each in the version that all releases of Istio serve.
    Kind("EnvoyFilter", f"{ISTIO}/v1alpha3", "envoyfilters"),
    Kind("WasmPlugin", "extensions.istio.io/v1alpha1", "wasmplugins"),
    Kind("TrafficExtension", "extensions.istio.io/v1alpha1", "trafficextensions"),
    Kind("AuthorizationPolicy", "security.istio.io/v1beta1", "authorizationpolicies"),
    Kind("RequestAuthentication", "security.istio.io/v1beta1", "requestauthentications"),
    Kind("Secret", "v1", "secrets"),
    # graylane's own, by its CustomResourceDefinitions: docs/crds.md.
    Kind("LaneGroup", f"{GRAYLANE}/v1", "lanegroups"),
    Kind("Rollout", f"{GRAYLANE}/v1", "rollouts"),
    Kind("Lane", f"{GRAYLANE}/v1", "lanes"),
)
GATEWAY_API = "gateway.networking.k8s.io"
# What the backend `gateway` writes beside Services, ServiceEntries and DestinationRules. They are apart from the kinds
# above: no command changes them in a cluster, so that no group needs a right for them. Both APIs have a Gateway.
OF_GATEWAY_API = (
    Kind("HTTPRoute", f"{GATEWAY_API}/v1", "httproutes", Role.ROUTING, ("RDS",)),
    Kind("GRPCRoute", f"{GATEWAY_API}/v1", "grpcroutes", Role.ROUTING, ("RDS",)),
    Kind("Gateway", f"{GATEWAY_API}/v1", "gateways", Role.ROUTING, ("LDS", "RDS")),
    Kind("ReferenceGrant", f"{GATEWAY_API}/v1beta1", "referencegrants", Role.ROUTING, ("RDS",)),
)
KINDS = {kind.name: kind for kind in _ALL}
ROUTING = tuple(kind for kind in _ALL if Role.ROUTING in kind.role)
OWNED = tuple(kind for kind in _ALL if kind.role & (Role.ROUTING | Role.SCALING | Role.ROSTER))
# `graylane apply --adopt` takes over these of others. A list of consumers is no resource that others have.
ADOPTABLE = tuple(kind for kind in OWNED if Role.ROSTER not in kind.role)
PUSHED = tuple(kind for kind in _ALL if kind.pushed_as)
