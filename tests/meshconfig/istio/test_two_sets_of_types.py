"""The strict types of a spec and the lenient ones of resources agree on what they both know (ADR 11)."""

import pytest
from crd_fields import unknown
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from meshconfig.istio import types
from meshconfig.istio.types import HTTPRoute, View, unmodelled
from meshconfig.spec import istio_policy
from meshconfig.spec.istio_policy import Policy

RENAMED = {Policy: types.HTTPRoute, istio_policy.Mirror: types.MirrorPolicy}


def models(module):
    found = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    return {one.__name__: one for one in found if one.__module__ == module.__name__}


LENIENT = models(types)
TWINS = {one: LENIENT[name] for name, one in models(istio_policy).items() if name in LENIENT} | RENAMED


def fields(model):
    return {info.alias or name for name, info in model.model_fields.items()}


def test_which_models_are_in_both():
    assert {one.__name__ for one in TWINS} == {
        "StringMatch",
        "PortSelector",
        "Destination",
        "HeaderOperations",
        "Headers",
        "Mirror",
        "Policy",
    }


@pytest.mark.parametrize(("strict", "lenient"), TWINS.items(), ids=lambda one: one.__name__)
def test_the_lenient_model_has_every_field_of_the_strict_one(strict, lenient):
    assert fields(strict) <= fields(lenient)


WORDS = st.text("ab-/.", min_size=1, max_size=5)
DURATIONS = st.sampled_from(["1s", "0.5s", "1m30s", "100ms"])
PERCENTAGES = st.fixed_dictionaries({"value": st.one_of(st.integers(0, 100), st.sampled_from([0.5, 99.9]))})
DESTINATIONS = st.fixed_dictionaries(
    {"host": WORDS},
    optional={"subset": WORDS, "port": st.fixed_dictionaries({"number": st.integers(1, 65535)})},
)
HEADERS = st.dictionaries(WORDS, WORDS, max_size=2)
OPERATIONS = st.fixed_dictionaries({}, optional={"set": HEADERS, "add": HEADERS, "remove": st.lists(WORDS, max_size=2)})
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "timeout": DURATIONS,
        "retries": st.fixed_dictionaries({"attempts": st.integers(0, 5)}, optional={"perTryTimeout": DURATIONS}),
        "fault": st.fixed_dictionaries({"delay": st.fixed_dictionaries({"fixedDelay": DURATIONS})}),
        "mirror": DESTINATIONS,
        "mirrorPercentage": PERCENTAGES,
        "mirrors": st.lists(
            st.fixed_dictionaries({"destination": DESTINATIONS}, optional={"percentage": PERCENTAGES}), max_size=2
        ),
        "corsPolicy": st.fixed_dictionaries({"allowMethods": st.lists(WORDS, max_size=2)}),
        "headers": st.fixed_dictionaries({}, optional={"request": OPERATIONS, "response": OPERATIONS}),
    },
)


def unread(view):
    """The fields that a view and all views in it do not model."""
    parts = [getattr(view, name) for name in type(view).model_fields]
    inside = [one for part in parts for one in (part if isinstance(part, tuple) else [part]) if isinstance(one, View)]
    return [*unmodelled(view), *(name for one in inside for name in unread(one))]


def test_the_policies_that_are_tried_hold_every_field():
    tried = "timeout retries fault mirror mirrorPercentage mirrors corsPolicy headers"
    assert fields(Policy) == set(tried.split())


@given(POLICIES)
def test_what_a_spec_passes_through_is_read_whole_and_with_the_same_values(written):
    strict = Policy.model_validate(written).model_dump(mode="json", by_alias=True, exclude_unset=True)
    lenient = HTTPRoute.model_validate(strict)
    assert unread(lenient) == []
    assert lenient.model_dump(mode="json", by_alias=True, exclude_unset=True) == strict


class Retries(BaseModel):
    attempts: int


class Route(BaseModel):
    timeout: str | None = None
    retries: Retries | None = None
    mirrors: tuple[Retries, ...] = ()


def test_fields_are_held_against_a_schema():
    """What tests/cluster/test_crd_fields.py does with the CRDs of a cluster."""
    retries = {"properties": {"attempts": {}}}
    known = {"timeout": {}, "retries": retries, "mirrors": {"items": retries}}
    assert list(unknown(Route, {"properties": known})) == []
    assert list(unknown(Route, {"properties": {**known, "mirrors": {"items": {}}}})) == ["spec.mirrors.attempts"]
    assert list(unknown(Route, {"properties": {"retries": {}}})) == [
        "spec.timeout",
        "spec.retries.attempts",
        "spec.mirrors",
    ]
