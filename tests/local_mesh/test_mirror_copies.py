"""A real Envoy makes the copies of `mirror`, and of no lane's requests."""

import pytest
from local_lab import eventually
from loopback import serving

from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.local.config import Endpoint, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.local.surroundings import resources

pytestmark = pytest.mark.envoy

SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: zoo, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}, blue: {}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}, v2: {labels: {v: v2}}}
      mirror: {version: v2}
  entries:
    - hosts: [shop.example.com]
      routes: [{service: cat}]
"""
GATEWAY = "gateway|80|istio=ingressgateway"
TAGS = (None, "prod", "gray", "blue")


def test_copies_are_made_of_the_requests_of_no_lane_and_without_a_tag_of_one(envoy):
    (group,) = groups(parse(SPEC, "zoo.yaml"))
    (cat,) = group.model.services
    with serving() as copied:
        ports = {"v2": copied.port, "prod": envoy.port_of("cat/prod"), "gray": envoy.port_of("cat/gray")}
        ends = [Endpoint(cat.host, 9001, {"v": name}, "127.0.0.1", port) for name, port in ports.items()]
        envoy.change(translate(resources([group.model]), ends))
        for listener, host in ((GATEWAY, "shop.example.com"), (mesh_listener(cat.host, 9001), cat.host)):
            for tag in (*TAGS, None):  # the last one comes when copies of the others would have come, too
                headers = [("host", host), *([("env", tag)] if tag else [])]
                assert envoy.ask(listener, f"/{tag}", headers).status == 200
        eventually(lambda: len(copied.seen) >= 6)
    assert sorted(one.path for one in copied.seen) == ["/None"] * 4 + ["/prod"] * 2
    assert {one.ours.get("env") for one in copied.seen} == {None, "prod"}
    assert {one.host for one in copied.seen} == {"shop.example.com-shadow", "cat-svc.demo.svc.cluster.local-shadow"}
