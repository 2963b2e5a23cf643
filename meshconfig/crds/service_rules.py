"""Rules of a service, its versions and policies, and of consumers."""

from meshconfig.crds.cel import CelRule, Rules, alone, labels, needs, some_share
from meshconfig.istio.hosts import CLUSTER_DOMAIN

_INSIDE = "has(self.external) || "
_OUTSIDE = "!has(self.external) || "
_IP = "^([0-9]+[.]){3}[0-9]+$"

_SERVICE = (
    labels("versions"),
    CelRule(
        "!has(self.default) || self.default in self.versions",
        "default names a version that there is not",
        ".default",
        "'there is no version ' + self.default",
    ),
    CelRule(
        alone("default", "weights"), "weights are given too: give one of the two for untagged requests", ".default"
    ),
    CelRule(
        "!has(self.weights) || self.weights.all(one, one in self.versions)",
        "weights name a version that there is not",
        ".weights",
        "'there is no version ' + self.weights.filter(one, !(one in self.versions))[0]",
    ),
    some_share("weights"),
    CelRule(
        "!has(self.mirror) || self.mirror.version in self.versions",
        "mirror names a version that there is not",
        ".mirror",
        "'there is no version ' + self.mirror.version",
    ),
    CelRule(
        "!has(self.mirror) || !has(self.policy) || !(has(self.policy.mirror) || has(self.policy.mirrors))",
        "policy has copies too, and Istio takes one of the two: keep one of them",
        ".mirror",
    ),
    CelRule(
        f"{_INSIDE}!self.host.matches('[.].*[.][0-9]+$')",
        "this is not the name of a Service: its last part is a number",
        ".host",
    ),
)
_WITHOUT, _WITH = (
    "a version has a host: give the service external too, such as {port: 443, tls: SIMPLE}",
    "a version of a service with external needs host, its name outside the mesh",
)
# Few rules: a group of 10,000 services takes the API server 300 microseconds a service.
_EXTERNAL = (
    CelRule(
        "self.versions.all(one, has(self.versions[one].host) == has(self.external))",
        "the versions of a service with external each have a host, and no others",
        ".versions",
        f"has(self.external) ? '{_WITH}' : '{_WITHOUT}'",
    ),
    CelRule(
        f"{_OUTSIDE}self.host.contains('.') && !self.host.endsWith('.svc') && "
        f"!self.host.endsWith('.{CLUSTER_DOMAIN}') && !self.host.matches('{_IP}')",
        "a service outside the mesh has a host outside the cluster, and no IP address: for one inside leave external "
        "away, and give each version its labels",
        ".host",
    ),
    CelRule(
        f"{_OUTSIDE}!has(self.external.tls) || !has(self.trafficPolicy) || !has(self.trafficPolicy.tls)",
        "external.tls and trafficPolicy.tls are both given: keep one of them",
        ".external",
    ),
    CelRule(
        f"{_OUTSIDE}!has(self.policy) || !(has(self.policy.mirror) || has(self.policy.mirrors))",
        "a copy would go outside with the name of another host: leave mirror and mirrors away",
        ".policy",
    ),
    CelRule(
        alone("external", "calls", "carries", "mirror"),
        "calls, carries and mirror have no meaning for a service outside the mesh: leave them away",
        ".external",
    ),
)
_VERSION = (
    CelRule("has(self.host) || has(self.labels)", "needs labels, which its Pods alone carry (outside the mesh: host)"),
    CelRule(
        alone("host", "labels", "workload", "autoscale", "fallbackLabels"),
        "host names a version outside the mesh: labels, workload, autoscale and fallbackLabels are for Pods",
        ".host",
    ),
)
_CONSUMER = (
    CelRule(
        "(has(self.kind) && self.kind != 'kafka') || self.topic.matches('^[A-Za-z0-9._-]{1,249}$')",
        "this is no topic of Kafka: letters, digits, ., _ and -, at most 249",
        ".topic",
    ),
    CelRule(
        "!has(self.kind) || self.kind != 'sqs' || "
        "self.topic.matches('^([A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}[.]fifo)$')",
        "this is no queue of SQS: letters, digits, - and _, at most 80, and .fifo at the end of a FIFO queue",
        ".topic",
    ),
)

RULES: Rules = {
    "Abort": (CelRule("has(self.httpStatus) != has(self.grpcStatus)", "takes one of httpStatus, grpcStatus"),),
    "Autoscale": (CelRule("self.min <= self.max", "min is above max", ".min"),),
    "Consumer": _CONSUMER,
    "External": (
        CelRule(needs("caCertificates", "tls"), "caCertificates has no effect without tls: SIMPLE", ".caCertificates"),
    ),
    "LoadBalancer": (CelRule(alone("simple", "consistentHash"), "takes one of simple, consistentHash"),),
    "ServiceSpec": (*_SERVICE, *_EXTERNAL),
    "Version": _VERSION,
}
