"""A namespace with a group that is applied and the Deployments of its versions, and workers that need no time."""

import threading
import time
from contextlib import contextmanager

import pytest
import yaml
from fake_api import api_server, deployment, service
from rollout_world import GROUP, group, rollout
from stand_in import StandIn

from meshconfig.cluster import lanegroups
from meshconfig.cluster.change import Choices, Wanted, Watcher, carry_out
from meshconfig.cluster.client import Client
from meshconfig.cluster.watching import Watch
from meshconfig.compile import compile_group
from meshconfig.exchange.allowed import Allowed
from meshconfig.load import parse
from meshconfig.render import render
from meshconfig.rollout import begin, beside, store
from meshconfig.rollout.runner import Driver
from meshconfig.rollout.runner.context import RunnerContext, Settings
from meshconfig.rollout.runner.metrics import Metrics
from meshconfig.rollout.runner.room import Room
from meshconfig.rollout.runner.worker import Worker

NOWHERE = "http://127.0.0.1:1"  # no istiod: barriers wait no time, and are unverified
AT_ONCE = (f"--istiod={NOWHERE}", "--wait=0", "--drain=0")  # for a command that waits for nobody
SETTINGS = Settings(istiod=NOWHERE, wait=0, drain=0, hosts=Allowed.of(["127.0.0.1"]))
DOCUMENT = parse("spec: {}", "cat-v2.yaml")[0]
SIZES = {"cat": 8, "mouse": 4}


class Impatient(threading.Event):
    """Whoever waits for it does not; after many times, something goes round in circles."""

    def __init__(self, patience=400):
        super().__init__()
        self.patience = patience

    def wait(self, timeout=None):
        self.patience -= 1
        assert self.patience > 0, "it does not come to an end"
        return self.is_set()


class Patient(Impatient):
    """Lets a moment go by: for threads beside it, and where a rollout measures time."""

    def wait(self, timeout=None):
        threading.Event().wait(0.05 if timeout else 0)
        return super().wait(timeout)


class Awake(Impatient):
    """A worker's signal: it does not wait either. Where nothing but a person could wake it, it ends the run.

    Parameters:
        stop: of the run.
    """

    def __init__(self, stop):
        super().__init__()
        self.stop = stop

    def wait(self, timeout=None):
        if timeout is None:
            self.stop.set()
        return self.stop.wait(timeout)


class Held(StandIn):
    def check(self):
        pass


class Mesh:
    """The cluster, and what a driver said."""

    def __init__(self, api, client):
        self.api, self.client, self.said = api, client, []
        self.metrics = Metrics()

    def apply(self, spec, **more):
        wanted = Wanted(spec.metadata.name, "demo", spec, **more)
        return carry_out(self.client, wanted, Choices(wait=0, drain=0, istiod=NOWHERE), Watcher())

    def start(self, plan=None, **more):
        return begin.start(self.client, plan or rollout(**more), DOCUMENT, who="eva")

    def worker(self, name="cat-v2", stop=None):
        stop = stop or Impatient()
        context = RunnerContext(self.client, SETTINGS, Held(), stop, self.said.append, self.metrics, Room(stop))
        return Worker(context, "demo", name, wake=Awake(stop))

    def run(self, name="cat-v2", until=None, stop=None):
        """Until the rollout has ended, or `until` says so of its state."""
        stop = stop or Impatient()
        if until:
            self.api.before.append(lambda *_: self.has_state(name) and until(self.state(name)) and stop.set())
        try:
            self.worker(name, stop).run()
        except AssertionError:
            raise AssertionError("\n".join(self.said[-10:])) from None
        finally:
            self.api.before.clear()
        return self.state(name)

    def state(self, name="cat-v2"):
        """Without asking the API server."""
        return store.State.from_json(self.object(name)["status"]["state"])

    def has_state(self, name="cat-v2"):
        return bool(((self.object(name) or {}).get("status") or {}).get("state"))

    def object(self, name="cat-v2"):
        """The Rollout object, without asking the API server."""
        return self.api.get("rollouts", name)

    def condition(self, name="cat-v2"):
        """What kstatus reads: Ready, Reconciling or Stalled, the reason, and the message; empty before there is any."""
        conditions = (self.object(name).get("status") or {}).get("conditions", ())
        found = [(one["type"], one["reason"], one["message"]) for one in conditions if one["status"] == "True"]
        (one,) = found or [("", "", "")]
        return one

    def git(self, text=GROUP, *, applied=True):
        """What a commit says: the LaneGroup object; and, unless `applied` is false, what its controller does of it."""
        value = yaml.safe_load(text)
        value["apiVersion"] = "graylane.dev/v1"
        there = self.api.get("lanegroups", value["metadata"]["name"])
        self.api.put({**value, "status": (there or {}).get("status", {})})
        if applied:
            one = self.api.get("lanegroups", value["metadata"]["name"])
            wanted = beside.overlaid(self.client, lanegroups.GroupObject(one).spec())
            if wanted.contradiction is None:
                self.apply(wanted.spec, by_rollout=True)
            ready = {"type": "Ready", "status": "True", "reason": "Applied", "message": "applied"}
            one["status"] = {"observedGeneration": one["metadata"]["generation"], "conditions": [ready]}
            self.api.put(one)

    def commit(self, plan, name="cat-v2"):
        """A Rollout as Git's tools apply it."""
        value = plan.model_dump(mode="json", by_alias=True, exclude_unset=True)
        there = self.object(name)
        status = {"status": there["status"]} if there and "status" in there else {}
        kept = there["metadata"] if there else {}
        metadata = {**kept, "name": name, "namespace": "demo"}
        self.api.put({**value, "apiVersion": "graylane.dev/v1", "metadata": metadata, **status})

    @contextmanager
    def driven(self):
        """A driver with its watches; gives the groups that it has said have changed."""
        changed, stop = [], threading.Event()
        driver = Driver(
            self.client, Held(), SETTINGS, self.said.append, self.metrics, lambda *group: changed.append(group)
        )

        def group_seen(change, one):
            driver.group_seen(one["metadata"]["namespace"], one["metadata"]["name"])

        for kind, see in (("Rollout", driver.see), ("LaneGroup", group_seen)):
            watch = Watch(self.client, kind, "demo", see, stop)
            threading.Thread(target=watch.run, daemon=True).start()
            assert watch.synced.wait(20)
        try:
            yield changed
        finally:
            stop.set()
            driver.close()

    def say(self, event, name="cat-v2"):
        return store.say(self.client, "demo", name, event)

    def replicas(self):
        names = sorted(self.api.names("deployments"))
        return {name: self.api.get("deployments", name)["spec"]["replicas"] for name in names}

    def routes(self):
        """The specs of all that graylane renders, by kind and name."""
        kinds = ("virtualservices", "destinationrules", "gateways", "horizontalpodautoscalers")
        return {(kind, name): self.api.get(kind, name)["spec"] for kind in kinds for name in self.api.names(kind)}


def until(condition, seconds=60):
    """Waits for what others do."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def rendered(spec):
    return {(f"{one['kind'].lower()}s", one["metadata"]["name"]): one["spec"] for one in render([compile_group(spec)])}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """The namespace without anything applied."""
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        api.put(*[service(f"{name}-svc") for name in ("cat", "mouse", "dog")])
        for name, count in SIZES.items():
            api.put(deployment(f"{name}-v1", {"v": "v1"}, count), deployment(f"{name}-v2", {"v": "v2"}, 1))
        yield Mesh(api, Client.connect())


@pytest.fixture
def mesh(cluster):
    """With the group applied."""
    cluster.apply(group())
    return cluster
