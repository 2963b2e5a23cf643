"""What a valid spec is rendered to, where graylane chose each field: Istio refuses none of it, whatever texts the spec
has. `lint` relies on that, and does not judge these resources."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from meshconfig.admission import check
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.lint.origin import rendered
from meshconfig.load import parse
from meshconfig.spec import base
from meshconfig.spec import group as spec
from meshconfig.spec.match import MAX_REGEX

LONG = ".".join(["a" * 63] * 3)
PREFIXES = ("a..b", "a-.b", "a.-b", f"{LONG}.{'a' * 61}", f"{LONG}.{'a' * 63}", "a.7")
HOSTS = ("10.0.0.1", "a.b.7", "a.7", "7", "a" * 63, "cat-svc.demo.svc.cluster.local", LONG)
REGEXES = (".*", "*", "a{1000}", "(?i)a", "a" * MAX_REGEX, "é" * (MAX_REGEX // 2), "é" * (MAX_REGEX // 2 + 1))


def of(pattern: str) -> st.SearchStrategy[str]:
    return st.from_regex(pattern, fullmatch=True)


names = of(base.LABEL) | st.just("a" * 63)
headers = of(base._HEADER)
keys = of(base._KEY) | st.sampled_from(PREFIXES).map("{}/version".format)
labels = st.dictionaries(keys, of(base._VALUE), min_size=1, max_size=2)
hosts = of(spec._NAME) | st.sampled_from(HOSTS)
texts = st.text(min_size=1, max_size=4)
asked = st.one_of(
    texts.map(lambda text: {"exact": text}),
    texts.map(lambda text: {"prefix": text}),
    st.sampled_from(REGEXES).map(lambda text: {"regex": text}),
    st.just({"present": True}),
)
matches = st.fixed_dictionaries(
    {},
    optional={
        "headers": st.dictionaries(headers, asked, min_size=1, max_size=2),
        "cookies": st.dictionaries(texts, asked, min_size=1, max_size=2),
        "query": st.dictionaries(texts, asked, min_size=1, max_size=1),
        "path": st.sampled_from(["/", {"prefix": "/é%"}, {"regex": "/a.*"}]),
        "method": of("^[A-Z]+$"),
    },
).filter(bool)


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    versions = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    weights = {version: draw(st.integers(0, 10**6)) for version in versions}
    return {
        "host": draw(hosts),
        "port": draw(st.integers(1, 65535)),
        "versions": {version: {"labels": draw(labels)} for version in versions},
        **draw(st.sampled_from([{"weights": {**weights, versions[0]: 1}}, {"default": versions[0]}])),
        "rules": [{"match": match, "weights": {versions[0]: 1}} for match in draw(st.lists(matches, max_size=2))],
    }


@st.composite
def hard_specs(draw: st.DrawFn) -> dict[str, Any]:
    lanes = draw(st.dictionaries(of(spec.LANE_NAME), st.sampled_from(["compiled", "runtime"]), max_size=2))
    return {
        "apiVersion": "graylane/v1",
        "kind": "LaneGroup",
        "metadata": {"name": draw(names), "namespace": draw(names)},
        "spec": {
            "tag": {"header": draw(headers), "baggage": draw(st.booleans())},
            "trail": draw(st.booleans()),
            "lanes": {**{name: {"fallback": fallback} for name, fallback in lanes.items()}, "prod": {}},
            "services": draw(st.dictionaries(names, services(), min_size=1, max_size=2)),
        },
    }


@settings(deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(hard_specs())
def test_istio_takes_what_a_valid_spec_is_rendered_to(value):
    try:
        (group,) = groups(parse(json.dumps(value), "graylane.yaml"))
    except InputError:
        assume(False)
    own = [one for one, source in rendered(group) if source.is_graylanes_own]
    assert own
    assert [found for one in own for found in check(one, one["metadata"]["namespace"])] == []


def said(**service: Any) -> str:
    """What is wrong with a spec of one service with these fields."""
    cat = {"host": "cat-svc", "port": 80, "versions": {"prod": {"labels": {"env": "prod"}}}, **service}
    value = {
        "apiVersion": "graylane/v1",
        "kind": "LaneGroup",
        "metadata": {"name": "pets"},
        "spec": {"lanes": {"prod": {}}, "services": {"cat": cat}},
    }
    try:
        groups(parse(json.dumps(value), "graylane.yaml"))
    except InputError as error:
        return "\n".join(map(str, error.problems))
    return ""


@pytest.mark.parametrize("host", ["10.0.0.1", "cat.demo.7"])
def test_an_address_is_no_service(host):
    assert said(host=host) == (
        f"graylane.yaml:1: spec.services.cat.host: {host} is not the name of a Service: its last part is a number"
    )


@pytest.mark.parametrize("host", ["7", "cat.7", "7.demo.svc.cluster.local"])
def test_a_service_may_be_called_by_a_number(host):
    assert said(host=host) == ""


@pytest.mark.parametrize("field", ["labels", "fallbackLabels"])
@pytest.mark.parametrize("prefix", PREFIXES[:3])
def test_what_stands_before_the_slash_of_a_label_is_a_domain(field, prefix):
    versions = {"prod": {"labels": {"env": "prod"}, field: {f"{prefix}/x": "1"}}}
    assert "what stands before / is a domain" in said(versions=versions)


def test_a_label_may_have_the_longest_domain():
    prefix = PREFIXES[3]
    assert len(prefix) == 253
    assert said(versions={"prod": {"labels": {f"{prefix}/x": "1"}}}) == ""


def test_regular_expressions_are_counted_in_bytes():
    rules = [{"match": {"headers": {"x-team": {"regex": REGEXES[-1]}}}, "weights": {"prod": 1}}]
    assert f"takes a regular expression of at most {MAX_REGEX} bytes" in said(rules=rules)
    rules[0]["match"] = {"cookies": {"team": {"exact": "é" * 505}}}
    assert f"a regular expression of over {MAX_REGEX} bytes" in said(rules=rules)
