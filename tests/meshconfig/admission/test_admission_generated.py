"""What holds for any manifest: ours are taken, valid ones of other people too, and random ones are judged at fields."""

import json
import random
from typing import Any

import pytest
import yaml
from admission_manifests import METADATA, Manifest, manifests, styles
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_specs import specs

from meshconfig.admission import Kind, check, is_checked
from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.lint import index, lint
from meshconfig.lint.origin import rendered
from meshconfig.load import parse
from meshconfig.render import render


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(specs())
def test_what_graylane_renders_is_never_refused(value: Any) -> None:
    try:
        group = groups(parse(yaml.safe_dump(value), "random.yaml"))[0]
    except InputError:
        assume(False)
    made = [one for one in render([compile_group(group.spec)]) if is_checked(one)]
    assert made
    assert [found for one in made for found in check(one, one["metadata"]["namespace"])] == []


POLICIES: list[Manifest] = [{}, {"policy": {"timeout": "3s"}}, {"trafficPolicy": {"tls": {"mode": "DISABLE"}}}]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(specs(), st.sampled_from(POLICIES), st.sampled_from(("compiled", "runtime")))
def test_where_graylane_chose_each_field_there_is_nothing_to_refuse(
    value: Any, policy: Manifest, fallback: str
) -> None:
    for service in value["spec"]["services"].values():
        service |= policy
    for name, lane in value["spec"]["lanes"].items():
        lane |= {"fallback": fallback} if name != "prod" else {}
    try:
        group = groups(parse(yaml.safe_dump(value), "random.yaml"))[0]
    except InputError:
        assume(False)
    made = [(one, source) for one, source in rendered(group) if is_checked(one)]
    own = [one for one, source in made if source.is_graylanes_own]
    passed = policy or any("mirror" in one for one in value["spec"]["services"].values())
    assert passed or len(own) == 2 * len(group.spec.spec.services)
    for one in own:
        assert check(one, one["metadata"]["namespace"]) == []
    theirs = [one for one, source in made if not source.is_graylanes_own and source.service]
    assert all(map(_has_passed_fields, theirs))


def _has_passed_fields(one: Manifest) -> bool:
    """Whether a resource has a part of its service's `policy`, `trafficPolicy` or `mirror`."""
    parts = (one["spec"], *one["spec"].get("http", ()))
    return any(part.keys() & {"trafficPolicy", "timeout", "mirrors"} for part in parts)


@pytest.mark.parametrize("one", styles(), ids=lambda one: f"{one['kind']}-{json.dumps(one['spec'])[:50]}")
def test_the_styles_of_other_people_are_taken(one: Manifest) -> None:
    assert check(one | {"metadata": {"name": "made", "namespace": "demo"}}, "demo") == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9))
def test_random_manifests_are_judged_at_a_field_of_theirs(seed: int) -> None:
    for one in manifests(seed, 20):
        before = json.dumps(one)
        found = check(one, "demo")
        assert json.dumps(one) == before
        assert len(set(found)) == len(found)
        for refusal in found:
            assert refusal.message
            assert _around(one, refusal.path), refusal


def _around(manifest: Any, path: Any) -> bool:
    """Whether the mapping or list around a refused field exists. The field itself may be the one that is missing."""
    for part in path[:-1]:
        manifest = manifest[part]
    return isinstance(manifest, dict | list)


def test_lint_of_random_manifests_tells_each_refusal_with_a_line_of_its_resource() -> None:
    made = list(manifests(5, 300))
    refused = {f"{one['kind']} demo/{one['metadata']['name']}" for one in made if check(one, "demo")}
    documents = parse(yaml.safe_dump_all(made), "in.yaml")
    found = [one for one in lint(index(documents)) if one.level == "error" and one.resource in refused]
    assert {one.resource for one in found} == refused
    starts = {f"{one.kind} demo/{one.value['metadata']['name']}": one.locate(()).line for one in documents}
    ends = dict(zip(starts, [*list(starts.values())[1:], 10**9], strict=True))
    assert all(starts[one.resource] <= one.location.line < ends[one.resource] for one in found)


@pytest.mark.parametrize(
    ("metadata", "refused"),
    [
        ({}, None),
        ({"name": "a.b-c"}, None),
        ({"name": "a_b"}, Kind.BAD_VALUE),
        ({"name": None}, Kind.MISSING),
        ({"name": None, "generateName": "a-"}, None),
        ({"name": 5}, Kind.WRONG_TYPE),
        ({"names": "a"}, Kind.UNKNOWN_FIELD),
        ({"labels": {"example.com/C_d": ""}}, None),
        ({"labels": {"A.b/c": "d"}}, Kind.BAD_VALUE),
        ({"labels": {"a": "b" * 64}}, Kind.BAD_VALUE),
        ({"annotations": {"A.b/C": "any text"}}, None),
        ({"annotations": {"internal.istio.io/parents": "a"}}, Kind.BAD_VALUE),
        ({"annotations": {"istio.io/dry-run": "true"}}, Kind.BAD_VALUE),
    ],
    ids=str,
)
def test_metadata_is_judged_as_the_api_server_does(metadata: Manifest, refused: Kind | None) -> None:
    found = check(styles()[0] | {"metadata": {"name": "made", **metadata}}, "demo")
    assert [one.kind for one in found] == ([refused] if refused else [])


@pytest.mark.parametrize(
    ("waypoint", "location", "refused"),
    [("here", "MESH_INTERNAL", True), ("none", "MESH_INTERNAL", False), ("here", "MESH_EXTERNAL", False)],
)
def test_a_wildcard_of_the_mesh_has_no_waypoint(waypoint: str, location: str, refused: bool) -> None:
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    spec = {"hosts": ["*.a.com"], "resolution": "DYNAMIC_DNS", "location": location, "ports": ports}
    metadata = {"name": "a", "labels": {"istio.io/use-waypoint": waypoint}}
    one = {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": metadata, "spec": spec}
    assert [refusal.path for refusal in check(one, "demo")] == [("spec", "location")] * refused


def test_a_gateway_s_name_has_no_dots_and_other_kinds_may() -> None:
    for one in styles():
        found = check(one | {"metadata": {"name": "a.b"}}, "demo")
        assert [one.kind for one in found] == ([Kind.BAD_VALUE] if one["kind"] == "Gateway" else [])


def test_the_cases_of_metadata_are_both_right_and_wrong() -> None:
    verdicts = [bool(check(styles()[0] | {"metadata": {"name": "made", **one}}, "demo")) for one in METADATA]
    assert 5 <= sum(verdicts) <= len(verdicts) - 5


def test_many_hosts_in_one_list_are_compared_by_their_endings() -> None:
    hosts = [f"h{number}.example.com" for number in range(3000)]
    one = styles()[0]
    spec = {**one["spec"], "hosts": random.Random(1).sample(hosts, len(hosts))}
    assert check(one | {"spec": spec, "metadata": {"name": "a"}}, "demo") == []
    tls = [{"match": [{"sniHosts": hosts}], "route": [{"destination": {"host": "cat"}}]}]
    assert check(one | {"spec": {"hosts": hosts, "tls": tls}, "metadata": {"name": "a"}}, "demo") == []
    spec["hosts"].append("*.example.com")
    assert len(check(one | {"spec": spec, "metadata": {"name": "a"}}, "demo")) == 3000
