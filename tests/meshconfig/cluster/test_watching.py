"""A watch gives each object once, then each change, and loses none where it begins anew."""

import threading
from contextlib import contextmanager

import pytest
from fake_api import api_server, deployment

from meshconfig.cluster import watching
from meshconfig.cluster.client import Client
from meshconfig.cluster.watching import Watch

LABELLED = {"metadata": {"labels": {"team": "pets"}}}


class World:
    def __init__(self, api):
        self.api, self.seen, self.failed = api, [], []
        self.changed = threading.Condition()

    def take(self, change, one):
        with self.changed:
            self.seen.append((change.value, one["metadata"]["name"]))
            self.changed.notify_all()

    def until(self, *wanted):
        """Waits until these have been seen, in any order."""
        with self.changed:
            there = self.changed.wait_for(lambda: set(wanted) <= set(self.seen), 20)
        assert there, f"seen: {self.seen}, wanted: {wanted}"


@pytest.fixture
def world(tmp_path, monkeypatch):
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        yield World(api)


@contextmanager
def watched(world, namespace="demo", **more):
    stop = threading.Event()
    watch = Watch(Client.connect(), "Deployment", namespace, world.take, stop, world.failed.append, **more)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        assert watch.synced.wait(20)
        yield watch
    finally:
        stop.set()
        world.api.put(deployment("last", {}))  # a watch looks up at each event
        world.api.closed = True
        thread.join(20)
        assert not thread.is_alive()


def test_what_is_there_comes_first_and_then_each_change(world):
    world.api.put(deployment("cat", {}), deployment("mouse", {}))
    with watched(world):
        assert world.seen == [("there", "cat"), ("there", "mouse")]
        world.api.put(deployment("dog", {}))
        world.api.answer("DELETE", "/apis/apps/v1/namespaces/demo/deployments/cat", None)
        world.until(("there", "dog"), ("gone", "cat"))
    assert world.api.seen[0][1].endswith("limit=500")
    assert [method for method, _ in world.api.seen].count("GET") == 1, "it does not poll"


def test_every_namespace_is_watched_where_none_is_named(world):
    with watched(world, namespace=""):
        world.api.put(deployment("cat", {}), deployment("mouse", {}, namespace="other"))
        world.until(("there", "cat"), ("there", "mouse"))


def test_only_what_is_labelled_is_watched_and_goes_away_with_its_label(world):
    world.api.put(deployment("cat", {}), {**deployment("dog", {}), "metadata": _labelled("dog")})
    with watched(world, selector="team=pets"):
        assert world.seen == [("there", "dog")]
        world.api.put(deployment("dog", {}))
        world.until(("gone", "dog"))


def _labelled(name):
    return {"name": name, "namespace": "demo", **LABELLED["metadata"]}


def test_what_went_away_while_a_version_was_too_old_is_told(world, monkeypatch):
    monkeypatch.setattr(watching, "AGAIN", (0.01, 0.01))
    world.api.put(deployment("cat", {}), deployment("mouse", {}))
    lists = []

    def lose(method, url):
        """At the second list, while nothing is watched."""
        lists.append(url)
        if len(lists) == 2:
            world.api.objects.pop(("deployments", "demo", "cat"))

    world.api.before.append(lose)
    world.api.too_old = 1
    with watched(world):
        world.until(("gone", "cat"))
    assert [error.status for error in world.failed] == [410]


def test_a_server_that_refuses_is_asked_again(world, monkeypatch):
    monkeypatch.setattr(watching, "AGAIN", (0.01, 0.01))
    refusals = iter([True, True])

    class Forbidden:
        def serve(self, handler, body):
            handler.reply(403, b'{"kind": "Status", "reason": "Forbidden", "message": "no"}')

    world.api.fault = lambda method, path: Forbidden() if next(refusals, False) else None
    world.api.put(deployment("cat", {}))
    with watched(world):
        world.until(("there", "cat"))
    assert [error.status for error in world.failed] == [403, 403]


@pytest.mark.parametrize("chunks", [[b'{"type": "ADD', b'ED"}\n{"a"', b": 1}\n"], [b'{"type": "ADDED"}\n{"a": 1}\n']])
def test_events_may_be_cut_anywhere(chunks):
    assert list(watching._events(chunks)) == [{"type": "ADDED"}, {"a": 1}]
