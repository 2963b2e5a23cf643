"""What is printed for a decision reads well."""

from fractions import Fraction

import pytest
from istio_world import at_gateway, says, target, virtual_service, world

from meshconfig.simulate import (
    Destination,
    DirectResponse,
    Failure,
    Mirror,
    Mismatch,
    Passthrough,
    Redirect,
    RouteRef,
    Undecided,
)

TEXTS = [
    (RouteRef("demo/vs", 1), "VirtualService demo/vs http[1]"),
    (RouteRef("demo/vs", 1, "gray", 0), "VirtualService demo/vs http[1] (gray)"),
    (RouteRef("demo/vs", 1, "a-b", None, "demo/sub", 2), "VirtualService demo/vs http[1] → demo/sub http[2] (a-b)"),
    (Destination("cat", 9001, "gray"), "cat:9001 subset gray"),
    (Destination("cat", None), "cat"),
    (Mirror("cat", 80, "", Fraction(1)), "cat:80"),
    (Mirror("cat", 80, "gray", Fraction(1)), "cat:80 subset gray"),
    (Redirect(301, "https://a/"), "301 redirect to https://a/"),
    (DirectResponse(418, "tea"), "418 direct response"),
    (Failure(404, "no route"), "404 no route"),
    (Passthrough("a.org", "unknown"), "a.org, not routed by Istio: unknown"),
    (Undecided(), "cannot be decided"),
    (Mismatch("header env", "exact gray", "prod"), "header env: exact gray ≠ prod"),
    (Mismatch("header env", "exact gray"), "header env: exact gray, absent"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=lambda value: type(value).__name__)
def test_text(value, text):
    assert str(value) == text


def test_empty_values_and_several_are_seen_in_a_reason():
    index = world(virtual_service("vs", says(201, {"headers": {"env": {"exact": ""}}}), says(202)))
    sent = [("env", "a"), ("env", "b")]
    assert str(at_gateway(index, headers=sent).skipped[0]) == 'header env: exact "" ≠ a and b'
    index = world(virtual_service("vs", says(201, {"headers": {"env": {"exact": "a"}}}), says(202)))
    assert str(at_gateway(index, headers=[("env", "")]).skipped[0]) == 'header env: exact a ≠ ""'


def test_one_outcome_or_several():
    both = {"route": [target("prod", weight=1), target("blue", weight=1)]}
    decision = at_gateway(world(virtual_service("vs", both)))
    assert decision.outcome is None
    assert [one.subset for one in decision.destinations] == ["prod"]
