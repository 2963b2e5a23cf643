"""Revisions that somebody damaged or forged: they count for nothing, are told once, and keep nobody from working."""

import base64
import gzip
import json

import pytest
import yaml
from fake_api import deployment, service
from hostile import DAMAGED, copied
from rollout_world import GROUP, group
from runner_world import AT_ONCE, cluster, mesh

from meshconfig.cluster import history, revision
from meshconfig.cluster.change import NotAllowedError, Wanted, prepare, rollback_target
from meshconfig.cluster.objects import Key
from meshconfig.rollout import begin

__all__ = ["cluster", "mesh"]

PETS = ("pets", "-n", "demo")
OTHER = GROUP.replace("cat.example.com", "other.example.com")
DATA = {
    "no start": {"started": ""},
    "a start without a time zone": {"started": "2026-01-01T00:00:00"},
    "a start in no calendar": {"started": "2026-02-31T00:00:00Z"},
    "an end that is no time": {"ended": "soon"},
    "an outcome that there is not": {"outcome": "splendid"},
}
LABELS = {
    "another number": {"graylane.dev/revision": "7"},
    "no number": {"graylane.dev/revision": "x"},
    "a number below one": {"graylane.dev/revision": "0"},
    "a number written otherwise": {"graylane.dev/revision": "01"},
    "a number of other digits": {"graylane.dev/revision": "١"},
    "a number of sixty digits": {"graylane.dev/revision": "9" * 60},
}


@pytest.fixture
def run(graylane):
    def run(*arguments, code=0):
        found, out, err = graylane(*arguments)
        assert found == code, out + err
        return out, err

    return run


@pytest.fixture
def spec(tmp_path):
    def write(text):
        file = tmp_path / "graylane.yaml"
        file.write_text(text)
        return file

    return write


def damaged(mesh, name, **changes):
    mesh.api.put(copied(mesh.api.get("configmaps", name), name, **changes))


def packed(value):
    return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()


def told(text, name="graylane-pets-r1"):
    """The lines that say that a ConfigMap cannot be read, and how to go on without it."""
    return [line for line in text.splitlines() if f"ConfigMap demo/{name}" in line and "cannot be read" in line]


DAMAGE = [
    *(pytest.param({"binaryData": {part: value}}, id=f"{part}: {name}") for name, value in DAMAGED.items()
      for part in ("spec", "inventory", "changed") if (name, part) != ("a list of numbers", "spec")),
    *(pytest.param({"data": value}, id=name) for name, value in DATA.items()),
    *(pytest.param({"labels": value}, id=name) for name, value in LABELS.items()),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("changes", DAMAGE)
def test_a_revision_that_cannot_be_read_is_named_and_the_others_count(mesh, changes):
    mesh.apply(group(OTHER))
    damaged(mesh, "graylane-pets-r1", **changes)
    past = history.read(mesh.client, "demo", "pets")
    assert [one.number for one in past.revisions] == [2]
    (error,) = past.unreadable
    assert told(str(error))
    assert "kubectl delete configmap graylane-pets-r1 -n demo" in str(error)
    assert str(error).isprintable()
    assert len(str(error)) < 700


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "part"), [("a wrong block", "spec"), ("too deep", "inventory"), ("a bomb", "changed"), ("no JSON", "spec")]
)
def test_the_commands_show_the_rest_and_go_on(mesh, run, spec, name, part):
    mesh.apply(group(OTHER))
    damaged(mesh, "graylane-pets-r1", binaryData={part: DAMAGED[name]})
    out, err = run("history", *PETS)
    assert [line.split()[0] for line in out.splitlines()] == ["revision", "2"]
    assert len(told(err)) == 1
    out, err = run("status", *PETS, *AT_ONCE[:1], code=1)
    assert "other.example.com" in mesh.routes()["gateways", "other-example-com"]["servers"][0]["hosts"][0]
    assert len(told(out)) == 1
    _, err = run("apply", "-f", spec(GROUP), *AT_ONCE)
    assert len(told(err)) == 1
    assert history.revisions(mesh.client, "demo", "pets")[-1].number == 3
    _, err = run("rollback", *PETS, "--to", "1", *AT_ONCE, code=1)
    assert len(told(err)) == 1
    run("rollback", *PETS, *AT_ONCE)
    assert ("gateways", "other-example-com") in mesh.routes()
    _, err = run("delete", "-f", spec(GROUP), *AT_ONCE)
    assert len(told(err)) == 1
    assert mesh.routes() == {}


