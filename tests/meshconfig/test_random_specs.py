"""Every spec that a person may write either compiles to resources that Istio's own shapes hold, or says why not."""

import pytest
import yaml
from hypothesis import assume, given, settings
from random_specs import specs

from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.render import render, to_yaml


def read(value):
    """The group, or the places of what is wrong with it."""
    try:
        return groups(parse(yaml.safe_dump(value), "random.yaml"))[0], ()
    except InputError as error:
        return None, error.problems


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(specs())
def test_a_spec_compiles_or_says_why_with_a_line(value):
    group, problems = read(value)
    assert all(problem.location.line for problem in problems)
    assume(group)
    manifests = render([compile_group(group.spec)])
    assert list(yaml.safe_load_all(to_yaml(manifests))) == manifests

    resources = Resources.parse(manifests)
    subsets = {(rule.spec.host, subset.name) for rule in resources.destination_rules for subset in rule.spec.subsets}
    for service in resources.virtual_services:
        for route in service.spec.http:
            for one in route.route:
                assert (one.destination.host, one.destination.subset) in subsets
            sends = route.direct_response or route.redirect
            assert sends or len(route.route) == 1 or sum(one.weight or 0 for one in route.route) > 0
