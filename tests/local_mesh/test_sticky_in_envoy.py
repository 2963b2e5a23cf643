"""A real Envoy draws a bucket, sets its cookie, and keeps a user in it, whatever cookies stand beside it."""

import re
from collections import Counter

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
metadata: {{name: zoo, namespace: demo}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    cat: {{host: cat-svc, port: 9001, versions: {{prod: {{labels: {{v: prod}}}}, gray: {{labels: {{v: gray}}}}}}}}
    dog: {{host: dog-svc, port: 9001, versions: {{prod: {{labels: {{v: prod}}}}, gray: {{labels: {{v: gray}}}}}}}}
  entries:
    - hosts: [shop.example.com, www.shop.example.com]
      split: {{gray: {share}, prod: {rest}}}
      sticky: {{buckets: 100, maxAge: 1h}}
      routes: [{{path: {{prefix: /dog}}, service: dog}}, {{service: cat}}]
"""
GATEWAY = "gateway|80|istio=ingressgateway"
COOKIE = re.compile(
    r"graylane-bucket=(\d+); Path=/; Max-Age=3600; Domain=shop\.example\.com; HttpOnly; SameSite=Lax",
)


class Shop:
    """The entry on an Envoy, with a share for gray."""

    def __init__(self, envoy):
        self.envoy = envoy

    def serve(self, share):
        (group,) = groups(parse(SPEC.format(share=share, rest=100 - share), "zoo.yaml"))
        ends = [
            Endpoint(one.host, 9001, {"v": v}, "127.0.0.1", self.envoy.port_of(f"{one.name}/{v}"))
            for one in group.model.services
            for v in ("prod", "gray")
        ]
        self.envoy.change(translate(resources([group.model]), ends))

    def ask(self, *cookies, path="/", host="shop.example.com"):
        """Who answers a user with these `Cookie` headers, and which bucket it sets."""
        reply = self.envoy.ask(GATEWAY, path, [("host", host), *(("cookie", one) for one in cookies)])
        assert reply.status == 200
        found = COOKIE.fullmatch(reply.set_cookie)
        assert bool(found) == bool(reply.set_cookie)
        return reply.body.decode().split('"who": "')[1].split('"')[0], int(found[1]) if found else None


@pytest.fixture
def shop(envoy):
    return Shop(envoy)


@pytest.mark.slow
def test_users_stay_where_they_are_while_a_share_goes_up_and_back(shop):
    shop.serve(20)
    users = [shop.ask() for _ in range(300)]
    for who, bucket in users:
        assert who == ("cat/gray" if bucket < 20 else "cat/prod")
    assert {bucket for _, bucket in users} <= set(range(100))
    assert len({bucket for _, bucket in users}) > 50
    for share in (20, 50, 100, 50, 20, 0):
        shop.serve(share)
        for bucket in range(100):
            lane = "gray" if bucket < share else "prod"
            host = ("shop.example.com", "www.shop.example.com")[bucket % 2]
            path, service = (("/", "cat"), ("/dog/x", "dog"))[bucket // 2 % 2]
            assert shop.ask(f"theme=dark; graylane-bucket={bucket}", path=path, host=host) == (
                f"{service}/{lane}",
                None,
            )


@pytest.mark.parametrize(
    ("cookies", "who"),
    [
        (["graylane-bucket=5"], "cat/gray"),
        (["a=b; graylane-bucket=50;c=d"], "cat/prod"),
        (["graylane-bucket=5; graylane-bucket=50"], "cat/gray"),
        (["graylane-bucket=50; graylane-bucket=5"], "cat/gray"),
        (["graylane-bucket=999; graylane-bucket=50"], "cat/prod"),
        (["a=b", "graylane-bucket=5"], "cat/gray"),  # two headers
        (["graylane-bucket=999"], None),
        (["graylane-bucket=100"], None),
        (["graylane-bucket=-5"], None),
        (["graylane-bucket=05"], None),
        (['graylane-bucket="5"'], None),
        (["graylane-bucket= 5"], None),
        (["graylane-bucket =5"], None),
        (["graylane-bucket=5,6"], None),
        (["graylane-bucket=%35"], None),
        (["Graylane-Bucket=5"], None),
        (["xgraylane-bucket=5"], None),
        (["graylane-bucket"], None),
        (["graylane-bucket=" + "5" * 4000], None),
        (["\u00e4=\u00f6; graylane-bucket=\u00fc5"], None),
    ],
)
def test_what_is_no_bucket_is_drawn_anew_and_what_is_one_is_kept(shop, cookies, who):
    shop.serve(20)
    found = Counter(shop.ask(*cookies) for _ in range(3))
    if who is None:
        assert all(bucket is not None for _, bucket in found)
    else:
        assert found == {(who, None): 3}
