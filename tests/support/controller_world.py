"""A cluster with Services and Pods of a group, and a controller that works there: what a person would see of both."""

import json
import threading
import time
from contextlib import contextmanager

import pytest
import yaml
from fake_api import api_server, deployment, service
from rollout_world import GROUP
from runner_world import NOWHERE

from meshconfig.cluster.client import Client
from meshconfig.controller import Controller, Scope
from meshconfig.rollout.runner.context import Settings
from meshconfig.rollout.runner.metrics import Metrics

SETTINGS = Settings(istiod=NOWHERE, wait=0, drain=0)
PATIENCE = 20.0
OBJECTS = "/apis/graylane.dev/v1/namespaces/demo/lanegroups"
MESH = ("virtualservices", "destinationrules", "gateways")
_VERSIONS = "{v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}"
GATEWAY_GROUP = f"""\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: pets, namespace: demo}}
spec:
  backend: gateway
  lanes:
    prod: {{versions: {{cat: v1}}}}
    gray: {{versions: {{cat: v2}}}}
  services:
    cat: {{host: cat-svc, port: 9001, selector: {{app: cat}}, versions: {_VERSIONS}}}
"""


def document(text=GROUP, name="pets", **metadata):
    found = yaml.safe_load(text)
    return {
        **found,
        "apiVersion": "graylane.dev/v1",
        "metadata": {**found["metadata"], "name": name, **metadata},
    }


class ControllerWorld:
    def __init__(self, api):
        self.api, self.said = api, []

    def apply(self, one):
        """As `kubectl apply` does it."""
        name = one["metadata"]["name"]
        self.api.answer("PATCH", f"{OBJECTS}/{name}?fieldManager=kubectl", one)

    def delete(self, name="pets"):
        self.api.answer("DELETE", f"{OBJECTS}/{name}", None)

    def object(self, name="pets"):
        return self.api.get("lanegroups", name) or {}

    def conditions(self, name="pets"):
        found = self.object(name).get("status", {}).get("conditions", [])
        return {one["type"]: one for one in found}

    def reasons(self):
        return [one["reason"] for key, one in sorted(self.api.objects.items()) if key[0] == "events"]

    def events(self, reason):
        return [one["message"] for one in self.api.objects.values() if one.get("reason") == reason]

    def routes(self):
        """Names of what is in the mesh."""
        return {key[0] + "/" + key[2] for key in self.api.objects if key[0] in MESH}

    def lane_routes(self, host="cat-svc"):
        """The names of the routes of a host."""
        return [one["name"] for one in self.api.get("virtualservices", host)["spec"]["http"]]

    def until(self, holds, what="", told=tuple):
        """`told` gives what else is of interest where it does not come."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with self.api.lock:
                if holds():
                    return
            threading.Event().wait(0.02)
        raise AssertionError(f"{what or 'it'} did not come: {told()} {self.conditions()} {self.said[-8:]}")

    def until_ready(self, name="pets"):
        def is_ready():
            one = self.object(name)
            ready = self.conditions(name).get("Ready", {})
            return (
                ready.get("status") == "True" and one["status"]["observedGeneration"] == one["metadata"]["generation"]
            )

        self.until(is_ready, f"{name} Ready")

    @contextmanager
    def controller(self, namespaces=("demo",), settings=SETTINGS):
        stop, self.metrics = threading.Event(), Metrics()
        one = Controller(
            Client.connect(), Scope(namespaces, "demo"), settings, tell=self.said.append, metrics=self.metrics
        )
        thread = threading.Thread(target=one.run, args=(stop,))
        thread.start()
        try:
            yield one
        finally:
            stop.set()
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def page(self):
        """The metrics, as Prometheus reads them."""
        from prometheus_client import generate_latest

        return generate_latest(self.metrics.registry).decode()


@pytest.fixture
def world(tmp_path, monkeypatch):
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        for name in ("cat", "mouse"):
            api.put(*(deployment(f"{name}-{version}", {"v": version}) for version in ("v1", "v2")))
        api.put(deployment("dog-prod", {"v": "prod"}))
        api.put(*(service(f"{name}-svc") for name in ("cat", "mouse", "dog")))
        yield ControllerWorld(api)


def edited(one, part, by="kubectl-edit"):
    """A resource of which somebody took the first item of a list in its spec, as an API server tells it.

    Parameters:
        part: the list's field.
        by: the field manager.
    """
    spec = {**one["spec"], part: one["spec"][part][1:]}
    fields = {"manager": by, "operation": "Update", "fieldsV1": {"f:spec": {f"f:{part}": {}}}}
    whole = {f"f:{name}": {} for name in one["spec"]}
    ours = {"manager": "graylane", "operation": "Apply", "fieldsV1": {"f:spec": whole}}
    return {**one, "spec": spec, "metadata": {**one["metadata"], "managedFields": [ours, fields]}}


def changed(one, change):
    """A copy of a document; `change` edits its spec."""
    copy = json.loads(json.dumps(one))
    change(copy["spec"])
    return copy
