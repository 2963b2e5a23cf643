"""graylane's kinds on a real API server: what the command line takes is taken and comes back the same, and of what it
refuses the API server refuses what a schema or a rule can say. `wrong_objects` lists the rest, with the reasons.

It needs an API server alone, and no mesh.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from mesh_cluster import kubectl, own_kinds
from random_specs import outside_specs, specs
from wrong_objects import GROUP, LANE, REFUSED, ROLLOUT, UNSAID, Unsaid, Wrong, changed

from meshconfig.cluster import previews
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import collection, path
from meshconfig.cluster.previews import PreviewObject
from meshconfig.cluster.revision import digest, document
from meshconfig.errors import ApiError, InputError, Location
from meshconfig.groups import Group, groups
from meshconfig.load import Document, load, parse
from meshconfig.rollout import check
from meshconfig.spec import API_VERSION, PreviewLane
from meshconfig.spec.base import validate

# A test's cluster may have a certificate that nobody checks.
pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore:Unverified HTTPS request")]

ROOT = Path(__file__).parents[2]
NAMESPACE = f"graylane-crds-{os.getpid()}"  # an API server alone deletes no namespace
FILES = sorted([*ROOT.glob("examples/*/*.yaml"), *ROOT.glob("tests/golden/*/in.yaml")])
DOCUMENTS = [
    pytest.param(one, id=f"{file.parent.name}/{file.name}")
    for file in FILES
    for one in load([str(file)])
    if one.kind in ("LaneGroup", "Rollout")
]
Value = dict[str, Any]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    own_kinds()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(namespace))
    yield Client.connect()
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def as_object(value: Mapping[str, Any]) -> Value:
    """A document as an object of the tests' namespace."""
    metadata = {**value["metadata"], "namespace": NAMESPACE}
    return {**deepcopy(dict(value)), "apiVersion": API_VERSION, "metadata": metadata}


def create(client: Client, value: Value, *, dry_run: bool = True) -> Value:
    query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
    found: Value = client.request("POST", collection(value["kind"], NAMESPACE), value, query=query)
    return found


def refusal(client: Client, value: Value) -> ApiError:
    with pytest.raises(ApiError) as caught:
        create(client, value)
    return caught.value


def compiled(value: Value) -> Group:
    """The group of an object, by the text that `kubectl get -o json` prints."""
    (group,) = groups(parse(json.dumps(value), "object.json"))
    return group


@pytest.mark.parametrize("document_", DOCUMENTS)
def test_what_files_have_comes_back_the_same(client: Client, document_: Document) -> None:
    value = as_object(document_.value)
    where = Key(value["kind"], NAMESPACE, value["metadata"]["name"])
    try:
        create(client, value, dry_run=False)
        found = client.get(path(where))
    finally:
        client.delete(where)
    assert found is not None
    if document_.kind == "Rollout":
        (one, other) = (check.parse(parse(json.dumps(part), "object.json")[0]) for part in (value, found))
        assert one == other
        return
    before, after = compiled(value), compiled(found)
    assert before.model == after.model
    assert digest(document(before.spec)) == digest(document(after.spec))


def test_the_api_server_fills_in_what_changes_nothing(client: Client) -> None:
    found = create(client, as_object(GROUP))
    assert found["spec"] == {**GROUP["spec"], "drift": "correct"}


def test_a_lane_comes_back_as_it_was_written(client: Client) -> None:
    found = create(client, as_object(LANE))
    assert found["spec"] == LANE["spec"]
    assert PreviewObject(found).spec().spec == validate(PreviewLane, as_object(LANE), lambda path: Location("x")).spec


def test_a_lane_stays_in_its_group(client: Client) -> None:
    one = as_object(LANE)
    one = {**one, "metadata": {**one["metadata"], "name": "moved"}}
    create(client, one, dry_run=False)
    with pytest.raises(ApiError) as caught:
        previews.apply(client, changed(one, ("group",), "others"), force=True)
    assert "a lane stays in its group: to change group, delete the lane" in caught.value.message


