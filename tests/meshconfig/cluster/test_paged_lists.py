"""Lists are read page by page, and of any number of stored objects no more is kept than there is memory for."""

import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from fake_api import api_server, service
from rollout_world import group

from meshconfig import bounded
from meshconfig.bounded import Highest
from meshconfig.cluster import client as clients
from meshconfig.cluster import history, revision
from meshconfig.cluster.change import Wanted, prepare
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.cluster.revision import Parts, Revision, RevisionStatus, document
from meshconfig.errors import ApiError, ClusterError, Unreachable

START = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = document(group())


@pytest.fixture
def api(tmp_path, monkeypatch):
    with api_server() as one:
        monkeypatch.setenv("KUBECONFIG", str(one.kubeconfig(tmp_path)))
        yield one


@pytest.fixture
def client(api):
    return Client.connect()


def names(client, page):
    found = client.read_into(list, list.append, "Service", "demo", page=page)
    assert all((one["kind"], one["apiVersion"]) == ("Service", "v1") for one in found)
    return [one["metadata"]["name"] for one in found]


def queries(api):
    return [{key: values[0] for key, values in parse_qs(urlsplit(url).query).items()} for _, url in api.seen]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 23, 25])
def test_each_resource_is_read_once_whatever_the_pages(api, client, count):
    there = [f"s{number:02}" for number in range(count)]
    api.put(*map(service, there))
    assert names(client, 5) == there
    assert [one["limit"] for one in queries(api)] == ["5"] * max(1, -(-count // 5))
    assert ["continue" in one for one in queries(api)] == [False] + [True] * (max(1, -(-count // 5)) - 1)


@pytest.mark.parametrize("times", [1, 3])
def test_a_list_that_expires_is_read_again_from_its_beginning(api, client, times):
    there = [f"s{number:02}" for number in range(12)]
    api.put(*map(service, there))
    api.expired = times
    assert names(client, 5) == there


def test_a_list_that_always_expires_is_an_error(api, client):
    api.put(*[service(f"s{number}") for number in range(6)])
    api.expired = 100
    with pytest.raises(ApiError) as caught:
        names(client, 5)
    assert caught.value.status == 410


def test_a_list_without_an_end_is_an_error(api, client, monkeypatch):
    monkeypatch.setattr(clients, "PAGES", 3)
    api.put(*[service(f"s{number}") for number in range(20)])
    assert len(names(client, 10)) == 20
    with pytest.raises(Unreachable, match="a list of Service that does not end"):
        names(client, 5)


def test_the_highest_ranks_that_fit_are_kept_in_their_order():
    found = Highest(100)
    for rank in (3, 9, 1, 7, 5):
        found.add(rank, 30, f"r{rank}")
    assert (found.items, found.omitted, found.next) == (["r5", "r7", "r9"], 2, "r3")
    found.add(2, 30, "r2")  # in the order of names, r10 comes before r2
    assert (found.omitted, found.next) == (3, "r3")


def test_one_item_is_kept_however_large_it_is():
    found = Highest(100)
    found.add(1, 1000, "a")
    assert (found.items, found.omitted) == (["a"], 0)
    found.add(2, 1000, "b")
    assert (found.items, found.omitted, found.next) == (["b"], 1, "a")


def stored(number, more=0):
    """`more`: bytes of the spec that cannot be packed."""
    spec = SPEC[:-1] + b',"more":"' + os.urandom(more // 2).hex().encode() + b'"}' if more else SPEC
    return revision.manifest(
        Revision(
            "demo", "pets", number, Parts.of(spec), revision.digest(spec), "eva", "eva@here", "", START, START,
            "apply", RevisionStatus.SUCCEEDED, "", "0",
        )
    )  # fmt: skip


def test_hundreds_of_small_revisions_are_all_there(api, client):
    api.put(*[stored(number) for number in range(1, 301)])
    past = history.read(client, "demo", "pets")
    assert [one.number for one in past.revisions] == list(range(1, 301))
    assert past.unreadable == ()
    assert history.groups(client, "demo") == ["pets"]


@pytest.mark.slow
@pytest.mark.parametrize("expired", [0, 1])
def test_of_large_revisions_the_newest_are_kept_and_the_others_are_named_in_one_line(api, client, expired):
    api.put(*[stored(number, 1_400_000) for number in range(1, 31)])
    api.expired = expired
    past = history.read(client, "demo", "pets")
    kept = [one.number for one in past.revisions]
    assert kept == list(range(31 - len(kept), 31))
    assert sum(one.parts.size for one in past.revisions) <= bounded.KEPT
    assert len(kept) >= 10
    (error,) = past.unreadable
    assert error.key.name == f"graylane-pets-r{kept[0] - 1}"
    assert f"{30 - len(kept)} revisions of demo/pets up to {kept[0] - 1} are not read" in str(error)
    assert "kubectl get configmaps -n demo -l graylane.dev/group=pets,graylane.dev/revision" in str(error)
    assert "kubectl delete" not in str(error)
    assert (past.number, past.damaged) == (30, None)
    assert past.unreadable_number(kept[0] - 1) is error


@pytest.mark.slow
def test_of_a_thousand_unreadable_revisions_the_newest_are_named_and_the_others_counted(api, client):
    broken = [stored(number) for number in range(1, 1001)]
    for one in broken:
        one["data"]["started"] = ""
    api.put(*broken, stored(1001))
    past = history.read(client, "demo", "pets")
    assert [one.number for one in past.revisions] == [1001]
    assert len(past.unreadable) == history.MOST_ERRORS
    assert past.unreadable[-1].key.name == "graylane-pets-r1000"
    assert "nor can 900 others" in str(past.unreadable[0])


def test_a_forged_revision_with_the_highest_number_is_named_with_the_command_that_removes_it(api, client):
    api.put(stored(1), stored(revision.LAST))
    past = history.read(client, "demo", "pets")
    given = {"spec": group(), "action": "apply", "inventory": (), "changed": ()}
    with pytest.raises(ClusterError) as caught:
        history.begin(client, **given, past=past.revisions)
    assert "kubectl delete configmap graylane-pets-r999999999 -n demo" in str(caught.value)
    assert api.names("configmaps") == {"graylane-pets-r1", "graylane-pets-r999999999"}
    del api.objects["configmaps", "demo", "graylane-pets-r999999999"]
    begun = history.begin(client, **given, past=history.read(client, "demo", "pets").revisions)
    assert begun.number == 2


def test_the_number_before_the_highest_can_be_followed(api, client):
    api.put(stored(revision.LAST - 1))
    past = history.read(client, "demo", "pets").revisions
    begun = history.begin(client, spec=group(), action="apply", inventory=(), changed=(), past=past)
    assert begun.number == revision.LAST
    assert [one.number for one in history.read(client, "demo", "pets").revisions][-1] == revision.LAST


def test_however_many_threads_read_histories_one_page_is_in_memory_at_a_time(api, client):
    api.put(*[stored(number) for number in range(1, 40)])
    inside, most, parsed = [], [], []

    def look(*request):
        inside.append(request)
        time.sleep(0.005)
        most.append(len(inside))
        inside.remove(request)

    api.before.append(look)

    def read():
        past = history.read(client.session(), "demo", "pets")
        parsed.append([one.number for one in past.revisions])

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert parsed == [list(range(1, 40))] * 6
    assert set(most) == {1}
    # One list is read to its end before the next one begins.
    assert ["continue" in one for one in queries(api)] == [False, True, True, True] * 6


def failed(number, *keys):
    one = revision.parse({"kind": "ConfigMap", **stored(number)})
    parts = Parts.of(SPEC, keys)
    return revision.manifest(replace(one, parts=parts, outcome=RevisionStatus.FAILED))


def test_a_change_knows_the_newest_revisions_in_short_and_leaves_the_last_success(api, client):
    count = 3 * history.OUTLINED
    api.put(*map(service, ("cat-svc", "mouse-svc", "dog-svc")), stored(1), stored(2))
    api.put(*[failed(number) for number in range(3, count + 1)])
    prepared = prepare(client, Wanted("pets", "demo", group()))
    assert [one.number for one in prepared.history] == [2, *range(count - history.OUTLINED + 1, count + 1)]
    assert sum(one.parts.size for one in prepared.history) == 0
    given = {"spec": group(), "action": "apply", "inventory": (), "changed": ()}
    history.begin(client, **given, past=prepared.history, newest=prepared.past.number)
    left = [one.number for one in history.read(client, "demo", "pets").revisions]
    assert left[-1] == count + 1
    assert 2 in left, "the last success is what a rollback goes to"
    assert left[-history.KEEP :] == list(range(count + 2 - history.KEEP, count + 2))
    assert len(left) < count - history.OUTLINED + history.KEEP + 2


def test_what_earlier_revisions_list_elsewhere_is_told_and_remembered(api, client):
    far = [Key("VirtualService", "prod", f"far{number}") for number in range(5)]
    api.put(*map(service, ("cat-svc", "mouse-svc", "dog-svc")), failed(1, *far))
    prepared = prepare(client, Wanted("pets", "demo", group()))
    assert set(far) <= prepared.inventory
    assert any("far0, VirtualService far1, VirtualService far2 and 2 more" in note for note in prepared.notes)


def test_failed_changes_that_list_more_than_a_group_can_have_count_from_the_newest(monkeypatch):
    monkeypatch.setattr(revision, "MOST", 10)

    def listing(number):
        keys = [Key("VirtualService", "demo", f"{number}-{index}") for index in range(4)]
        return revision.parse({"kind": "ConfigMap", **failed(number, *keys)})

    found = revision.inventory([listing(number) for number in range(1, 6)])
    assert {one.name.partition("-")[0] for one in found} == {"4", "5"}
    assert len(found) == 8


def test_an_object_is_parsed_between_two_pages_of_a_list_and_neither_during_one_nor_after_all(api, client):
    api.put(*[stored(number) for number in range(1, 30)])
    pages, parsed, threads = [], threading.Event(), []

    def parse():
        with client.session().reading.of():
            parsed.set()

    def add(found, one):
        found.append(one["metadata"]["name"])
        if not threads:
            threads.append(threading.Thread(target=parse, daemon=True))
            threads[0].start()
            assert not parsed.wait(0.2)
        if len(found) == history.PAGE + 1:
            pages.append(parsed.wait(30))

    found = client.read_into(list, add, "ConfigMap", "demo", page=history.PAGE, stored=True)
    threads[0].join(30)
    assert len(found) == 29
    assert pages == [True]
