"""Lanes in the world of a controller: what is applied, and what becomes of it."""

import threading

import pytest
from controller_world import ControllerWorld, document
from controller_world import world as world

LANES = "/apis/graylane.dev/v1/namespaces/demo/lanes"
IMAGE = "shop/cat:pr-42"


def lane(name="pr-42", versions=None, **spec):
    versions = versions or {"cat": {"from": "v1", "image": IMAGE}}
    metadata = {"name": name, "namespace": "demo"}
    spec = {"group": "pets", "versions": versions, **spec}
    return {"apiVersion": "graylane.dev/v1", "kind": "Lane", "metadata": metadata, "spec": spec}


def cron_job(name, image):
    pod = {"restartPolicy": "Never", "containers": [{"name": "run", "image": image}]}
    spec = {"suspend": True, "schedule": "@yearly", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    metadata = {"name": name, "namespace": "demo"}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


class PreviewWorld:
    """A cluster with a group, and Lanes of it. Its API server's log is kept in the order of what was written."""

    def __init__(self, world: ControllerWorld) -> None:
        self.world, self.api = world, world.api

    def apply(self, one, **metadata):
        one = {**one, "metadata": {**one["metadata"], **metadata}}
        self.api.answer("PATCH", f"{LANES}/{one['metadata']['name']}?fieldManager=kubectl", one)

    def delete(self, name="pr-42"):
        self.api.answer("DELETE", f"{LANES}/{name}", None)

    def get(self, name="pr-42"):
        return self.api.get("lanes", name) or {}

    def status(self, name="pr-42"):
        return self.get(name).get("status") or {}

    def condition(self, name="pr-42"):
        found = {one["type"]: one for one in self.status(name).get("conditions", [])}
        return next((found[kind] for kind in ("Stalled", "Reconciling", "Ready") if kind in found), {})

    def until(self, holds, what=""):
        self.world.until(holds, what, lambda: {name: self.condition(name) for name in self.api.names("lanes")})

    def until_phase(self, phase, name="pr-42"):
        def there():
            one = self.get(name)
            return self.status(name).get("phase") == phase and (
                self.status(name)["observedGeneration"] == one["metadata"]["generation"]
            )

        self.until(there, f"{name} {phase}")

    def until_because(self, reason, name="pr-42"):
        self.until(lambda: self.condition(name).get("reason") == reason, f"{name} {reason}")

    def until_gone(self, name="pr-42"):
        self.until(lambda: not self.get(name), f"the end of {name}")

    def until_quiet(self):
        """Until the group has looked at what it wrote itself: that look would wake Lanes, and have all planned, too."""
        self.world.until_ready()
        threading.Event().wait(1.5)

    def is_routed(self, name="pr-42", host="cat-svc"):
        found = self.api.get("virtualservices", host)
        return bool(found) and any(name in str(one.get("name")) for one in found["spec"]["http"])

    def subsets(self, host="cat-svc"):
        found = self.api.get("destinationrules", host)
        return {one["name"] for one in found["spec"]["subsets"]} if found else set()

    def revisions(self):
        """The number of plans that were carried out."""
        return len([name for name in self.api.names("configmaps") if "pets" in name])

    def order(self, *wanted):
        """The changes of these objects, each as (change, plural, name), in the order in which they were written."""
        return [(change, *key[::2]) for _, change, key, _ in self.api.events if (change, *key[::2]) in wanted]


@pytest.fixture
def previews(world):
    world.apply(document())
    return PreviewWorld(world)


def never_reached_unready(api, name="pr-42", service="cat", host="cat-svc"):
    """Replays all that was written: at no time did a route lead to the lane's version without its ready Pods, nor to a
    subset that was not there. Returns how often a route was there."""
    there, routed = {}, 0
    for _, change, key, one in api.events:
        if change == "DELETED":
            there.pop(key, None)
        else:
            there[key] = one
        routes = there.get(("virtualservices", "demo", host), {"spec": {"http": []}})["spec"]["http"]
        if any(to.get("destination", {}).get("subset") == name for one in routes for to in one.get("route", ())):
            routed += 1
            clone = there.get(("deployments", "demo", f"{service}-{name}"))
            assert clone, f"routes to {name} after its Deployment has gone, at {change} of {key}"
            assert clone["status"]["readyReplicas"] == clone["spec"]["replicas"], (change, key)
            subsets = there[("destinationrules", "demo", host)]["spec"]["subsets"]
            assert name in {one["name"] for one in subsets}, (change, key)
    return routed