def test_of_a_newest_revision_that_cannot_be_read_nobody_knows_what_was_applied(mesh, run, spec):
    mesh.apply(group(OTHER))
    damaged(mesh, "graylane-pets-r2", binaryData={"spec": "%%%"})
    with pytest.raises(
        begin.NotAppliedError, match="nobody knows what was applied last: ConfigMap demo/graylane-pets-r2"
    ):
        begin.applied(mesh.client, "demo", "pets")
    run("rollback", *PETS, *AT_ONCE)
    assert ("gateways", "cat-example-com") in mesh.routes()
    damaged(mesh, "graylane-pets-r3", binaryData={"spec": "%%%"})
    _, err = run("apply", "-f", spec(GROUP), *AT_ONCE)
    assert len(told(err, "graylane-pets-r2")) == len(told(err, "graylane-pets-r3")) == 1
    assert history.read(mesh.client, "demo", "pets").last.number == 4, (
        "what was applied is recorded, though nothing differs"
    )
    assert begin.applied(mesh.client, "demo", "pets").group == group()


def test_a_revision_without_any_label_hides_no_group(mesh, run):
    one = copied(mesh.api.get("configmaps", "graylane-pets-r1"), "stray")
    del one["metadata"]["labels"]["graylane.dev/group"]
    mesh.api.put(one)
    assert history.groups(mesh.client, "demo") == ["pets"]
    _, err = run("history", "pest", "-n", "demo", code=2)
    assert "did you mean pets?" in err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graylane-pets-r5", "graylane-other-r5", "anything"])
@pytest.mark.parametrize(
    "owner",
    [{"name": "pets", "namespace": "bank"}, {"name": "bank", "namespace": "demo"}, {"name": "pets"}, {"name": ""}],
)
def test_the_spec_of_another_group_counts_for_none(mesh, run, name, owner):
    """`namespace` that is not given is `default`."""
    mesh.api.put(service("pay-svc", namespace="bank"))
    text = GROUP.replace("cat-svc", "pay-svc.bank")
    forged = {**yaml.safe_load(text), "metadata": owner}
    labels = {"graylane.dev/revision": "5"}
    first = mesh.api.get("configmaps", "graylane-pets-r1")
    mesh.api.put(copied(first, name, labels=labels, binaryData={"spec": packed(forged)}))
    before = dict(mesh.api.objects)
    _, err = run("rollback", *PETS, "--to", "5", *AT_ONCE, code=1 if name.endswith("pets-r5") else 2)
    assert "5" in err
    run("rollback", *PETS, *AT_ONCE, code=0 if name.endswith("pets-r5") else 2)
    assert {key for key in mesh.api.objects if key[1] == "bank"} == {key for key in before if key[1] == "bank"}


BANK = GROUP.replace("host: cat-svc", "host: pay-svc.bank")


@pytest.fixture
def bank(mesh):
    """Another namespace, with a route that a group of the same name has there."""
    route = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {
            "name": "ledger",
            "namespace": "bank",
            "labels": {"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "pets"},
        },
        "spec": {"hosts": ["ledger"]},
    }
    rule = {**route, "kind": "DestinationRule", "spec": {"host": "ledger"}}
    mesh.api.put(service("pay-svc", namespace="bank"), route, rule)
    for version in ("v1", "v2"):
        mesh.api.put(deployment(f"cat-{version}", {"v": version}, namespace="bank"))
    mesh.api.put(deployment("ledger", {"v": "v1"}, namespace="bank"))
    return mesh