def test_the_name_of_a_lane_fits_a_tag(client: Client) -> None:
    one = as_object(LANE)
    create(client, {**one, "metadata": {**one["metadata"], "name": "x" * 57}})
    error = refusal(client, {**one, "metadata": {**one["metadata"], "name": "x" * 58}})
    assert "the name has at most 57 characters" in error.message


@pytest.mark.parametrize("wrong", REFUSED, ids=lambda one: one.name)
def test_the_api_server_refuses_what_a_schema_or_a_rule_can_say(client: Client, wrong: Wrong) -> None:
    error = refusal(client, as_object(wrong.document))
    assert error.status in (400, 422)
    # A rule's error has the keys of maps in brackets: spec.services[cat].default.
    assert wrong.field in re.sub(r"(?<=\w)\[([a-zA-Z][^][.]*)\]", r".\1", error.message)
    assert wrong.said in error.message


@pytest.mark.parametrize("wrong", UNSAID, ids=lambda one: one.name)
def test_what_no_rule_says_is_listed_with_its_reason(client: Client, wrong: Unsaid) -> None:
    """Where the API server comes to refuse one of these, it goes to the list of what is refused."""
    assert wrong.said
    create(client, as_object(wrong.document))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(specs() | outside_specs())
def test_a_random_spec_that_the_command_line_takes_is_taken(client: Client, value: Value) -> None:
    one = as_object(value)
    try:
        before = compiled(one)
    except InputError:
        return
    after = compiled(create(client, one))
    assert digest(document(before.spec)) == digest(document(after.spec))
    assert before.model == after.model


@pytest.mark.parametrize("base", [GROUP, ROLLOUT])
def test_a_name_with_a_dot_is_refused(client: Client, base: Value) -> None:
    value = as_object(base)
    value["metadata"]["name"] = "pets.v2"
    assert "the name is not a DNS label" in refusal(client, value).message


@pytest.mark.parametrize(("services", "lanes"), [(1000, 50), (2000, 3)])
def test_large_groups_are_within_the_bounds(client: Client, services: int, lanes: int) -> None:
    """1,000 services with 50 lanes, some of which have a version of each tenth service."""
    names = [f"lane-{number}" for number in range(lanes)]
    more = {name: {"labels": {"v": name}} for name in names}
    found = {
        f"s-{number}": {
            "host": f"s-{number}",
            "port": 80,
            "versions": {"prod": {"labels": {"v": "prod"}}, **(more if number % 10 == 0 else {})},
        }
        for number in range(services)
    }
    value = changed(changed(as_object(GROUP), ("services",), found), ("lanes",), {"prod": {}, **{n: {} for n in names}})
    value["spec"]["entries"][0]["routes"][0]["service"] = "s-0"
    create(client, value)


def test_status_is_written_apart_from_the_spec(client: Client) -> None:
    value = as_object(GROUP)
    where = Key("LaneGroup", NAMESPACE, value["metadata"]["name"])
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Applied",
        "message": "every proxy has it",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
        "observedGeneration": 1,
    }
    change = {"steps": 3, "step": 1, "title": "add subsets", "waitingFor": ["cat-gray has no ready Pod"]}
    status = {"observedGeneration": 1, "conditions": [condition], "revision": 4, "lanes": ["gray", "prod"]}
    status |= {"rollouts": ["cat-v2"], "change": change}
    try:
        create(client, {**value, "status": {"revision": 9}}, dry_run=False)
        assert "status" not in (client.get(path(where)) or {})
        merge = "application/merge-patch+json"
        client.request("PATCH", f"{path(where)}/status", json.dumps({"status": status}), content_type=merge)
        found = client.get(path(where)) or {}
        printed = kubectl("get", "lg", "-n", NAMESPACE).stdout.splitlines()
    finally:
        client.delete(where)
    assert found["status"] == status
    assert found["metadata"]["generation"] == 1
    assert [line.split()[:4] for line in printed] == [
        ["NAME", "READY", "REASON", "REVISION"],
        ["pets", "True", "Applied", "4"],
    ]
