"""A real Envoy sets the cookie of a link, takes it away again, and lets a cookie and a host choose the lane."""

import http.client

import pytest

from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.local.config import Endpoint
from meshconfig.local.envoy import translate
from meshconfig.local.surroundings import resources

pytestmark = pytest.mark.envoy

SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: zoo, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat-svc, port: 9001, versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}}
  entries:
    - hosts: [shop.example.com]
      cookie: lane
      links: /.lane
      laneHosts: "{lane}.shop.example.com"
      routes: [{service: cat}]
"""
GATEWAY = "gateway|80|istio=ingressgateway"


@pytest.fixture
def shop(envoy):
    """Asks the shop as a browser would: with its cookies, and without following redirects."""
    (group,) = groups(parse(SPEC, "zoo.yaml"))
    (cat,) = group.model.services
    ends = [Endpoint(cat.host, 9001, {"v": v}, "127.0.0.1", envoy.port_of(f"cat/{v}")) for v in ("prod", "gray")]
    envoy.change(translate(resources([group.model]), ends))

    def ask(path="/", cookie=None, host="shop.example.com"):
        headers = [("host", host), *([("cookie", cookie)] if cookie else [])]
        return envoy.ask(GATEWAY, path, headers)

    return ask


def who(reply):
    return reply.body.decode().split('"who": "')[1].split('"')[0]


def test_a_link_a_page_and_the_way_back(shop, envoy):
    assert who(shop()) == "cat/prod"
    link = shop("/.lane/gray")
    assert (link.status, link.location) == (302, "http://shop.example.com/")
    assert who(shop(cookie="theme=dark; lane=gray")) == "cat/gray"
    assert who(shop(host="gray.shop.example.com")) == "cat/gray"
    assert who(shop(host="gray.shop.example.com", cookie="lane=prod")) == "cat/gray"
    assert shop("/.lane/none").status == 404
    port = envoy.proxy.addresses[GATEWAY]
    for lane, cookie in (("gray", "lane=gray; Path=/"), ("prod", "lane=; Path=/; Max-Age=0")):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", f"/.lane/{lane}", headers={"host": "shop.example.com"})
        answer = connection.getresponse()
        assert answer.getheader("set-cookie", "").startswith(cookie)
        assert answer.getheader("cache-control") == "no-store"
        connection.close()
