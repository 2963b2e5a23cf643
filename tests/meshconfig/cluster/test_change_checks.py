"""Lint between the steps of a plan: what it finds only there stops the change, and it is asked for no more."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from meshconfig.cluster.change.check import UnsafeStateError, check_states
from meshconfig.cluster.objects import State, state
from meshconfig.cluster.plan import Plan, Step

module = sys.modules["meshconfig.cluster.change.check"]
HOST = "cat-svc.demo.svc.cluster.local"


def resource(kind: str, spec: Any, name: str = "cat-svc") -> Any:
    api = "networking.istio.io/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "demo"}, "spec": spec}


def routes(subset: str) -> Any:
    destination = {"host": HOST, "subset": subset}
    return resource("VirtualService", {"hosts": [HOST], "http": [{"route": [{"destination": destination}]}]})


def subsets(*names: str) -> Any:
    made = [{"name": name, "labels": {"version": name}} for name in names]
    return resource("DestinationRule", {"host": HOST, "subsets": made})


def prepared(live: State, *steps: Step) -> Any:
    plan = Plan(steps, False, (), ())
    wanted = plan.states(live)[-1]
    return SimpleNamespace(plan=plan, live=SimpleNamespace(state=live), resources=wanted, adopts=False, moves=False)


@pytest.fixture
def linted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of resources in each state that was linted."""
    found: list[int] = []
    errors = module.errors

    def counted(one: State) -> Any:
        found.append(len(one))
        return errors(one)

    monkeypatch.setattr(module, "errors", counted)
    return found


ROUTES, SUBSETS = Step("routes", "", waves=((routes("gray"),),)), Step("subsets", "", waves=((subsets("gray"),),))


def test_a_route_that_leads_to_no_subset_between_two_steps_stops_the_change() -> None:
    with pytest.raises(UnsafeStateError, match=r"nothing was changed: after the step 'routes', .*gray"):
        check_states(prepared(state([subsets("blue")]), ROUTES, SUBSETS))


def test_what_was_wrong_before_stops_nothing(linted: list[int]) -> None:
    live = state([routes("gray"), subsets("blue")])
    other = Step("other", "", waves=((resource("DestinationRule", {"host": "dog.demo.svc.cluster.local"}, "dog"),),))
    check_states(prepared(live, other, SUBSETS))
    assert linted == [3, 2, 3]  # the state between, and only because something is wrong there, the two ends


def test_a_good_plan_has_the_states_between_its_steps_linted_and_no_other(linted: list[int]) -> None:
    check_states(prepared({}, SUBSETS, ROUTES))
    assert linted == [1]


def test_a_change_in_one_step_needs_no_lint(linted: list[int]) -> None:
    check_states(prepared({}, SUBSETS))
    assert linted == []
