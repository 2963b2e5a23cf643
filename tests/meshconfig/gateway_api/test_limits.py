"""Many lanes take several HTTPRoutes; none is larger than the API server takes, and the decisions stay the spec's."""

import pytest
from two_backends import BothBackends, gateway_request, mesh_request

COOKIES = {"cookie": "lane", "links": "/.lane", "sticky": {"buckets": 10}, "split": {"prod": 90, "lane-3": 10}}


def many_lanes(count, **entry):
    lanes = {f"lane-{number}": {"mode": "strict" if number % 7 == 0 else "permissive"} for number in range(count)}
    versions = {name: {"labels": {"env": name}} for name in ["prod", *[*lanes][::3]]}
    alice = {"match": {"headers": {"end-user": "alice"}}, "weights": {"prod": 1, "lane-0": 2}}
    service = {"port": 9001, "versions": versions}
    return {
        "apiVersion": "graylane/v1",
        "kind": "LaneGroup",
        "metadata": {"name": "many", "namespace": "demo"},
        "spec": {
            "trail": True,
            "lanes": {"prod": {}, **lanes},
            "services": {
                "cat": {"host": "cat-svc", "selector": {"app": "cat"}, "rules": [alice], **service},
                "mouse": {"host": "mouse-svc", "selector": {"app": "mouse"}, **service},
            },
            "entries": [
                {
                    "hosts": ["cat.example.com"],
                    "routes": [{"path": {"prefix": "/mouse"}, "service": "mouse"}, {"service": "cat"}],
                    "admit": [
                        {"lane": "lane-1", "match": {"headers": {"x-team": "a"}}},
                        {"lane": "lane-2", "match": {"cookies": {"beta": "1"}}},
                    ],
                    **entry,
                }
            ],
        },
    }


def check_sizes(rendered):
    routes = [one for one in rendered if one["kind"] == "HTTPRoute"]
    for one in routes:
        matches = [len(rule.get("matches", "1")) for rule in one["spec"]["rules"]]
        assert len(matches) <= 16
        assert max(matches) <= 64
        assert sum(matches) <= 128
        assert all(len(rule.get("backendRefs", ())) <= 16 for rule in one["spec"]["rules"])
        names = [rule["name"] for rule in one["spec"]["rules"]]
        assert len({*names}) == len(names)
    names = [one["metadata"]["name"] for one in routes]
    assert len({*names}) == len(names)
    return names


def ask(both, requests):
    for path, headers in requests:
        for one in (
            gateway_request("cat.example.com", "GET", path, headers),
            mesh_request("cat-svc.demo.svc.cluster.local", "GET", path, headers, 9001),
        ):
            wrong = both.differs(one)
            assert wrong is None, wrong


def test_forty_lanes_take_several_routes_and_decide_alike():
    both = BothBackends(many_lanes(40))
    names = check_sizes(both.rendered["gateway"])
    assert {"cat-svc", "cat-svc.2", "cat-example-com", "cat-example-com.6"} <= {*names}
    ask(
        both,
        [
            ("/", [("env", "lane-39")]),
            ("/mouse/a", [("env", "lane-7"), ("x-team", "a")]),
            ("/mousex", [("env", "none"), ("end-user", "alice")]),
            ("/", [("cookie", "beta=1"), ("env", "lane-21")]),
        ],
    )


@pytest.mark.slow
@pytest.mark.parametrize("entry", [{}, COOKIES, {"laneHosts": "{lane}.example.com"}], ids=["plain", "cookies", "hosts"])
def test_two_hundred_lanes_decide_alike(entry):
    both = BothBackends(many_lanes(200, **entry))
    check_sizes(both.rendered["gateway"])
    ask(
        both,
        [
            ("/mousex", [("env", "lane-150"), ("cookie", "lane=lane-9; graylane-bucket=1")]),
            ("/", [("env", "lane-7"), ("end-user", "alice")]),
            ("/", [("env", "none"), ("cookie", "beta=1"), ("end-user", "alice")]),
            ("/mouse/a", [("cookie", "lane=lane-9; graylane-bucket=1")]),
            ("/.lane/lane-7", []),
        ],
    )
