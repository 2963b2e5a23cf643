"""Rollouts that somebody damaged, forged or filled: no driver ends, none leaves its namespace, each can go back."""

import base64
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_api import deployment, service
from hostile import DAMAGED, bomb, copied, edited
from hypothesis import given, settings
from hypothesis import strategies as st
from rollout_objects import of_the_spec, rollout_object
from rollout_world import GROUP, Run, group, rollout
from runner_world import DOCUMENT, NOWHERE, Awake, Held, Impatient, cluster, mesh, until

from meshconfig.bounded import InTurn
from meshconfig.cluster import rollouts
from meshconfig.cluster.objects import UnreadableError
from meshconfig.cluster.revision import document
from meshconfig.errors import ClusterError
from meshconfig.rollout import begin, store
from meshconfig.rollout.events import Abort, Approve, Pause, Resume
from meshconfig.rollout.machine import IllegalEventError, step
from meshconfig.rollout.runner import Settings
from meshconfig.rollout.runner.context import RunnerContext
from meshconfig.rollout.runner.room import Room
from meshconfig.rollout.runner.worker import Worker
from meshconfig.rollout.state import LONGEST_WHO, LONGEST_WHY, MOST_ENTRIES, Phase, Stage, State
from meshconfig.spec.rollout import Rollout

pytestmark = pytest.mark.slow

__all__ = ["cluster", "mesh"]

SHORT = [{"weight": 10}, {"pause": {}}, {"weight": 100}]
GOOD = of_the_spec(Run(rollout(SHORT)).start().state.to_json())
TIMED = of_the_spec(
    Run(rollout([{"weight": 10, "pause": {"for": "10m"}}, {"weight": 100}])).until(Stage.WAIT).state.to_json()
)
STATES = {
    "no JSON": "{",
    "nothing": "null",
    "a number": 3,
    "a list": "[]",
    "a text": '"rollout"',
    "no rollout": "{}",
    "a rollout that is none": '{"rollout": 3}',
    "too deep": "[" * 200_000,
    "too many values": "[" + "1," * 501_000 + "1]",
    "another namespace": edited(GOOD, "rollout", "metadata", "namespace", to="kube-system"),
    "the default namespace": edited(GOOD, "rollout", "metadata", "namespace", to=...),
    "another name": edited(GOOD, "rollout", "metadata", "name", to="other"),
    "another group": edited(GOOD, "rollout", "spec", "group", to="other"),
    "an unknown field": edited(GOOD, "surprise", to=1),
    "an unknown stage": edited(GOOD, "stage", to="dancing"),
    "a begin without a time zone": edited(GOOD, "begun", to="2026-01-01T00:00:00"),
    "the end of time": edited(TIMED, "clock", to="9999-12-31T23:59:59Z"),
    "a step before the first": edited(GOOD, "step", to=-5),
    "a step after the last": edited(GOOD, "step", to=99),
    "a rung of no ladder": edited(GOOD, "rung", to=3),
    "a generation beyond all numbers": GOOD[:-1] + ',"generation":1' + "0" * 400 + "}",
    "a turn of many digits": GOOD[:-1] + ',"turn":1' + "0" * 5000 + "}",
    "a weight over 100": edited(GOOD, "weight", to=1000),
    "Pods of other versions": edited(GOOD, "pods", to={"cat": {"v1": 1}}),
    "Pods of another service": edited(GOOD, "pods", to={"dns": {"v1": 1, "v2": 2}}),
    "fewer Pods than none": edited(GOOD, "pods", "cat", "v1", to=-1),
    "begun without a count of the Pods": edited(GOOD, "sizes", to={}),
    "in a pause without Pods": edited(TIMED, "pods", to={}),
    "held in a pause without Pods": edited(edited(TIMED, "sizes", to={}), "stage", to="paused by hand"),
    "more Pods than there can be": edited(GOOD, "sizes", "cat", "v1", to=2**40),
}
UNREADABLE_BASES = {**DAMAGED, "a group of another namespace": None, "another group": None}
UNREADABLE_BASES.pop("empty")  # no runner has taken it up


def stored(name, state, base=b"", **more):
    """A rollout as somebody wrote it; the state is given its name, where it has one to give."""
    text = state
    for found in ('"name":"cat-v2"', '"name": "cat-v2"'):
        if isinstance(state, str) and found in state:
            text = state.replace(found, found.replace("cat-v2", name))
            break
    return rollout_object(text, name, base, **more)


