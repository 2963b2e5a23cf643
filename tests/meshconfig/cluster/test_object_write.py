"""Whether an object may be written beside others who own fields of it, as an API server answers a dry run."""

from copy import deepcopy

import pytest
from fake_controller import owned

from meshconfig.cluster import lanegroups, object_write
from meshconfig.cluster.lanegroups import GroupObject
from meshconfig.cluster.object_write import OldKindError, OwnedError, check
from meshconfig.errors import Conflict

NAMED = {"name": "pets", "namespace": "demo"}
WANTED = {"apiVersion": "graylane.dev/v1", "kind": "LaneGroup", "metadata": NAMED, "spec": {"lanes": {"prod": {}}}}


class Server:
    """Answers a server-side apply as `merge` says, and keeps what is asked of it."""

    def __init__(self):
        self.asked, self.refused = [], []

    def merge(self, document):
        return deepcopy(document)

    def apply(self, client, document, *, force=False, dry_run=False):
        self.asked.append(("apply", force, dry_run))
        if self.refused and not force:
            raise Conflict(409, "Conflict", "Apply failed", self.refused)
        return GroupObject(self.merge(document))

    def request(self, method, where, body, *, query):
        self.asked.append((method, where, body, query))
        return WANTED


@pytest.fixture
def server(monkeypatch):
    one = Server()
    monkeypatch.setattr(lanegroups, "apply", one.apply)
    return one


def live(lanes, manager="kubectl", **metadata):
    managed = owned(manager, operation="Update")
    named = {**NAMED, "managedFields": managed, "resourceVersion": "7", "finalizers": ["graylane.dev/routes"]}
    return GroupObject({**WANTED, "metadata": {**named, **metadata}, "spec": {"lanes": lanes, "drift": "correct"}})


def test_what_is_wanted_is_asked_of_nobody(server):
    checked = check(server, live({"prod": {}}, "kustomize-controller"), WANTED)
    assert checked.carry_out(server) is checked.live
    assert server.asked == []


def test_a_label_that_is_wanted_is_a_change(server):
    document = {**WANTED, "metadata": {**NAMED, "labels": {"team": "pets"}}}
    assert check(server, live({"prod": {}}), document).changes
    assert not check(server, live({"prod": {}}, labels={"team": "pets", "more": "there"}), document).changes


def test_labels_of_others_are_no_difference(server):
    there = live({"gray": {}}, labels={"kustomize.toolkit.fluxcd.io/name": "apps"})
    paths = [one.path for one in check(server, there, WANTED).difference.fields()]
    assert paths == ["spec.lanes.gray", "spec.lanes.prod"]


def test_what_others_own_alone_would_stay_and_is_replaced_on_demand(server):
    def merge(document):
        return {**document, "spec": {"lanes": {"prod": {}, "gray": {}}, "drift": "correct"}}

    server.merge = merge
    there = live({"prod": {}, "gray": {}})
    with pytest.raises(OwnedError) as error:
        check(server, there, WANTED)
    assert "spec.lanes.gray would stay, because kubectl owns it" in str(error.value)
    assert "drift" not in str(error.value)
    checked = check(server, there, WANTED, adopt=True)
    checked.carry_out(server)
    method, where, body, query = server.asked[-1]
    assert (method, query) == ("PUT", {"fieldManager": "graylane"})
    assert where.endswith("/namespaces/demo/lanegroups/pets")
    assert '"lanes": {"prod": {}}' in body
    assert '"resourceVersion": "7"' in body
    assert "graylane.dev/routes" in body
    assert "managedFields" not in body


def test_fields_of_graylane_itself_by_another_operation_are_no_others(server):
    server.refused = [(".spec.lanes", 'conflict with "graylane" using graylane.dev/v1')]
    checked = check(server, live({"gray": {}}, "graylane"), WANTED)
    checked.carry_out(server)
    assert server.asked[-1] == ("apply", True, False)


def test_a_conflict_names_field_and_manager(server):
    server.refused = [(".spec.lanes", 'conflict with "kubectl" using graylane.dev/v1')]
    with pytest.raises(OwnedError) as error:
        check(server, live({"gray": {}}), WANTED)
    assert ".spec.lanes belongs to kubectl since 2026-01-01T00:00:00Z" in str(error.value)


def test_what_changes_hands_between_check_and_write_is_the_same_error(server):
    checked = check(server, live({"gray": {}}), WANTED)
    server.refused = [(".spec.lanes", 'conflict with "kubectl" using graylane.dev/v1')]
    with pytest.raises(OwnedError, match="belong to others"):
        checked.carry_out(server)


def test_a_replacement_of_what_has_changed_meanwhile_is_refused(server):
    server.merge = lambda document: {**document, "spec": {"lanes": {"prod": {}, "gray": {}}}}
    checked = check(server, live({"prod": {}, "gray": {}}), WANTED, adopt=True)

    def request(*_, **__):
        raise Conflict(409, "Conflict", "the object has been modified")

    server.request = request
    with pytest.raises(OwnedError, match="somebody else has just changed LaneGroup demo/pets"):
        checked.carry_out(server)


def test_a_field_that_the_cluster_does_not_know_is_not_dropped_in_silence(server):
    server.merge = lambda document: {**document, "spec": {"lanes": {"prod": {}}}}
    document = {**WANTED, "spec": {"lanes": {"prod": {}}, "trail": True}}
    with pytest.raises(OldKindError) as error:
        check(server, live({"gray": {}}), document)
    assert "does not know spec.trail" in str(error.value)
    assert "graylane crds" in str(error.value)


@pytest.mark.parametrize("manager", sorted(object_write.GIT))
def test_git_is_asked_first_whatever_changes(server, manager):
    with pytest.raises(OwnedError, match=rf"in Git \({manager}"):
        check(server, live({"gray": {}}, manager), WANTED)
    assert server.asked == []
