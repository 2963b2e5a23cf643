"""Wrong specs as objects of a cluster: those that the API server refuses, and those that no schema and no rule can say.

The command line refuses all of them.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Value = dict[str, Any]
GONE = object()
SERVICE = ("services", "cat")
VERSION = (*SERVICE, "versions", "gray")
ENTRY = ("entries", 0)
ROUTE = (*ENTRY, "routes", 0)
STEPS = ("steps",)
GROUP: Value = {
    "apiVersion": "graylane.dev/v1",
    "kind": "LaneGroup",
    "metadata": {"name": "pets", "namespace": "demo"},
    "spec": {
        "tag": {"header": "env", "default": "prod"},
        "lanes": {"prod": {}, "gray": {}},
        "services": {
            "cat": {
                "host": "cat-svc",
                "port": 9001,
                "calls": ["mouse"],
                "versions": {"prod": {"labels": {"v": "prod"}}, "gray": {"labels": {"v": "gray"}}},
            },
            "mouse": {"host": "mouse-svc", "port": 9001, "versions": {"prod": {"labels": {"v": "prod"}}}},
            "pay": {
                "host": "api.pay.example.com",
                "port": 80,
                "external": {"tls": "SIMPLE"},
                "versions": {"prod": {"host": "api.pay.example.com"}},
            },
        },
        "entries": [{"hosts": ["cat.example.com"], "routes": [{"path": {"prefix": "/"}, "service": "cat"}]}],
        "consumers": {"mail": {"topic": "mail", "versions": {"prod": "mail-prod", "gray": {"name": "mail-gray"}}}},
    },
}
METRIC = {"name": "success", "preset": "istio-success", "min": 0.9}
ROLLOUT: Value = {
    "apiVersion": "graylane.dev/v1",
    "kind": "Rollout",
    "metadata": {"name": "cat-v2", "namespace": "demo"},
    "spec": {
        "group": "pets",
        "services": {"cat": {"from": "prod", "to": "gray"}},
        "steps": [{"weight": 10}, {"analysis": {"for": "5m"}}, {"weight": 100}],
        "analysis": {"prometheus": "http://prometheus.monitoring:9090", "metrics": [METRIC]},
    },
}
LANE: Value = {
    "apiVersion": "graylane.dev/v1",
    "kind": "Lane",
    "metadata": {"name": "pr-42", "namespace": "demo"},
    "spec": {
        "group": "pets",
        "versions": {
            "cat": {"from": "prod", "image": "cat:pr-42", "env": {"FLAG": "1"}, "replicas": 2},
            "mouse": {"labels": {"version": "alice"}},
        },
        "ttl": "8h",
        "hooks": {"before": "schema", "after": "drop-schema"},
    },
}


@dataclass(frozen=True)
class Wrong:
    """One mistake.

    Parameters:
        path: where in `spec` the value is put; GONE takes the field away.
        field: the field that the API server names.
        said: a part of its message.
    """

    path: Sequence[str | int]
    value: Any
    field: str
    said: str
    base: Any = None

    @property
    def document(self) -> Value:
        return changed(self.base or GROUP, self.path, self.value)

    @property
    def name(self) -> str:
        return f"{'.'.join(map(str, self.path))}={'' if self.value is GONE else self.value}"[:80]


def changed(base: Value, path: Sequence[str | int], value: Any) -> Value:
    found = deepcopy(base)
    holder: Any = found["spec"]
    for part in path[:-1]:
        holder = holder[part]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return found


def of_rollout(path: Sequence[str | int], value: Any, field: str, said: str) -> Wrong:
    return Wrong(path, value, field, said, ROLLOUT)


def of_lane(path: Sequence[str | int], value: Any, field: str, said: str) -> Wrong:
    return Wrong(path, value, field, said, LANE)


def rule(match: Value, weights: Value | None = None) -> list[Value]:
    return [{"match": match, "weights": weights or {"prod": 1}}]


CAT, FIRST = "spec.services.cat", "spec.entries[0]"
GRAY = f"{CAT}.versions.gray"
LABEL = "is not a DNS label: lower-case letters, digits and -"
REFUSED = (
    # Types, patterns and bounds.
    Wrong((*SERVICE, "host"), GONE, f"{CAT}.host", "Required value"),
    Wrong((*SERVICE, "prot"), 9001, f"{CAT}.prot", "unknown field"),
    Wrong((*SERVICE, "port"), "9001", f"{CAT}.port", "must be of type integer"),
    Wrong((*SERVICE, "port"), 99999, f"{CAT}.port", "less than or equal to 65535"),
    Wrong((*SERVICE, "host"), "Cat_Svc", f"{CAT}.host", "should match"),
    Wrong((*SERVICE, "calls"), "mouse", f"{CAT}.calls", "must be of type array"),
    Wrong((*SERVICE, "carries"), "all", f"{CAT}.carries", 'supported values: "header", "baggage", "both", "none"'),
    Wrong((*SERVICE, "policy"), {"timeOut": "2s"}, f"{CAT}.policy.timeOut", "unknown field"),
    Wrong((*SERVICE, "policy"), {"timeout": 2}, f"{CAT}.policy.timeout", "must be of type string"),
    Wrong((*SERVICE, "policy"), {"timeout": "0s"}, f"{CAT}.policy.timeout", "should match '[1-9]'"),
    Wrong((*SERVICE, "policy"), {"timeout": "2 s"}, f"{CAT}.policy.timeout", "should match"),
    Wrong((*SERVICE, "policy"), {"retries": {"attempts": -1}}, f"{CAT}.policy.retries.attempts",
          "greater than or equal"),
    Wrong((*SERVICE, "trafficPolicy"), {"loadBalancer": {"simple": "ROUNDROBIN"}},
          f"{CAT}.trafficPolicy.loadBalancer.simple",
          "supported values"),
    Wrong((*SERVICE, "mirror"), {"version": "gray", "percent": 0}, f"{CAT}.mirror.percent", "greater than 0"),
    Wrong((*VERSION, "labels"), {"v": False}, f"{GRAY}.labels.v", "must be of type string"),
    Wrong((*VERSION, "labels"), {"v": "two words"}, f"{GRAY}.labels.v", "should match"),
    Wrong((*VERSION, "labels"), {}, f"{GRAY}.labels", "should have at least 1 properties"),
    Wrong((*VERSION, "workload"), "../../x", f"{GRAY}.workload", "should match"),
    Wrong(("lanes", "gray"), {"mode": "strickt"}, "spec.lanes.gray.mode", 'supported values: "permissive", "strict"'),
    Wrong(("lanes",), {}, "spec.lanes", "should have at least 1 properties"),
    Wrong((*ENTRY, "hosts"), [], f"{FIRST}.hosts", "should have at least 1 items"),
    Wrong((*ENTRY, "hosts"), ["http://cat.example.com"], f"{FIRST}.hosts[0]", "should match"),
    Wrong((*ENTRY, "hosts"), [".".join(["a" * 60] * 5)], f"{FIRST}.hosts[0]", "may not be more than 253 bytes"),
    Wrong((*ENTRY, "hosts"), ["a.example.com", "a.example.com"], f"{FIRST}.hosts[1]", "Duplicate value"),
    Wrong((*ENTRY, "gateway"), {"use": "shop"}, f"{FIRST}.gateway.use", "should match"),
    Wrong((*ENTRY, "cookie"), "my lane", f"{FIRST}.cookie", "should match"),
    Wrong((*ENTRY, "laneHosts"), "shop.example.com", f"{FIRST}.laneHosts", "should match"),
    Wrong((*ENTRY, "sticky"), {"buckets": 101}, f"{FIRST}.sticky.buckets", "less than or equal to 100"),
    Wrong((*ENTRY, "sticky"), {"order": ["gray", "gray"]}, f"{FIRST}.sticky.order[1]", "Duplicate value"),
    Wrong((*ENTRY, "sticky"), {"order": ["gray", "prod", "gray"]}, f"{FIRST}.sticky.order",
          "must have at most 2 items"),
    Wrong((*ROUTE, "method"), "get", f"{FIRST}.routes[0].method", "should match"),
    Wrong((*ROUTE, "rewrite"), "x", f"{FIRST}.routes[0].rewrite", "should match"),
    Wrong((*ROUTE, "path"), {"prefix": "x"}, f"{FIRST}.routes[0].path.prefix", "should match"),
    Wrong((*ROUTE, "path"), {"prefix": "/", "exact": "/"}, f"{FIRST}.routes[0].path", "must have at most 1 item"),
    Wrong((*ROUTE, "path"), {}, f"{FIRST}.routes[0].path", "must validate at least one schema"),
    Wrong((*ROUTE, "path"), 8, f"{FIRST}.routes[0].path", "less than or equal to 0"),
    Wrong((*ROUTE, "path"), True, f"{FIRST}.routes[0].path", "must not validate the schema"),
    Wrong((*SERVICE, "rules"), rule({}), f"{CAT}.rules[0].match", "must validate at least one schema"),
    Wrong((*SERVICE, "rules"), rule({"headers": {}, "cookies": {}}), f"{CAT}.rules[0].match.headers",
          "should have at least 1 properties"),
    Wrong((*SERVICE, "rules"), rule({"headers": {"a": {}}}), f"{CAT}.rules[0].match.headers.a",
          "must validate at least one schema"),
    Wrong((*SERVICE, "rules"), rule({"headers": {"a": {"like": "x"}}}), f"{CAT}.rules[0].match.headers.a",
          "must validate at least one schema"),
    Wrong(("consumers", "mail", "versions", "gray"), {"group": "x"}, "spec.consumers.mail.versions.gray",
          "must validate at least one schema"),
    Wrong(("drift",), "ignore", "spec.drift", 'supported values: "correct", "report"'),
    Wrong(("limits",), {"previews": 0}, "spec.limits.previews", "greater than or equal to 1"),
    # Names of lanes, services and versions.
    Wrong(("tag", "default"), "prud", "spec.lanes", "there is no lane prud, the baseline"),
    Wrong(("lanes", "gray.1"), {}, "spec.lanes",
          "gray.1 is not allowed here: takes a name of letters, digits, - and _"),
    Wrong(("lanes", "g" * 58), {}, "spec.lanes", "the name of a lane has at most 57 characters"),
    Wrong(("tag", "header"), "Cookie", "spec.tag.header", "Cookie has a meaning of its own"),
    Wrong(("services", "Cat"), GROUP["spec"]["services"]["mouse"], "spec.services", f"Cat {LABEL}"),
    Wrong((*SERVICE, "versions", "v_2"), {"labels": {"v": "2"}}, f"{CAT}.versions", f"v_2 {LABEL}"),
    Wrong((*SERVICE, "calls"), ["mose"], "spec.services", "cat: calls names a service that there is not"),
    Wrong((*SERVICE, "default"), "v3", f"{CAT}.default", "there is no version v3"),
    Wrong((*SERVICE, "weights"), {"prd": 1}, f"{CAT}.weights", "there is no version prd"),
    Wrong((*SERVICE, "weights"), {"prod": 0}, f"{CAT}.weights", "at least one weight has to be above 0"),
    Wrong((*SERVICE, "mirror"), {"version": "v3"}, f"{CAT}.mirror", "there is no version v3"),
    Wrong((*SERVICE, "versions", "prod"), GONE, "spec.services", "cat: untagged requests have no version"),
    Wrong((*ROUTE, "service"), "cart", "spec.entries", "cat.example.com: routes name a service that there is not"),
    Wrong((*ENTRY, "split"), {"grey": 1, "prod": 1}, "spec.entries",
          "cat.example.com: split names a lane that there is not"),
    Wrong((*ENTRY, "split"), {"gray": 5}, "spec.entries", "cat.example.com: split gives the baseline no share"),
    Wrong((*ENTRY, "split"), {"prod": 0}, f"{FIRST}.split", "at least one weight has to be above 0"),
    Wrong((*ENTRY, "admit"), [{"lane": "grey", "match": {"method": "GET"}}], "spec.entries",
          "cat.example.com: admit names a lane that there is not"),
    Wrong((*ENTRY, "sticky"), {"order": ["grey"]}, "spec.entries", "cat.example.com: sticky.order names a lane"),
    # What fields say together.
    Wrong(SERVICE, {**GROUP["spec"]["services"]["cat"], "default": "prod", "weights": {"prod": 1}}, f"{CAT}.default",
          "weights are given too"),
    Wrong(SERVICE, {**GROUP["spec"]["services"]["cat"], "mirror": {"version": "gray"},
                    "policy": {"mirror": {"host": "x"}}}, f"{CAT}.mirror", "policy has copies too"),
    Wrong((*SERVICE, "host"), "cat.svc.7", f"{CAT}.host", "its last part is a number"),
    Wrong((*VERSION, "labels"), GONE, GRAY, "needs labels, which its Pods alone carry"),
    Wrong((*VERSION, "host"), "a.example.com", GRAY, "host names a version outside the mesh"),
    Wrong(VERSION, {"host": "a.example.com"}, f"{CAT}.versions", "a version has a host: give the service external too"),
    Wrong((*VERSION, "autoscale"), {"min": 3, "max": 2}, f"{GRAY}.autoscale.min", "min is above max"),
    Wrong((*VERSION, "autoscale"), {"min": 1, "max": 2**31}, f"{GRAY}.autoscale.max",
          "less than or equal to 2147483647"),
    Wrong(("services", "pay", "versions", "prod"), {"labels": {"v": "1"}}, "spec.services.pay.versions",
          "a version of a service with external needs host"),
    Wrong(("services", "pay", "host"), "10.0.0.1", "spec.services.pay.host", "has a host outside the cluster"),
    Wrong(("services", "pay", "host"), "pay.demo.svc", "spec.services.pay.host", "has a host outside the cluster"),
    Wrong(("services", "pay", "calls"), ["cat"], "spec.services.pay", "have no meaning for a service outside the mesh"),
    Wrong(("services", "pay", "carries"), "both", "spec.services.pay",
          "have no meaning for a service outside the mesh"),
    Wrong(("services", "pay", "trafficPolicy"), {"tls": {"mode": "SIMPLE"}}, "spec.services.pay.external", "keep one"),
    Wrong(("services", "pay", "policy"), {"mirror": {"host": "x"}}, "spec.services.pay.policy",
          "a copy would go outside"),
    Wrong(("services", "pay", "external"), {"caCertificates": "/ca.crt"}, "spec.services.pay.external.caCertificates",
          "no effect without tls"),
    Wrong((*SERVICE, "policy"), {"fault": {"abort": {}}}, f"{CAT}.policy.fault.abort",
          "takes one of httpStatus, grpcStatus"),
    Wrong((*SERVICE, "trafficPolicy"), {"loadBalancer": {"simple": "RANDOM", "consistentHash": {"useSourceIp": True}}},
          f"{CAT}.trafficPolicy.loadBalancer", "takes one of simple, consistentHash"),
    Wrong((*ENTRY, "gateway"), {"use": "a/b", "port": 80}, f"{FIRST}.gateway.use", "use names a Gateway that exists"),
    Wrong((*ENTRY, "gateway"), {"port": 80, "tls": {"mode": "SIMPLE", "credentialName": "c", "httpsRedirect": True}},
          f"{FIRST}.gateway.port", "httpsRedirect listens on port 80"),
    Wrong((*ENTRY, "links"), "/.lane", f"{FIRST}.links", "links needs cookie"),
    Wrong(ENTRY, {**GROUP["spec"]["entries"][0], "cookie": "lane", "sticky": {"cookie": "lane"}}, f"{FIRST}.sticky",
          "give the buckets another one"),
    Wrong(("consumers", "mail", "topic"), "mail/in", "spec.consumers.mail.topic", "no topic of Kafka"),
    # Rollouts.
    of_rollout(("group",), GONE, "spec.group", "Required value"),
    of_rollout(("onFail",), "stop", "spec.onFail", 'supported values: "rollback", "hold"'),
    of_rollout(("services", "cat"), {"from": "prod", "to": "prod"}, "spec.services.cat.to", "nothing would move"),
    of_rollout(("services", "Cat"), {"from": "prod", "to": "gray"}, "spec.services", f"Cat {LABEL}"),
    of_rollout((*STEPS, 0), {}, "spec.steps[0]", "takes one of weight, pause, analysis, auto"),
    of_rollout((*STEPS, 0), {"weight": 5, "auto": {"from": 5, "to": 9, "add": 1, "every": "1m"}}, "spec.steps[0].auto",
               "auto stands alone"),
    of_rollout((*STEPS, 0), {"replicas": 2, "pause": {}}, "spec.steps[0].replicas", "replicas goes with a weight"),
    of_rollout((*STEPS, 0), {"weight": 2, "replicas": 0}, "spec.steps[0].replicas", "greater than or equal to 1"),
    of_rollout((*STEPS, 0), {"weight": 2, "replicas": "5"}, "spec.steps[0].replicas", "should match"),
    of_rollout((*STEPS, 1), {"pause": {}, "analysis": {"for": "1m"}}, "spec.steps[1].pause", "make two"),
    of_rollout((*STEPS, 0), {"auto": {"from": 9, "to": 5, "add": 1, "every": "1m"}}, "spec.steps[0].auto.from",
          "below to"),
    of_rollout((*STEPS, 0), {"weight": 101}, "spec.steps[0].weight", "less than or equal to 100"),
    of_rollout((*STEPS, 2), {"weight": 90}, "spec.steps", "the last weight has to be 100"),
    of_rollout(STEPS, [{"weight": 20}, {"weight": 10}, {"analysis": {"for": "1m"}}, {"weight": 100}], "spec.steps",
               "weights only rise"),
    of_rollout(STEPS, [{"weight": 100}], "spec.analysis", "no step uses analysis"),
    of_rollout(("analysis",), GONE, "spec.steps", "a step asks for metrics"),
    of_rollout(("analysis", "prometheus"), "prometheus:9090", "spec.analysis.prometheus", "should match"),
    of_rollout(("analysis", "metrics"), [METRIC, METRIC], "spec.analysis.metrics[1]", "Duplicate value"),
    of_rollout(("analysis", "metrics", 0, "query"), "up", "spec.analysis.metrics[0]", "takes one of query and preset"),
    of_rollout(("analysis", "metrics", 0, "min"), GONE, "spec.analysis.metrics[0]", "nothing could fail"),
    of_rollout(("analysis", "metrics", 0, "max"), 0.1, "spec.analysis.metrics[0].min", "min is above max"),
    # Preview lanes.
    of_lane(("group",), GONE, "spec.group", "Required value"),
    of_lane(("versions",), {}, "spec.versions", "at least 1"),
    of_lane(("versions", "cat"), {"replicas": 2}, "spec.versions.cat", "takes one of from"),
    of_lane(("versions", "cat", "labels"), {"v": "1"}, "spec.versions.cat", "takes one of from"),
    of_lane(("versions", "mouse", "image"), "mouse:1", "spec.versions.mouse.labels", "are for a clone"),
    of_lane(("versions", "mouse", "labels"), {}, "spec.versions.mouse.labels", "at least 1"),
    of_lane(("versions", "cat", "replicas"), 0, "spec.versions.cat.replicas", "greater than or equal to 1"),
    of_lane(("versions", "cat", "image"), "cat pr", "spec.versions.cat.image", "should match"),
    of_lane(("versions", "Cat"), {"from": "prod"}, "spec.versions", LABEL),
    of_lane(("ttl",), "0s", "spec.ttl", "should match"),
    of_lane(("hooks", "before"), "a job", "spec.hooks.before", "should match"),
    of_lane(("hooks", "during"), "job", "spec.hooks.during", "unknown field"),
)  # fmt: skip

UNTYPED = "a value that is a text or an object has no type in a structural schema, and CEL does not see it"
COSTS = "it compares too many names for the API server's budget"
NUMBERS = "CEL does not read a duration with days"
KEYS = "a schema gives the keys of a map no pattern, and a rule for the keys of so many maps costs too much"
NAMES = "it is about names that graylane derives"


@dataclass(frozen=True)
class Unsaid(Wrong):
    """A mistake that the API server does not see; `said` is why."""


def unsaid(path: Sequence[str | int], value: Any, why: str, base: Any = None) -> Unsaid:
    return Unsaid(path, value, "", why, base)


UNSAID = (
    unsaid((*ROUTE, "path"), {"regex": "(?=x)"}, UNTYPED),
    unsaid(ROUTE, {"service": "cat", "path": {"regex": "/a"}, "rewrite": "/"}, UNTYPED),
    unsaid((*SERVICE, "rules"), rule({"headers": {"a b": "x"}}), KEYS),
    unsaid((*SERVICE, "rules"), rule({"query": {"": "x"}}), KEYS),
    unsaid((*SERVICE, "rules"), rule({"headers": {"a": {"present": False}}}), UNTYPED),
    unsaid((*SERVICE, "rules"), rule({"cookies": {"a": "1"}, "headers": {"cookie": "x"}}), UNTYPED),
    unsaid(("consumers", "mail", "versions", "prod"), "mail prod", UNTYPED),
    unsaid(("consumers", "mail", "versions"), {"gray": "mail-gray"}, UNTYPED),
    unsaid(("consumers", "mail", "versions"), {"prod": "mail", "gray": "mail"}, UNTYPED),
    unsaid(("consumers", "Mail"), GROUP["spec"]["consumers"]["mail"], UNTYPED),
    unsaid((*VERSION, "labels"), {"a b": "x"}, KEYS),
    unsaid((*SERVICE, "versions", "v" * 64), {"labels": {"v": "2"}}, KEYS),
    unsaid((*SERVICE, "rules"), rule({"method": "GET"}, {"v3": 1}), COSTS),
    unsaid((*SERVICE, "rules"), rule({"method": "GET"}, {"prod": 0}), COSTS),
    unsaid(("lanes", "gray"), {"versions": {"cot": "gray"}}, COSTS),
    unsaid(("lanes", "gray"), {"versions": {"cat": "v2"}}, COSTS),
    unsaid(("services", "mouse", "host"), "cat-svc", COSTS),
    unsaid(("services", "pay", "versions", "prod", "host"), "localhost.svc", COSTS),
    unsaid(("lanes", "gray"), {"fallback": "runtime", "versions": {"mouse": "v2"}}, COSTS),
    unsaid((*ENTRY, "sticky"), {"maxAge": "1ms"}, NUMBERS),
    unsaid((*SERVICE, "policy"), {"timeout": "367d"}, NUMBERS),
    unsaid((*ENTRY, "hosts"), ["mouse-svc"], NAMES),
    unsaid((*STEPS, 1), {"analysis": {"for": "400d"}}, NUMBERS, ROLLOUT),
    unsaid(STEPS, [{"auto": {"from": 0, "to": 50, "add": 5, "every": "1m"}},
                   {"auto": {"from": 20, "to": 100, "add": 5, "every": "1m"}}],
           "CEL does not count the items of a list", ROLLOUT),
    unsaid(("analysis", "metrics", 0), {"name": "up", "query": "up{{x}}", "min": 1},
           "the placeholders of a query are no pattern", ROLLOUT),
    unsaid(("versions", "cat", "env"), {"A=B": "1"}, KEYS, LANE),
    unsaid(("ttl",), "400d", NUMBERS, LANE),
)  # fmt: skip
