"""HTTPRoutes and the Services of versions are read as the tables that they come from, and written again unchanged."""

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from random_specs import specs
from two_backends import compiled, for_both

from meshconfig.backend import backend
from meshconfig.cluster.objects import state
from meshconfig.errors import InputError
from meshconfig.model import RouteKind, SetTag, StringMatch
from meshconfig.render import owner, render

GATEWAY = backend("gateway")
VERSIONS = {name: {"labels": {"version": name}} for name in ("v1", "v2")}
SPEC: Any = {
    "apiVersion": "graylane/v1",
    "kind": "LaneGroup",
    "metadata": {"name": "pets", "namespace": "demo"},
    "spec": {
        "lanes": {"prod": {"versions": {"cat": "v1"}}, "gray": {"versions": {"cat": "v2"}}, "blue": {"mode": "strict"}},
        "services": {
            "cat": {
                "host": "cat-svc",
                "port": 9001,
                "versions": VERSIONS,
                "rules": [
                    {
                        "match": {"path": {"prefix": "/beta"}, "headers": {"end-user": {"prefix": "a"}}},
                        "weights": {"v2": 1},
                    },
                    {"match": {"method": "POST", "query": {"q": {"exact": "x"}}}, "weights": {"v1": 3, "v2": 1}},
                ],
            },
        },
        "entries": [{"hosts": ["a.example.com"], "routes": [{"service": "cat"}], "split": {"gray": 1, "prod": 3}}],
    },
}


def lifted(value):
    """(the model, its resources, the tables that these are lifted to)"""
    model = compiled(for_both(copy.deepcopy(value)), "gateway")
    made = render([model])
    return model, made, GATEWAY.lift(made, model.tag)


def test_the_routes_of_a_service_are_those_that_the_spec_asked_for():
    model, _, tables = lifted(SPEC)
    (wanted,), (found,) = model.routing().mesh.values(), tables.mesh.values()
    assert [(one.id, one.conditions) for one in found.routes] == [(one.id, one.conditions) for one in wanted.routes]
    assert [bool(one.refusal) for one in found.routes] == [bool(one.refusal) for one in wanted.routes]
    assert [one.targets for one in found.routes] == [one.targets for one in wanted.routes]


def test_a_tag_in_baggage_counts_where_its_header_is_absent_as_the_spec_says():
    value = copy.deepcopy(SPEC)
    value["spec"]["tag"] = {"header": "env", "baggage": True}
    _, _, tables = lifted(value)
    (table,) = tables.mesh.values()
    asked = [one for route in table.routes for one in route.conditions if "baggage" in dict(one.headers)]
    members = [one for one in asked if dict(one.headers)["baggage"].kind == "regex"]
    assert members
    assert all(dict(one.absent) == {"env": StringMatch("present")} for one in members)


def test_baggage_that_wins_over_the_header_is_read_as_it_is():
    _, made, _ = lifted({**SPEC, "spec": {**SPEC["spec"], "tag": {"header": "env", "baggage": True}}})
    (route,) = [one for one in made if one["kind"] == "HTTPRoute" and one["metadata"]["name"] == "cat-svc"]
    rules = route["spec"]["rules"]
    member = next(one for one in rules if one["matches"][0].get("headers", [{}])[0].get("name") == "baggage")
    route["spec"]["rules"] = [member, rules[-1]]
    (table,) = GATEWAY.lift(made, "env").mesh.values()
    assert not [one for each in table.routes for one in each.conditions if one.absent]


def test_an_entry_is_lifted_with_its_split_and_its_tags():
    _, _, tables = lifted(SPEC)
    (entry,) = tables.entries.values()
    (default,) = [one for one in entry.routes if one.id.kind is RouteKind.DEFAULT]
    assert {(one.subset, one.weight, one.tag) for one in default.targets if one.weight == 1} == {
        ("v2", 1, SetTag("gray", baggage=True))
    }
    assert entry.hosts == ("a.example.com",)


def test_the_services_of_versions_are_the_subsets_of_their_service():
    _, _, tables = lifted(SPEC)
    subsets = {(one.host, subset.name): subset.labels for one in tables.subsets.values() for subset in one.subsets}
    assert subsets["cat-svc.demo.svc.cluster.local", "v2"] == (("app", "cat"), ("version", "v2"))


def test_what_graylane_does_not_know_stays_when_a_route_beside_it_changes():
    model, made, _ = lifted(SPEC)
    (route,) = [one for one in made if one["kind"] == "HTTPRoute" and one["metadata"]["name"] == "cat-svc"]
    route["spec"]["rules"][0]["sessionPersistence"] = {"sessionName": "s"}
    route["spec"]["rules"][0].setdefault("filters", []).append({"type": "ExtensionRef", "extensionRef": {"name": "x"}})
    route["spec"]["useDefaultGateways"] = "None"
    (table,) = GATEWAY.lift(made, model.tag).mesh.values()
    (again,) = [
        one
        for one in GATEWAY.lower(replace(table, routes=table.routes[:-1]), owner(model))
        if one["kind"] == "HTTPRoute"
    ]
    (first,) = [one for one in again["spec"]["rules"] if "sessionPersistence" in one]
    assert first["sessionPersistence"] == {"sessionName": "s"}
    assert {"type": "ExtensionRef", "extensionRef": {"name": "x"}} in first["filters"]
    assert again["spec"]["useDefaultGateways"] == "None"
    assert len(again["spec"]["rules"]) < len(route["spec"]["rules"])


def check_round_trip(value):
    try:
        model, made, tables = lifted(value)
    except (InputError, ValidationError):
        assume(False)
    again = [one for table in tables.tables for one in GATEWAY.lower(table, owner(model))]
    assert state(again) == state(made)
    stored = [GATEWAY.stored(one) for one in made]
    assert [GATEWAY.stored(one) for one in stored] == stored
    tables = GATEWAY.lift(stored, model.tag)
    assert state(one for table in tables.tables for one in GATEWAY.lower(table, owner(model))) == state(stored)


@settings(max_examples=8, suppress_health_check=list(HealthCheck), deadline=None)
@given(specs())
def test_what_is_lifted_lowers_to_the_same_resources(value):
    check_round_trip(value)


@pytest.mark.slow
@settings(max_examples=200, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.one_of(specs()))
def test_what_is_lifted_lowers_to_the_same_resources_whatever_the_spec_is(value):
    check_round_trip(value)