def evil():
    """One object of each kind."""
    found = [stored(f"state-{number}", state) for number, state in enumerate(STATES.values())]
    for number, (name, packed) in enumerate(UNREADABLE_BASES.items()):
        if name == "a group of another namespace":
            one = stored(f"base-{number}", GOOD, document(group(GROUP.replace("demo}", "bank}"))))
        elif name == "another group":
            one = stored(f"base-{number}", GOOD, document(group(GROUP.replace("pets", "birds"))))
        else:
            one = stored(f"base-{number}", GOOD, packed=packed)
        found.append(one)
    found.append(stored("other-group", GOOD, group="other"))
    found.append(rollout_object(GOOD, "another-name"))
    return found


def told(said, one):
    name = f"Rollout demo/{one['metadata']['name']} "
    return [line for line in said if name in line and "cannot be read" in line]


def test_what_cannot_be_read_is_told_once_each_and_the_driver_goes_on(mesh):
    wrong = evil()
    mesh.api.put(*wrong)
    with mesh.driven():
        until(lambda: all(told(mesh.said, one) for one in wrong))
        mesh.start(rollout(SHORT, keepOld=None))
        until(lambda: mesh.state().stage is Stage.APPROVAL)
        mesh.say(Approve("bob"))
        until(lambda: mesh.state().phase is Phase.SUCCEEDED)
        time.sleep(0.5)
        assert {one["metadata"]["name"]: len(told(mesh.said, one)) for one in wrong} == {
            one["metadata"]["name"]: 1 for one in wrong
        }
        assert not [line for line in mesh.said if "Traceback" in line]
        assert all(line.isprintable() and len(line) < 1200 for line in mesh.said)
        changed = copied(wrong[0], wrong[0]["metadata"]["name"], status={"state": "[1]"})
        mesh.api.put(changed)
        until(lambda: len(told(mesh.said, changed)) == 2)


def test_the_commands_show_the_rest(mesh, graylane, tmp_path):
    wrong = evil()
    mesh.start(rollout(SHORT, keepOld=None))
    mesh.api.put(*wrong)
    code, out, err = graylane("rollout", "list", "-n", "demo")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["cat-v2"]
    assert all(len(told(err.splitlines(), one)) == 1 for one in wrong)
    for one in wrong:
        name = one["metadata"]["name"]
        code, _, err = graylane("rollout", "abort", name, "-n", "demo")
        assert code in (1, 2)
        assert "Traceback" not in err
    mesh.say(Abort("bob"))
    assert mesh.run().phase is Phase.ABORTED
    # One whose state only another version of graylane can read may be driven by that version, so it counts as active.
    for one in wrong:
        with suppress(UnreadableError):
            rollouts.parse(one)
            del mesh.api.objects["rollouts", "demo", one["metadata"]["name"]]
    spec = tmp_path / "graylane.yaml"
    spec.write_text(GROUP.replace("cat.example.com", "other.example.com"))
    code, out, err = graylane("apply", "-f", spec, f"--istiod={NOWHERE}", "--wait=0", "--drain=0")
    assert code == 0, err
    counts = {len(told(err.splitlines(), one)) for one in wrong}
    assert counts == {0, 1}
    assert begin.start(mesh.client, rollout(SHORT), DOCUMENT, who="eva").record.name == "cat-v2"


@pytest.mark.parametrize("name", STATES)
def test_each_state_that_cannot_be_read_is_an_error_of_ours(name):
    one = stored("cat-v2", STATES[name])
    api = type("Api", (), {"get": lambda self, where: one, "reading": InTurn()})()
    with pytest.raises(UnreadableError, match="cannot be read"):
        store.read(api, "demo", "cat-v2")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_state_with_any_part_changed_is_read_or_is_an_error_of_ours(data):
    """And what is read can be carried on: each decision gives a state or a refusal in words."""
    value = json.loads(GOOD)
    here = value
    for _ in range(data.draw(st.integers(1, 5))):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or not here[key] or data.draw(st.booleans()):
            odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([]) | st.just({})
            here[key] = data.draw(odd | st.sampled_from([stage.value for stage in Stage]))
            break
        here = here[key]
    try:
        one = stored("cat-v2", json.dumps(value, allow_nan=True))
    except UnicodeEncodeError:
        return
    api = type("Api", (), {"get": lambda self, where: one, "reading": InTurn()})()
    try:
        record = store.read(api, "demo", "cat-v2")
    except UnreadableError:
        return
    for event in (Abort("x"), Approve("x"), Pause("x"), Resume("x")):
        with suppress(IllegalEventError):
            store.fitting(step(record.state, event, datetime.now(UTC)).state, b"")


EVIL = GROUP.replace("host: cat-svc", "host: kube-dns.kube-system").replace(
    "{v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}}\n    mouse",
    "{v1: {labels: {v: v1}, workload: coredns}, v2: {labels: {v: v2}}}}\n    mouse",
)