def there(mesh, namespace="bank"):
    return {key[0::2] for key in mesh.api.objects if key[1] == namespace}


def forge(mesh, *, text=GROUP, keys=()):
    """The newest revision, as somebody wrote it."""
    first = mesh.api.get("configmaps", "graylane-pets-r1")
    value = json.loads(revision.document(group(text)))
    parts = {"spec": packed(value), "inventory": packed([list(key) for key in keys])}
    mesh.api.put(copied(first, "graylane-pets-r5", labels={"graylane.dev/revision": "5"}, binaryData=parts))


def test_a_rollback_writes_to_another_namespace_only_if_the_caller_allows_it(bank, run):
    forge(bank, text=BANK)
    mesh_now = copied(bank.api.get("configmaps", "graylane-pets-r1"), "graylane-pets-r6")
    mesh_now["metadata"]["labels"]["graylane.dev/revision"] = "6"
    bank.api.put(mesh_now)
    before = there(bank)
    wanted = rollback_target(bank.client, "demo", "pets", None)
    assert wanted.action == "rollback to 5"
    with pytest.raises(NotAllowedError, match=r"namespace bank; .*--allow-namespace bank"):
        prepare(bank.client, wanted)
    _, err = run("rollback", *PETS, *AT_ONCE, code=1)
    assert "--allow-namespace bank" in err
    run("rollback", *PETS, "--allow-namespace", "elsewhere", *AT_ONCE, code=1)
    assert there(bank) == before
    run("rollback", *PETS, "--allow-namespace", "bank", *AT_ONCE)
    assert ("virtualservices", "pay-svc") in there(bank)


LEDGER = [(kind, "bank", "ledger") for kind in ("VirtualService", "DestinationRule", "Deployment", "Service")]


@pytest.mark.parametrize("command", ["apply", "delete", "rollback"])
def test_an_inventory_reaches_no_namespace_that_the_caller_does_not_name(bank, run, spec, command):
    bank.apply(group(OTHER))
    forge(bank, keys=LEDGER)
    before = there(bank)
    arguments = PETS if command == "rollback" else ("-f", spec(GROUP))
    bank.api.seen.clear()
    _, err = run(command, *arguments, *AT_ONCE)
    assert there(bank) == before
    assert not [path for _, path in bank.api.seen if "/bank/" in path], "not even read"
    assert err.count("lists resources in namespace bank, which the spec does not name") == 1


def test_what_is_left_alone_is_told_and_remembered_until_the_caller_allows_it(bank, run, spec):
    bank.apply(group(BANK))
    assert ("virtualservices", "pay-svc") in there(bank)
    _, err = run("apply", "-f", spec(GROUP), *AT_ONCE)
    notes = [line for line in err.splitlines() if "namespace bank" in line]
    assert len(notes) == 1
    assert "VirtualService pay-svc" in notes[0]
    assert "--allow-namespace bank" in notes[0]
    assert ("virtualservices", "pay-svc") in there(bank)
    _, err = run("diff", "-f", spec(OTHER), code=1)
    assert "VirtualService pay-svc" in err
    run("apply", "-f", spec(OTHER), *AT_ONCE)
    run("apply", "-f", spec(OTHER), "--allow-namespace", "bank", *AT_ONCE)
    assert ("virtualservices", "pay-svc") not in there(bank)
    assert ("virtualservices", "ledger") in there(bank), "which no revision of this group has listed"
    _, err = run("apply", "-f", spec(GROUP), *AT_ONCE)
    assert "bank" not in err


def test_the_callers_own_spec_names_a_namespace(bank, run, spec):
    bank.apply(group(BANK))
    run("delete", "-f", spec(BANK), *AT_ONCE)
    assert there(bank) & {("virtualservices", "pay-svc"), ("destinationrules", "pay-svc")} == set()
    assert {("virtualservices", "ledger"), ("deployments", "ledger")} <= there(bank)


