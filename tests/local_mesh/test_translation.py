"""Resources to Envoy's configuration: the parts that no routed request would show."""

import pytest
import yaml

from meshconfig.istio import Resources
from meshconfig.local.config import Endpoint
from meshconfig.local.envoy import translate
from meshconfig.local.values import duration

HOST = "mouse-svc.demo.svc.cluster.local"
SERVICE = "{kind: Service, apiVersion: v1, metadata: {name: mouse-svc, namespace: demo}, spec: {ports: [{port: 9001}]}}"
ENDPOINTS = [Endpoint(HOST, 9001, {"env": name}, "127.0.0.1", port) for name, port in (("prod", 4001), ("gray", 4002))]


def config(*specs, endpoints=ENDPOINTS):
    """The configuration of one Service and resources given as `kind: spec`."""
    manifests = [yaml.safe_load(SERVICE)]
    for text in specs:
        ((kind, spec),) = yaml.safe_load(text).items()
        metadata = {"name": kind.lower(), "namespace": "demo"}
        manifests.append({"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec})
    return translate(Resources.parse(manifests), endpoints)


def mesh_routes(*specs):
    ((_, configuration),) = config(*specs).routes.items()
    return configuration["virtual_hosts"][0]["routes"]


def mesh_route(route):
    (found,) = mesh_routes(f"VirtualService: {{hosts: [{HOST}], http: [{route}]}}")
    return found


def ports(cluster):
    groups = cluster["load_assignment"]["endpoints"]
    return [
        [one["endpoint"]["address"]["socket_address"]["port_value"] for one in group["lb_endpoints"]]
        for group in sorted(groups, key=lambda group: group["priority"])
    ]


def notes(found):
    return [str(note) for note in found.notes]


SAFE = "connect-failure,refused-stream,unavailable,cancelled"
TO_MOUSE = "route: [{destination: {host: mouse-svc}}]"


def test_subsets_select_endpoints_by_their_labels():
    rule = "DestinationRule: {host: mouse-svc, subsets: [{name: gray, labels: {env: gray}}, {name: all}]}"
    clusters = config(rule).clusters
    assert {name: ports(one) for name, one in clusters.items()} == {
        f"outbound|9001||{HOST}": [[4001, 4002]],
        f"outbound|9001|gray|{HOST}": [[4002]],
        f"outbound|9001|all|{HOST}": [[4001, 4002]],
    }


def test_a_service_without_a_virtual_service_goes_to_all_its_endpoints():
    (route,) = mesh_routes()
    assert route["route"]["cluster"] == f"outbound|9001||{HOST}"
    assert route["match"] == {"prefix": "/"}


def test_failover_by_label_makes_priorities():
    prefer = "{loadBalancer: {localityLbSetting: {failoverPriority: ['env=gray']}}, outlierDetection: {interval: 1s}}"
    rule = f"DestinationRule: {{host: mouse-svc, subsets: [{{name: any, trafficPolicy: {prefer}}}]}}"
    cluster = config(rule).clusters[f"outbound|9001|any|{HOST}"]
    assert ports(cluster) == [[4002], [4001]]
    assert cluster["outlier_detection"]["interval"] == "1s"


def test_failover_needs_outlier_detection():
    prefer = "{loadBalancer: {localityLbSetting: {failoverPriority: ['env=gray']}}}"
    rule = f"DestinationRule: {{host: mouse-svc, subsets: [{{name: any, trafficPolicy: {prefer}}}]}}"
    assert ports(config(rule).clusters[f"outbound|9001|any|{HOST}"]) == [[4001, 4002]]


@pytest.mark.parametrize(
    ("retries", "expected"),
    [
        (
            "",
            {"num_retries": 2, "retry_on": "connect-failure,refused-stream,unavailable,cancelled,reset-before-request"},
        ),
        ("retries: {attempts: 0},", {"num_retries": 2, "retry_on": "reset-before-request"}),
        (
            "retries: {attempts: 5, retryOn: '502, reset', perTryTimeout: 1m, backoff: 20ms},",
            {
                "num_retries": 5,
                "retry_on": "reset,retriable-status-codes,reset-before-request",
                "retriable_status_codes": [502],
                "per_try_timeout": "60s",
                "retry_back_off": {"base_interval": "0.02s"},
            },
        ),
    ],
)
def test_retries_are_istios(retries, expected):
    policy = mesh_route(f"{{{retries} {TO_MOUSE}}}")["route"]["retry_policy"]
    assert {name: policy.get(name) for name in expected} == expected
    assert ("retriable_status_codes" in policy) == ("retriable_status_codes" in expected)


def test_timeouts_mirrors_rewrites_and_authority():
    extra = "timeout: 1.5s, mirror: {host: mouse-svc, subset: gray}, mirrorPercentage: {value: 2.5}"
    action = mesh_route(f"{{{extra}, rewrite: {{uri: /b, authority: other}}, {TO_MOUSE}}}")["route"]
    assert action["timeout"] == "1.5s"
    assert action["host_rewrite_literal"] == "other"
    assert action["prefix_rewrite"] == "/b"
    assert action["request_mirror_policies"] == [
        {
            "cluster": f"outbound|9001|gray|{HOST}",
            "runtime_fraction": {"default_value": {"numerator": 25000, "denominator": "MILLION"}},
        }
    ]


def test_a_share_of_nothing_mirrors_nothing():
    extra = "mirror: {host: mouse-svc}, mirrorPercentage: {value: 0}"
    assert "request_mirror_policies" not in mesh_route(f"{{{extra}, {TO_MOUSE}}}")["route"]


def test_what_has_no_effect_here_is_noted_with_its_field():
    found = config(
        f"VirtualService: {{hosts: [{HOST}, nobody.demo.svc.cluster.local], novelty: 1, http: [{{match: ["
        "{headers: {'@request.auth.claims.group': {exact: a}}}, {sourceLabels: {app: cat}}], "
        f"{TO_MOUSE}}}, {{delegate: {{name: other}}}}]}}",
        "DestinationRule: {host: mouse-svc, trafficPolicy: {tls: {mode: SIMPLE}, loadBalancer: {consistentHash: {}}}}",
        "Gateway: {servers: [{port: {number: 443, protocol: HTTPS}, hosts: ['*'], tls: {mode: SIMPLE}}]}",
    )
    rule = f"DestinationRule of {HOST}: spec.trafficPolicy."
    service = "VirtualService demo/virtualservice: spec."
    said = [note.partition(" is not there")[0].replace("the delegate ", "") for note in notes(found)]
    assert sorted(said) == [
        f"{rule}loadBalancer.consistentHash: one process a version: there is nothing to choose from",
        f"{rule}tls: has no effect on processes of this machine, which answer plain HTTP",
        "Gateway demo/gateway: spec.servers[0].tls: no TLS here: ask for it in plain HTTP",
        f"{service}hosts[1]: nobody.demo.svc.cluster.local is no Service here: nobody can ask for it",
        f'{service}http[0].match[0].headers["@request.auth.claims.group"]: no JWT is read here: '
        "a condition on a claim never holds",
        f"{service}http[0].match[1].sourceLabels: all callers share one address here: "
        "a condition on the caller never holds",
        f"{service}http[1].delegate: left out: demo/other",
        f"{service}novelty: is not translated for this machine",
    ]


def test_a_redirect_keeps_the_port_only_where_it_is_not_the_schemes():
    moved = mesh_route("{redirect: {uri: /x, authority: a.example.com, port: 443, scheme: https, redirectCode: 308}}")
    assert moved["redirect"] == {
        "host_redirect": "a.example.com",
        "path_redirect": "/x",
        "scheme_redirect": "https",
        "response_code": "PERMANENT_REDIRECT",
    }


def test_a_redirect_replaces_the_prefix_that_the_route_matched():
    moved = mesh_route("{match: [{uri: {prefix: /a}}], redirect: {prefixRewrite: /b, uri: /ignored}}")
    assert moved["redirect"] == {"prefix_rewrite": "/b", "response_code": "MOVED_PERMANENTLY"}


def at_gateway(*virtual_services, protocol="HTTP"):
    """The names of the routes for cat.example.com at a Gateway, in order; the VirtualServices: the oldest first."""
    server = {"port": {"number": 80, "protocol": protocol}, "hosts": ["*"]}
    manifests = [yaml.safe_load(SERVICE), _manifest("Gateway", "gw", "demo", {"servers": [server]})]
    for created, (name, namespace, spec) in enumerate(virtual_services):
        spec = {"hosts": ["cat.example.com"], "gateways": ["demo/gw"], **spec}
        manifests.append(_manifest("VirtualService", name, namespace, spec, f"2026-01-0{created + 1}T00:00:00Z"))
    found = translate(Resources.parse(manifests), ENDPOINTS)
    gateways = [found.routes[one.name]["virtual_hosts"] for one in found.listeners if one.kind == "gateway"]
    return [route["name"] for hosts in gateways for host in hosts for route in host["routes"]]


def _manifest(kind, name, namespace, spec, created=""):
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def answering(name, **match):
    return {"name": name, "directResponse": {"status": 200}, **({"match": [match]} if match else {})}


def test_at_a_gateway_what_is_exported_to_its_namespace_by_name_comes_before_what_all_see():
    public = ("public", "demo", {"http": [answering("public", uri={"prefix": "/a"})]})
    named = ("named", "demo", {"http": [answering("named", uri={"prefix": "/a"})], "exportTo": ["istio-system"]})
    private = ("private", "demo", {"http": [answering("private")], "exportTo": ["."]})
    assert at_gateway(public, named, private) == ["named", "public"]


def test_at_a_gateway_a_route_for_every_request_comes_last():
    every = ("every", "demo", {"http": [answering("every", uri={"regex": ".*"})]})
    some = ("some", "demo", {"http": [answering("some", method={"exact": "GET"})]})
    assert at_gateway(every, some) == ["some", "every"]


@pytest.mark.parametrize(("protocol", "routed"), [("HTTP", True), ("GRPC-Web", True), ("MySQL", False), ("", False)])
def test_a_gateways_server_routes_what_istio_takes_for_http(protocol, routed):
    assert bool(at_gateway(("vs", "demo", {"http": [answering("one")]}), protocol=protocol)) is routed


def test_percentages_are_rounded_down_as_istio_does():
    extra = "fault: {abort: {httpStatus: 503, percentage: {value: 0.00019}}}"
    fault = mesh_route(f"{{{extra}, {TO_MOUSE}}}")["typed_per_filter_config"]["envoy.filters.http.fault"]
    assert fault["abort"]["percentage"] == {"numerator": 1, "denominator": "MILLION"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", "2s"), ("1m30s", "90s"), ("100ms", "0.1s"), ("1.5h", "5400s"), ("0s", "0s")]
)
def test_durations_are_go_s(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "s", "-1s", "1 s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)