@pytest.fixture
def elsewhere(mesh):
    mesh.api.put(service("kube-dns", namespace="kube-system"))
    for name in ("coredns", "cat-v2"):
        mesh.api.put(deployment(name, {"v": name}, 2, namespace="kube-system"))
    return mesh


def forged(stage, *, text=EVIL, **more):
    spec = rollout([{"weight": 50}, {"pause": {}}, {"weight": 100}], keepOld="0s").spec
    value = spec.model_dump(by_alias=True, exclude_unset=True)
    plan = {
        "apiVersion": "graylane/v1",
        "kind": "Rollout",
        "metadata": {"name": "cat-v2", "namespace": "demo"},
        "spec": value,
    }
    now = datetime.now(UTC)
    sizes = {"cat": {"v1": 2, "v2": 1}, "mouse": {"v1": 4, "v2": 1}}
    state = State(
        rollout=Rollout.model_validate(plan), spec_generation=1, stage=stage, turn=9, begun=now, since=now, clock=now,
        sizes=sizes, pods={**sizes, "cat": {"v1": 0, "v2": 7}}, **more,
    )  # fmt: skip
    one = rollout_object(state.to_json(), "cat-v2", document(group(text)))
    return {**one, "metadata": {**one["metadata"], "finalizers": [rollouts.FINALIZER]}}


class Looks(Impatient):
    """A few looks, and then a stop."""

    def wait(self, timeout=None):
        self.patience -= 1
        if self.patience <= 0:
            self.set()
        return self.is_set()


def work(mesh, **settings):
    stop = Looks(patience=12)
    given = Settings(istiod=NOWHERE, wait=0, drain=0, **settings)
    Worker(
        RunnerContext(mesh.client, given, Held(), stop, mesh.said.append, mesh.metrics, Room(stop)),
        "demo",
        "cat-v2",
        wake=Awake(stop),
    ).run()


def elsewhere_touched(api):
    return [(method, path) for method, path in api.seen if "/kube-system/" in path]


STAGES = [
    *((stage, 0) for stage in (Stage.SCALE, Stage.ROUTE, Stage.SHRINK, Stage.ROUTES_BACK, Stage.PODS_BACK)),
    (Stage.APPROVAL, 1),
    *((stage, 3) for stage in (Stage.TAKE_OVER, Stage.KEEP, Stage.RETIRE)),
]


@pytest.mark.parametrize(("stage", "step"), STAGES)
def test_a_forged_group_reaches_no_namespace_but_that_of_its_rollout(elsewhere, stage, step):
    """Neither its routes, nor its Deployments, nor an Event."""
    elsewhere.api.put(forged(stage, step=step))
    elsewhere.api.seen.clear()
    before = elsewhere.routes()
    work(elsewhere)
    assert elsewhere_touched(elsewhere.api) == []
    assert (elsewhere.routes(), elsewhere.state().stage) == (before, stage)
    (said,) = [line for line in elsewhere.said if "kube-system" in line]
    assert said.endswith("graylane controller -n demo --allow-namespace kube-system")


def test_a_group_that_was_applied_with_other_namespaces_needs_the_callers_word(elsewhere):
    elsewhere.apply(group(EVIL))
    elsewhere.api.seen.clear()
    begin.start(elsewhere.client, rollout(SHORT, keepOld=None), DOCUMENT, who="eva")
    elsewhere.api.seen.clear()
    assert elsewhere.run().phase is Phase.ROLLED_BACK
    assert elsewhere_touched(elsewhere.api) == []
    assert "--allow-namespace kube-system" in elsewhere.state().log[1].why


def test_what_the_caller_allows_is_carried_out(elsewhere):
    elsewhere.apply(group(EVIL))
    elsewhere.api.put(forged(Stage.RETIRE, step=3, weight=100, applied=100, taken=True, applied_taken=True))
    work(elsewhere, allowed=frozenset({"kube-system"}))
    assert elsewhere.state().phase is Phase.SUCCEEDED
    assert elsewhere.api.names("deployments", "kube-system") == {"cat-v2"}


def test_a_revision_that_cannot_be_read_is_told_once_in_all_steps_of_a_rollout(mesh):
    mesh.apply(group(GROUP.replace("cat.example.com", "other.example.com")))
    first = mesh.api.get("configmaps", "graylane-pets-r1")
    mesh.api.put(copied(first, "graylane-pets-r1", binaryData={"spec": DAMAGED["a bomb"]}))
    mesh.start(rollout([{"weight": 50}, {"weight": 100}], keepOld=None))
    assert mesh.run().phase is Phase.SUCCEEDED
    assert sum("graylane-pets-r1" in line for line in mesh.said) == 1


