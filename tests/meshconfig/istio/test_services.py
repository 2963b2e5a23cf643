"""The Services that a proxy knows, and the port of a destination."""

import pytest

from meshconfig.istio import Destination, Resources
from meshconfig.istio.services import Registry, destination_port, host_of

CAT = "cat.demo.svc.cluster.local"


def service(name="cat", namespace="demo", *, ports=((9001, "http"),), annotations=None, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {"ports": [{"port": number, "name": label} for number, label in ports], **spec},
    }


def entry(host, *, export_to=(), protocol="HTTP"):
    spec = {"hosts": [host], "exportTo": list(export_to), "ports": [{"number": 80, "protocol": protocol}]}
    metadata = {"name": "entry", "namespace": "demo"}
    return {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": metadata, "spec": spec}


def registry(*manifests):
    return Registry(Resources.parse(manifests))


def test_a_services_host():
    (one,) = Resources.parse([service()]).services
    assert host_of(one) == CAT


def test_which_ports_are_http():
    known = registry(service(ports=((80, "http"), (90, "tcp"), (70, "")))).get(CAT)
    assert [known.is_http(port) for port in (80, 90, 70)] == [True, False, True]
    assert known.has_port(90)
    assert not known.has_port(1)


def test_a_service_is_known_where_it_is_exported():
    annotated = registry(service(annotations={"networking.istio.io/exportTo": "., other"}))
    assert [annotated.get(CAT, client) is not None for client in ("demo", "other", "third")] == [True, True, False]
    private = registry(entry("api.example.com", export_to=["."]))
    assert private.get("api.example.com", "demo")
    assert private.get("api.example.com", "other") is None


def test_a_service_is_taken_for_given_where_none_of_its_namespace_is():
    known = registry(service())
    assert known.get("dog.demo.svc.cluster.local") is None
    taken = known.get("dog.other.svc.cluster.local")
    assert taken
    assert not taken.given
    assert known.get("api.example.com") is None


ONE, TWO = ((9001, "http"),), ((9001, "http"), (9002, "http"))


@pytest.mark.parametrize(
    ("ports", "written", "at_gateway", "port"),
    [
        (ONE, 9002, True, 9002),  # its own, whether the Service has it or not
        (ONE, None, True, 9001),
        (ONE, None, False, 80),
        (TWO, None, True, 80),
        (TWO, None, False, 80),
    ],
)
def test_the_port_of_a_destination(ports, written, at_gateway, port):
    known = registry(service(ports=ports)).get(CAT)
    destination = Destination.model_validate({"host": CAT, **({"port": {"number": written}} if written else {})})
    assert destination_port(destination, known, 80, at_gateway=at_gateway) == port


def test_the_port_of_a_destination_that_is_not_known():
    destination = Destination(host=CAT)
    assert destination_port(destination, None, 80, at_gateway=True) == 80
    assert destination_port(destination, None, None, at_gateway=False) is None


def owned(kind, name, owner_kind, owner, api="apps/v1"):
    reference = {"kind": owner_kind, "name": owner, "controller": True}
    spec = {"template": {"metadata": {"labels": {"app": "cat"}}}}
    owners = [reference] if owner else []
    metadata = {"name": name, "namespace": "demo", "labels": {"app": "cat"}, "ownerReferences": owners}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def test_what_another_workload_made_does_not_count_beside_it():
    deployment = owned("Deployment", "cat", "", "")
    replicas = owned("ReplicaSet", "cat-5d4f", "Deployment", "cat")
    pod = owned("Pod", "cat-5d4f-x", "ReplicaSet", "cat-5d4f", "v1")
    alone = owned("Pod", "alone", "", "", "v1")
    foreign = owned("Pod", "other-1", "StatefulSet", "other", "v1")

    def names(*manifests):
        return {one.name for one in registry(*manifests).all_workloads()}

    assert names(deployment, replicas, pod, alone, foreign) == {"cat", "alone", "other-1"}
    assert names(deployment, pod) == {"cat"}
    assert names(replicas, pod) == {"cat-5d4f"}
    assert names(pod) == {"cat-5d4f-x"}


def test_a_namespace_that_was_read_whole_has_no_other_services():
    host = "nobody.demo.svc.cluster.local"
    assert Registry(Resources.parse([])).get(host) is not None
    assert Registry(Resources.parse([], whole=["demo"])).get(host) is None
    assert Registry(Resources.parse([], whole=["other"])).get(host) is not None
