"""ConfigMaps, Rollouts and Leases that anybody may have written: never a crash, and each speaks for its own group."""

import base64
import gzip
import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import WORDS, as_json, mutated_values
from rollout_objects import rollout_object
from rollout_world import GROUP, Run, group, rollout
from stand_in import Listing

from meshconfig.bounded import InTurn
from meshconfig.cluster import history, lease, lock, revision
from meshconfig.cluster.lease import DURATION, judge, myself
from meshconfig.cluster.objects import Key, UnreadableError
from meshconfig.errors import InputError
from meshconfig.rollout import store
from meshconfig.rollout.events import Abort, Approve, Pause, Resume
from meshconfig.rollout.machine import IllegalEventError, resume, step

pytestmark = pytest.mark.fuzz

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATES = [Run(rollout()).start().state.to_json()] + [
    file.read_text()
    for file in sorted((Path(__file__).parents[1] / "meshconfig" / "rollout" / "stored").glob("*.json"))
]
PARTS = revision.Parts.of(revision.document(group()), [Key("VirtualService", "demo", "cat-svc")], ["created x"])
REVISION = revision.Revision(
    "demo", "pets", 3, PARTS, "", "eva", "eva@here", "eva@here/1/1/x", NOW, NOW, "apply",
    revision.RevisionStatus.SUCCEEDED, "", "0",
)  # fmt: skip
SPEC, INVENTORY = json.loads(revision.document(group())), [["VirtualService", "demo", "cat-svc"]]
LEASE = lease.manifest(
    lease.lease_key("demo", "pets"), "pets", lease.Record("a@b/1/1/x", "m", NOW, NOW, DURATION, 1), "7"
)


def packed_text(data):
    return base64.b64encode(gzip.compress(data, 1)).decode()


def texts(value):
    """Only what an API server lets through: names, and texts by name."""
    for part in ("data", "binaryData"):
        given = value.get(part)
        value[part] = {str(name): str(one) for name, one in given.items()} if isinstance(given, dict) else None
    metadata = value["metadata"] if isinstance(value.get("metadata"), dict) else {}
    labels = metadata.get("labels")
    labels = {str(name): str(one) for name, one in labels.items()} if isinstance(labels, dict) else None
    name, namespace = (re.sub("[^a-z0-9.-]", "x", str(metadata.get(part))) for part in ("name", "namespace"))
    return {**value, "metadata": {"name": name, "namespace": namespace, "labels": labels}}


@st.composite
def packed(draw, value):
    """A member of `binaryData`, mostly one that can be unpacked."""
    data = as_json(draw(mutated_values([value])))
    match draw(st.sampled_from(("whole", "whole", "whole", "whole", "text", "bytes", "plain"))):
        case "text":
            return draw(st.sampled_from(WORDS))
        case "bytes":
            return packed_text(draw(st.binary(max_size=20)))
        case "plain":
            return base64.b64encode(data).decode()
    return packed_text(data)


@st.composite
def revisions(draw):
    config_map = texts(draw(mutated_values([revision.manifest(REVISION)], most=2)))
    if isinstance(config_map.get("binaryData"), dict) and draw(st.booleans()):
        config_map["binaryData"]["spec"] = draw(packed(SPEC))
        config_map["binaryData"]["inventory"] = draw(packed(INVENTORY))
        config_map["binaryData"]["changed"] = draw(packed(["deleted VirtualService demo/cat-svc"]))
    return config_map


def is_said(error):
    assert str(error).isprintable()


@given(revisions())
def test_a_revision_counts_for_its_own_group_or_not_at_all(config_map):
    try:
        one = revision.parse(config_map)
    except UnreadableError as error:
        is_said(error)
        return
    assert (config_map["metadata"]["namespace"], config_map["metadata"]["name"]) == (one.key.namespace, one.key.name)
    revision.as_json(one, "")
    with suppress(InputError):
        spec = one.spec
        assert (spec.metadata.namespace, spec.metadata.name) == (one.namespace, one.group)


@given(st.lists(revisions(), max_size=4))
def test_a_history_is_the_revisions_that_can_be_read(config_maps):
    client = Listing()
    client.list_resources = lambda *asked: config_maps
    past = history.read(client, "demo", "pets")
    assert len(past.revisions) + len(past.unreadable) == len(config_maps)
    assert past.number >= 0
    if past.unreadable:
        past.unreadable_number(past.number)
    revision.surplus(past.revisions, 2)
    revision.inventory(past.revisions)
    revision.before_last(past.revisions)


@st.composite
def stored(draw):
    state = json.loads(draw(st.sampled_from(STATES)))
    group_name = state["rollout"]["spec"]["group"]
    base = revision.document(group(GROUP.replace("name: pets", f"name: {group_name}")))
    one = rollout_object("", state["rollout"]["metadata"]["name"], base, group=group_name)
    one["status"] = draw(mutated_values([one["status"]], most=1))
    if isinstance(one["status"], dict):
        one["status"]["state"] = as_json(draw(mutated_values([{**state, "spec_generation": 1}]))).decode()
        if draw(st.booleans()):
            one["status"]["base"] = draw(packed(json.loads(base)))
    return one


@given(stored())
def test_a_rollout_counts_for_itself_and_each_decision_gives_a_state_or_a_refusal(one):
    client: Any = SimpleNamespace(get=lambda where: one, reading=InTurn())
    try:
        record = store.read(client, "demo", "cat-v2")
    except UnreadableError as error:
        is_said(error)
        return
    spec = record.state.rollout
    place = spec.metadata.name, spec.metadata.namespace
    assert place == (one["metadata"]["name"], one["metadata"]["namespace"])
    assert record.state.spec_generation < 1 or one["spec"]["group"] == spec.spec.group
    resume(record.state)
    for event in (Abort("x"), Approve("x"), Pause("x"), Resume("x")):
        with suppress(IllegalEventError):
            store.fitting(step(record.state, event, NOW).state, b"")


HOLDERS = ("", "a", "a@b/1/1/x", "a@b/²/1/x", f"a@b/{'9' * 5000}/1/x", "a@b/999999999/1/x", "////", "a\nb", "x" * 9999)


@given(mutated_values([LEASE]), st.sampled_from(HOLDERS), st.booleans())
def test_any_lease_is_somebodys_or_nobodys(value, holder, here):
    if isinstance(value.get("spec"), dict) and isinstance(value.get("metadata"), dict) and here:
        value["spec"]["holderIdentity"] = holder
        value["metadata"]["annotations"] = {lease.MACHINE: myself().machine}
    client: Any = SimpleNamespace(get=lambda where: value)
    record = lock.read(client, "demo", "pets")
    judge(record, NOW, myself(), lease.running)
    assert isinstance(lock.holder(record), str)