@pytest.mark.parametrize("allowed", [frozenset(), frozenset({"bank"})])
def test_an_inventory_deletes_no_kind_that_graylane_does_not_write(bank, allowed):
    forge(bank, keys=[("Deployment", "demo", "cat-v1"), ("Secret", "demo", "x"), *LEDGER[2:]])
    for kind in ("deployments", "services"):
        for one in list(bank.api.objects.values()):
            if one["kind"].lower() + "s" == kind:
                one["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "pets"}
    prepared = prepare(bank.client, Wanted("pets", "demo", group(OTHER)), allowed=allowed)
    deleted = {key for step in prepared.plan.steps for key in step.deletes}
    assert {key.kind for key in deleted} <= {"VirtualService", "Gateway", "DestinationRule"}


def test_status_reads_no_namespace_that_an_inventory_alone_names(bank, run):
    forge(bank, keys=[("VirtualService", "kube-system", "x")])
    bank.api.seen.clear()
    run("status", *PETS, *AT_ONCE[:1], code=1)
    assert not [path for _, path in bank.api.seen if "/kube-system/" in path]


def test_a_rollback_and_a_deletion_of_a_group_that_was_just_small_enough_are_not_held_up(mesh, run, spec, monkeypatch):
    run("apply", "-f", spec(OTHER), *AT_ONCE)
    size = max(
        sum(len(base64.b64decode(part)) for part in one["binaryData"].values())
        for one in mesh.api.objects.values()
        if one["kind"] == "ConfigMap"
    )
    monkeypatch.setattr(revision, "LARGEST", size - 200)
    _, err = run("apply", "-f", spec(GROUP.replace("dog", "bird-of-another-kind")), *AT_ONCE, code=1)
    assert "too large for its history" in err or "bird" in err
    run("rollback", *PETS, *AT_ONCE)
    run("delete", "-f", spec(GROUP), *AT_ONCE)
    assert mesh.routes() == {}


def test_a_group_has_no_more_resources_than_can_be_read_again(mesh, monkeypatch):
    monkeypatch.setattr(revision, "MOST", 3)
    past = history.revisions(mesh.client, "demo", "pets")
    keys = [Key("VirtualService", "demo", f"one-{number}") for number in range(4)]
    with pytest.raises(history.TooLargeError):
        history.begin(mesh.client, spec=group(), action="apply", inventory=keys, changed=(), past=past)
    history.begin(mesh.client, spec=group(), action="apply", inventory=keys[:3], changed=map(str, keys), past=past)
    (last,) = history.revisions(mesh.client, "demo", "pets")
    assert (last.number, last.changed) == (2, ("4 changes, too many to be listed",)), (
        "the first one has more than three"
    )


def test_a_list_of_changes_that_is_too_long_is_left_out(mesh, monkeypatch):
    past = history.revisions(mesh.client, "demo", "pets")
    keys = [Key("VirtualService", "demo", f"one-{number}") for number in range(300)]
    changed = [f"created VirtualService demo/{number:x}-{number * 7919:x}" for number in range(300)]
    monkeypatch.setattr(revision, "LARGEST", 2_500)
    one = history.begin(mesh.client, spec=group(), action="apply", inventory=keys, changed=changed, past=past)
    assert one.number == 2
    stored = history.revisions(mesh.client, "demo", "pets")[-1]
    assert stored.changed == ("300 changes, too many to be listed",)
    assert stored.inventory == frozenset(keys)
    ended = history.end(mesh.client, one, history.RevisionStatus.SUCCEEDED, "ä" * 20_000)
    assert ended.inventory == frozenset(keys)
    message = history.revisions(mesh.client, "demo", "pets")[-1].message
    assert len(message.encode()) <= revision.LONGEST_MESSAGE
    assert set(message) == {"ä", "…"}
