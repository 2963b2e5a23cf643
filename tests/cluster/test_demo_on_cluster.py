"""The demo's own manifests on a real mesh: k8s/demo and k8s/mesh, and a tester's requests through both services."""

import http.client
import json
from pathlib import Path

import pytest
from mesh_cluster import gateway_address, kubectl, until

pytestmark = pytest.mark.cluster
K8S = Path(__file__).parents[2] / "k8s"


def ask(headers):
    """(status, [(service, version, the tag it saw), …]) of one request to the entry."""
    host, _, port = gateway_address().rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=15)
    connection.putrequest("GET", "/sayHello", skip_host=True)
    for name, value in [("host", "cat.example.com"), *headers]:
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    chain = json.loads(body)["chain"] if reply.status == 200 else []
    return reply.status, [(hop["service"], hop["env"], hop["saw"]) for hop in chain]


def patient(headers):
    """As `ask`; a 503 of the way there is asked once more: a busy machine has a connection reset."""
    answer = ask(headers)
    return ask(headers) if answer[0] == 503 else answer


@pytest.fixture(scope="module")
def demo(cluster):
    kubectl("apply", "--server-side", "-f", str(K8S / "demo" / "00-namespace.yaml"))
    kubectl("apply", "--server-side", "-f", str(K8S / "demo"), "-f", str(K8S / "mesh"))
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", "demo", "--timeout=110s")
    until(lambda: ask([("env", "gray")]) == (200, chain("gray", "gray", "gray")), "gray all the way")
    until(lambda: ask([]) == (200, chain("prod", "prod", None)), "prod all the way")
    yield
    kubectl("delete", "namespace", "demo")


def chain(cat, mouse, saw):
    return [("cat", cat, saw), ("mouse", mouse, saw)]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("env", "gray")], chain("gray", "gray", "gray")),
        ([("env", "prod")], chain("prod", "prod", "prod")),
        ([("env", "daily")], chain("prod", "prod", None)),
        ([], chain("prod", "prod", None)),
        ([("env", "nobody"), ("env", "gray")], chain("gray", "gray", "gray")),
        ([("env", "gray,prod")], chain("prod", "prod", None)),
    ],
)
def test_each_request_keeps_to_its_lane(demo, headers, expected):
    assert [patient(headers) for _ in range(5)] == [(200, expected)] * 5
