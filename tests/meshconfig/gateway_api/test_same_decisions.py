"""A spec decides alike in both backends, whatever is asked."""

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from random_specs import HOSTS, asked, outside_specs, specs
from two_backends import both_backends, gateway_request, mesh_request, random_request


def _ask(both, host, method, path, headers):
    wrong = both.differs(gateway_request(host, method, path, headers))
    assert wrong is None, wrong
    for service in both.models["istio"].services:
        wrong = both.differs(mesh_request(service.host, method, path, headers, service.port))
        assert wrong is None, wrong


@settings(max_examples=4)
@given(specs(), st.lists(asked(), min_size=1, max_size=6))
def test_random_specs_decide_alike_in_both_backends(value, requests):
    both = both_backends(value)
    assume(both)
    for one in requests:
        _ask(both, *one)


@pytest.mark.slow
@settings(
    max_examples=130,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # what fails is printed whole; to shrink it takes minutes
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.one_of(specs(), outside_specs()), st.randoms(use_true_random=False))
def test_random_specs_decide_alike_for_ten_thousand_requests(value, random):
    both = both_backends(value)
    assume(both)
    for _ in range(80):
        _ask(both, *random_request(random, HOSTS))


REWRITES = [
    {"path": {"prefix": "/mouse/"}, "rewrite": "/", "service": "mouse"},
    {"path": {"prefix": "/mouse/sub/"}, "rewrite": "/other/", "service": "mouse"},
    {"path": {"exact": "/one"}, "rewrite": "/two", "service": "cat"},
    {"path": {"prefix": "/cat/"}, "service": "cat"},
    {"path": {"prefix": "/cats"}, "service": "cat"},
    {"service": "cat"},
]


def test_paths_are_rewritten_alike():
    versions = {name: {"labels": {"env": name}} for name in ("prod", "gray")}
    value = {
        "apiVersion": "graylane/v1",
        "kind": "LaneGroup",
        "metadata": {"name": "paths", "namespace": "demo"},
        "spec": {
            "lanes": {"prod": {}, "gray": {}, "blue": {"mode": "strict"}},
            "services": {
                "cat": {"host": "cat-svc", "port": 9001, "versions": versions},
                "mouse": {"host": "mouse-svc", "port": 9001, "versions": versions},
            },
            "entries": [{"hosts": ["a.example.com"], "routes": REWRITES, "split": {"gray": 1, "prod": 3}}],
        },
    }
    both = both_backends(value)
    paths = ("/", "/mouse", "/mouse/", "/mouse/a?b=c", "/mouses", "/mouse/sub", "/mouse/sub/a", "/one", "/one/", "/cat")
    for path in (*paths, "/cat/a", "/catsup", "/cats"):
        for headers in ((), (("env", "gray"),), (("env", "blue"),), (("env", "none"),)):
            _ask(both, "a.example.com", "GET", path, headers)
