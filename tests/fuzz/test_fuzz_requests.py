"""Any manifests and any request: an answer, and never a crash. A spec's resources do what its compiled tables say."""

from collections import defaultdict
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st
from mutations import MANIFESTS, SPECS, WORDS, as_yaml, documents, mutated_values
from random_specs import asked, specs

from meshconfig.cli import explain_text
from meshconfig.errors import InputError
from meshconfig.explain.given import Given
from meshconfig.explain.names import Names
from meshconfig.explain.request import Asked, request
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.local.surroundings import resources
from meshconfig.simulate import (
    ANY_GATEWAY,
    Destination,
    DirectResponse,
    Index,
    Redirect,
    Request,
    conditions,
    follow,
    near_misses,
    simulate,
)

pytestmark = pytest.mark.fuzz

texts = st.sampled_from(WORDS) | st.text(max_size=8)
hosts = (
    st.sampled_from(
        ("cat.example.com", "cat-svc", "mouse-svc.demo", "http://cat.example.com:8080/a?b", "10.1.2.3", "*")
    )
    | texts
)
options = st.builds(
    Asked,
    hosts,
    path=st.none() | texts | texts.map("/{}".format),
    headers=st.lists(st.tuples(st.sampled_from(("env", "baggage", "cookie", "x-a")) | texts, texts), max_size=3).map(
        tuple
    ),
    method=st.sampled_from(("GET", "POST", "get", "")),
    source=st.none() | st.sampled_from(("cat", "demo/", "demo/cat", "/")) | texts,
    port=st.none() | st.sampled_from((80, 9001, 0, -1, 65536)),
    scheme=st.none() | st.sampled_from(("http", "https")),
    gateway=st.none() | st.sampled_from(("demo/cat-example-com", "istio-system/gw")) | texts,
)


def is_said(error):
    assert error.problems
    assert all(one.message for one in error.problems)


@given(st.lists(mutated_values(documents(*MANIFESTS)), min_size=1, max_size=6), options, st.booleans())
def test_any_manifests_answer_any_request_or_say_what_is_wrong(manifests, ask, spec):
    made = groups(parse(as_yaml(documents(*SPECS)[0]), "spec.yaml")) if spec else []
    try:
        found = parse(as_yaml(*manifests), "in.yaml")
        pairs = [(one.value, one) for one in found if not one.foreign]
        known = Given(tuple(made), Resources.parse([*pairs, *(r.manifest for r in _rendered(made))]), "in.yaml", False)
        names = Names(known)
        asks, origin = request(names, ask)
    except InputError as error:
        is_said(error)
        return
    decision = simulate(known.index, asks)
    assert sum(share.probability for share in decision.shares) == 1
    misses, said = near_misses(known.index, asks, decision), conditions(known.index, asks)
    assert list(explain_text.lines(asks, origin, decision, misses, said, (), names))
    for one in known.resources.services[:2]:
        follow(known.index, asks, [(f"{one.name}.{one.namespace}.svc.cluster.local", None)], carrying=names.carrying)


def _rendered(made):
    given = resources([one.model for one in made])
    return [*given.virtual_services, *given.destination_rules, *given.gateways, *given.services]


def holds(match, value):
    """A header or a parameter by a StringMatch of the model; `value` is None where there is none."""
    match match.kind:
        case "present":
            return value is not None
        case "exact":
            return value == match.value
        case "prefix":
            return value is not None and value.startswith(match.value)
    return value is not None and bool(re2.fullmatch(match.value, value))


def fulfils(condition, request):
    path, _, query = request.path.partition("?")
    headers = dict(request.pairs)
    parameters = dict(one.partition("=")[::2] for one in query.split("&") if one)
    return (
        (condition.path is None or holds(condition.path, path))
        and condition.method in (None, request.method)
        and all(holds(match, headers.get(name.lower())) for name, match in condition.headers)
        and all(holds(match, parameters.get(name)) for name, match in condition.query)
        and not any(holds(match, headers.get(name.lower())) for name, match in condition.absent)
    )


def by_the_tables(routes, subsets, request):
    """What the first compiled route that holds does: {what: its share}."""
    for route in routes:
        if route.conditions and not any(fulfils(one, request) for one in route.conditions):
            continue
        if route.refusal:
            return {(503, route.refusal): Fraction(1)}
        if link := route.fields.get("redirect"):
            return {(link["redirectCode"], link["uri"]): Fraction(1)}
        if none := route.fields.get("directResponse"):
            return {(none["status"], none["body"]["string"]): Fraction(1)}
        whole = sum(one.weight for one in route.targets if one.weight is not None) or 1
        found: dict[Any, Fraction] = defaultdict(Fraction)
        for one in route.targets:
            share = Fraction(1) if one.weight is None else Fraction(one.weight, whole)
            found[one.host, dict(subsets[one.host])[one.subset]] += share
        return {what: share for what, share in found.items() if share}
    return None


def by_simulation(decision):
    found: dict[Any, Fraction] = defaultdict(Fraction)
    for share in decision.shares:
        match share.outcome:
            case Destination() as one:
                found[one.host, one.labels] += share.probability
            case DirectResponse() as one:
                found[one.status, one.body] += share.probability
            case Redirect() as one:
                found[one.status, urlsplit(one.location).path] += share.probability
            case _:
                return None
    return dict(found)


def agree(model, index, path, method, headers, hosts):
    subsets = {one.host: [(subset.name, subset.labels) for subset in one.subsets] for one in model.services}
    for service in model.services:
        ask = Request(service.host, path, method, headers, source_namespace=service.namespace, port=service.port)
        same(service.routes, subsets, simulate(index, ask), ask)
    for entry in model.entries:
        for host in {one for one in entry.hosts if one in hosts}:
            ask = Request(host, path, method, headers, gateway=ANY_GATEWAY)
            same(entry.routes, subsets, simulate(index, ask), ask)


def same(routes, subsets, decision, ask):
    expected = by_the_tables(routes, subsets, ask)
    if expected is not None and not decision.undecided:
        assert by_simulation(decision) == expected, ask


def once(headers):
    """Each name once: what comes of a repeated one is Envoy's matter, and is held against a real one elsewhere."""
    return tuple({name: (name, value) for name, value in headers}.values())


@given(specs(), st.lists(asked(), min_size=1, max_size=6))
def test_what_a_spec_renders_to_does_what_it_compiles_to(value, requests):
    try:
        (group,) = groups(parse(as_yaml(value), "in.yaml"))
    except InputError:
        assume(False)
    index = Index(resources([group.model]))
    for host, method, path, headers in requests:
        agree(group.model, index, path, method, once(headers), {host})
