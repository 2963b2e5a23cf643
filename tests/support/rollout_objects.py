"""Rollout objects as somebody who may write their status may have left them."""

import base64
import json

from rollout_world import rollout

from meshconfig.bounded import pack
from meshconfig.cluster import rollouts

SHORT = [{"weight": 10}, {"pause": {}}, {"weight": 100}]


def rollout_object(state, name="cat-v2", base=b"", *, group="pets", phase="Progressing", packed=None):
    """An object whose status has this state, a text.

    Parameters:
        base: the group that it began from, as JSON.
        packed: the same, as it is stored, in base64.
    """
    spec = rollout(SHORT).model_dump(mode="json", by_alias=True, exclude_unset=True)["spec"]
    one = rollouts.manifest("demo", name, {**spec, "group": group})
    status = {"phase": phase, "group": group, "state": state, "observedGeneration": 1}
    if packed is not None or base:
        status["base"] = base64.b64encode(pack(base)).decode() if packed is None else packed
    created = {"generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}
    return {**one, "metadata": {**one["metadata"], **created}, "status": status}


def config_map(state, name="cat-v2", base=b"", *, group="pets"):
    """A rollout as earlier releases stored it."""
    labels = {
        "app.kubernetes.io/managed-by": "graylane",
        "graylane.dev/group": group,
        "graylane.dev/rollout": "active",
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"graylane-rollout.{name}", "namespace": "demo", "labels": labels},
        "data": {"phase": "Paused", "state": state},
        "binaryData": {"group": base64.b64encode(pack(base)).decode()} if base else {},
    }


def of_the_spec(state):
    """A state that says of itself that it runs the object's spec, as one that graylane writes."""
    return json.dumps({**json.loads(state), "spec_generation": 1}, separators=(",", ":"))
