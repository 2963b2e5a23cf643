"""Which Pods and endpoints get requests."""

import pytest

from meshconfig.istio.pods import is_leaving, is_ready, is_serving

READY = {"type": "Ready", "status": "True"}


def pod(*conditions, leaving=False):
    metadata = {"name": "cat", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {})}
    return {"metadata": metadata, "status": {"conditions": list(conditions)}}


def test_a_pod_that_is_ready_and_stays_gets_requests():
    assert is_ready(pod({"type": "PodScheduled", "status": "True"}, READY))


@pytest.mark.parametrize(
    "one",
    [
        pod(),
        pod({"type": "Ready", "status": "False"}),
        pod({"type": "Ready", "status": "Unknown"}),
        pod({"type": "ContainersReady", "status": "True"}),
        pod(READY, leaving=True),
        {"metadata": {}},
        {"metadata": {}, "status": None},
        {"metadata": {}, "status": {"conditions": None}},
    ],
)
def test_any_other_gets_none(one):
    assert not is_ready(one)


def test_a_pod_that_is_being_deleted():
    assert is_leaving(pod(READY, leaving=True))
    assert not is_leaving(pod(READY))


@pytest.mark.parametrize(
    ("conditions", "serving"),
    [
        (None, True),
        ({}, True),
        ({"ready": True}, True),
        ({"ready": False}, False),
        ({"ready": None}, True),
        ({"ready": True, "terminating": True}, False),
        ({"ready": True, "terminating": False, "serving": True}, True),
    ],
)
def test_an_endpoint_that_says_nothing_of_being_ready_counts_as_ready(conditions, serving):
    assert is_serving({"addresses": ["10.0.0.1"], "conditions": conditions}) is serving
