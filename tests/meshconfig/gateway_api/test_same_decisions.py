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
