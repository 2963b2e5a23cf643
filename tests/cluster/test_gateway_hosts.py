"""Hosts of lanes and of Gateways that share their Pods: what `simulate` says is what istiod and the gateway do."""

from functools import partial

import pytest
from cluster_agreement import agree
from istio_world import gateway, says, virtual_service
from mesh_cluster import NAMESPACE

from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.render import render
from meshconfig.simulate import ANY_GATEWAY, Index, Request

pytestmark = pytest.mark.cluster
SPEC = f"""\
apiVersion: graylane.dev/v1
kind: LaneGroup
metadata: {{name: shop, namespace: {NAMESPACE}}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    cat: {{host: cat-svc, port: 9001, versions: {{prod: {{labels: {{env: prod}}}}, gray: {{labels: {{env: gray}}}}}}}}
  entries:
    - hosts: [HOSTS]
      laneHosts: "{{lane}}.lanes.graylane.test"
      routes: [{{service: cat}}]
"""


def ask(cluster, manifests, requests):
    """Each request, by host and headers, has the answer that `simulate` gives; the status of each."""
    cluster.apply(manifests)
    index = Index(Resources.parse(manifests))
    for host, *headers in requests:
        request = Request(host, "/", "GET", tuple(headers), gateway=ANY_GATEWAY)
        agree(index, request, partial(cluster.ask_gateway, host, "/", headers, "GET"))
    return [cluster.ask_gateway(host, "/", headers, "GET").status for host, *headers in requests]


@pytest.mark.parametrize("hosts", ["lanes.graylane.test", '"*.lanes.graylane.test"'])
def test_a_lanes_host_is_the_lanes_whatever_tag_is_sent(cluster, hosts):
    found = groups(parse(SPEC.replace("HOSTS", hosts), "spec"))[0]
    manifests = render([found.model])
    (served,) = (one["spec"]["servers"][0]["hosts"] for one in manifests if one["kind"] == "Gateway")
    assert "*.lanes.graylane.test" in served
    assert not any(host.startswith("gray.") for host in served)
    lane = "gray.lanes.graylane.test"
    ask(cluster, manifests, [(lane,), (lane, ("env", "prod")), ("none.lanes.graylane.test",)])
    answer = cluster.ask_gateway(lane, "/", [("env", "prod")], "GET")
    assert (answer.version, answer.header("env")) == ("gray", ["gray"])


def test_the_younger_of_two_servers_with_one_host_is_left_out_with_all_its_hosts(cluster):
    redirects = {"tls": {"httpsRedirect": True}, "namespace": NAMESPACE}
    older = gateway("a-older", ["one.graylane.test"], **redirects)
    younger = gateway("b-younger", ["two.graylane.test", "one.graylane.test"], **redirects)
    hosts = ("one.graylane.test", "two.graylane.test")
    routes = virtual_service("vs", says(201), hosts=hosts, gateways=("a-older", "b-younger"), namespace=NAMESPACE)
    del routes["metadata"]["creationTimestamp"]  # it is the server's
    manifests = [older, younger, routes]
    assert ask(cluster, manifests, [(host,) for host in hosts]) == [301, 404]
    assert ask(cluster, manifests[1:], [(host,) for host in hosts]) == [301, 301]