def test_reasons_and_notes_are_cut_to_bytes(mesh):
    mesh.start(rollout(SHORT, keepOld=None))
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
    state = mesh.say(Abort("ü" * 5000, "日本" * 300_000))
    entry = state.log[-1]
    assert len(entry.why.encode()) <= LONGEST_WHY
    assert len(entry.who.encode()) <= LONGEST_WHO
    assert entry.why.startswith("日本日本")
    assert entry.why.endswith("…")
    assert state.why == entry.why
    assert mesh.run().phase is Phase.ABORTED


def test_a_note_of_bytes_that_are_no_text_is_kept_as_far_as_it_goes(mesh):
    mesh.start(rollout(SHORT, keepOld=None))
    assert mesh.say(Abort("eva", "caf\udce9")).log[-1].why == "caf?"


def filled(mesh, size):
    """The rollout as an earlier version left it: with notes of a thousand bytes upwards."""
    one = mesh.object()
    state = json.loads(one["status"]["state"])
    rest = (1 << 20) - len(json.dumps(one["status"])) - 2000
    entry = {**state["log"][-1], "why": "x" * size}
    count = max(1, rest // (len(json.dumps(entry)) + 2))
    first = state["log"][-1]["number"]
    state["log"] += [{**entry, "number": first + number} for number in range(1, count + 1)]
    one["status"]["state"] = json.dumps(state)
    mesh.api.put(one)


def test_of_a_long_log_the_newest_entries_are_read(mesh):
    mesh.start(rollout(SHORT))
    filled(mesh, 10)
    whole = mesh.state().log
    read = store.known(mesh.client, "demo", "cat-v2").state.log
    assert len(whole) > 2 * MOST_ENTRIES
    assert read == whole[-MOST_ENTRIES:]
    mesh.say(Abort("bob"))
    assert mesh.run().phase is Phase.ABORTED


@pytest.mark.parametrize("size", [100, 1_000, 100_000, 900_000])
@pytest.mark.parametrize("stage", [Stage.PENDING, Stage.APPROVAL])
def test_a_full_rollout_goes_back(mesh, size, stage):
    before, pods = mesh.routes(), mesh.replicas()
    mesh.start(rollout(SHORT))
    if stage is not Stage.PENDING:
        mesh.run(until=lambda state: state.stage is stage)
    filled(mesh, size)
    mesh.say(Abort("bob", "no" * 1000))
    assert mesh.run().phase is Phase.ABORTED
    assert (mesh.routes(), mesh.replicas()) == (before, pods)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=1).map(lambda text: text * 2000), max_size=40), st.integers(0, 700_000))
def test_whatever_was_noted_the_state_fits_and_keeps_its_last_entry(notes, base):
    run = Run(rollout(SHORT))
    for number, note in enumerate(notes):
        run.send((Resume if number % 2 else Pause)("eva" * 500, note))
    kept = store.fitting(run.send(Abort("bob", "ends")).state, os.urandom(base))
    assert len(json.dumps(kept, ensure_ascii=False).encode()) <= rollouts.LARGEST < 1 << 20
    assert State.from_json(kept["state"]).log[-1].why == run.state.log[-1].why


def test_a_group_that_leaves_no_room_is_refused_at_the_start(mesh, monkeypatch):
    monkeypatch.setattr(rollouts, "LARGEST", 20_000)
    with pytest.raises(ClusterError, match=r"rollout demo/cat-v2 is too large: it takes 2\d kB with its group"):
        mesh.start(rollout(SHORT))
    assert mesh.api.names("rollouts") == set()


MEASURED = """
import sys
from meshconfig.cli import main
sys.argv = ["graylane", *sys.argv[1:]]
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(peak.split()[1], file=sys.stderr)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory a process took")
@pytest.mark.parametrize("command", [("rollout", "list"), ("history", "pets")], ids=" ".join)
def test_bombs_are_not_unpacked_into_memory(mesh, command):
    packed = base64.b64encode(bomb(600)).decode()
    first = mesh.api.get("configmaps", "graylane-pets-r1")
    for number in range(2, 6):
        one = stored(f"bomb-{number}", GOOD, packed=packed)
        labels = {"graylane.dev/revision": str(number)}
        mesh.api.put(one, copied(first, f"graylane-pets-r{number}", labels=labels, binaryData={"spec": packed}))
    shell = [sys.executable, "-c", MEASURED, *command, "-n", "demo"]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert done.stderr.count("cannot be read") == 4
    assert int(done.stderr.split()[-1]) < 200_000, "kB"
