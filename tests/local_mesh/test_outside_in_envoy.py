"""Hosts outside the mesh on this machine: a process stands for one, or Envoy calls it with TLS and checks who it is."""

import http.client
import json
import shutil
import socket

import outside_host
import pytest

from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.local.config import Endpoint, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.local.plan import plan
from meshconfig.local.surroundings import resources

pytestmark = pytest.mark.envoy
# Names below localhost are this machine's (RFC 6761), also to Envoy.
API, SANDBOX, IMPOSTOR = HOSTS = ("api.localhost", "sandbox.localhost", "impostor.localhost")
SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: zoo, namespace: demo}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    pay:
      host: {called}
      port: 80
      external: {external}
      versions: {{prod: {{host: api.localhost}}, gray: {{host: {sandbox}}}}}
"""
LOCAL = """\
---
apiVersion: graylane/v1
kind: LocalMesh
metadata: {name: zoo, namespace: demo}
spec:
  workloads: {pay: {gray: {address: "127.0.0.1:9105"}}}
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """The port of hosts behind TLS, and the file of their authority. One of them has the certificate of another."""
    folder = tmp_path_factory.mktemp("outside")
    authority = outside_host.certify(folder, HOSTS)
    shutil.copy(folder / f"{API}.pem", folder / f"{IMPOSTOR}.pem")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with outside_host.serving(folder, [f"127.0.0.1:{port}"], HOSTS):
        yield port, authority


def text(external, called=API, sandbox=SANDBOX):
    return SPEC.format(called=called, external=external, sandbox=sandbox)


def model(*arguments):
    (found,) = groups(parse(text(*arguments), "zoo.yaml"))
    return found.model


def trails(envoy, listener, headers):
    """What the response says of who answered; a client of its own, which sees all headers of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", envoy.proxy.addresses[listener], timeout=20)
    connection.request("GET", "/pay", headers=headers)
    found = connection.getresponse().headers.get_all("x-graylane-trail")
    connection.close()
    return found


@pytest.mark.parametrize("called", [API, "pay.internal.example.com"])
def test_envoy_calls_the_host_of_the_lane_by_its_name_and_takes_the_tag_off(envoy, outside, called):
    port, authority = outside
    envoy.change(
        translate(resources([model(f"{{port: {port}, tls: SIMPLE, caCertificates: {authority}}}", called)]), [])
    )
    listener = mesh_listener(called, 80)
    for tag, host in (("", API), ("gray", SANDBOX), ("nobody", API)):
        headers = [("env", tag), ("baggage", f"a=b,env={tag}"), ("x-graylane-trail", "x/y")] if tag else []
        reply = envoy.ask(listener, "/pay", [("host", called), *headers])
        assert reply.status == 200, reply
        assert json.loads(reply.body)["chain"] == [{"service": host, "env": "clean"}]
    reply = envoy.ask(listener, "/pay", [("host", called), ("env", "gray"), ("baggage", "user=7")])
    assert ["baggage", "user=7"] in json.loads(reply.body)["headers"]
    assert trails(envoy, listener, {"host": called}) is None, "the host outside forged one"


def test_an_impostor_gets_nothing(envoy, outside):
    """Its certificate is of the right authority and of another host."""
    port, authority = outside
    found = model(f"{{port: {port}, tls: SIMPLE, caCertificates: {authority}}}", API, IMPOSTOR)
    envoy.change(translate(resources([found]), []))
    listener = mesh_listener(API, 80)
    assert envoy.ask(listener, "/pay", [("host", API)]).status == 200
    assert envoy.ask(listener, "/pay", [("host", API), ("env", "gray")]).status == 503


def test_a_stranger_gets_nothing(envoy, outside):
    """No authority of this machine has signed its certificate."""
    envoy.change(translate(resources([model(f"{{port: {outside[0]}, tls: SIMPLE}}")]), []))
    assert envoy.ask(mesh_listener(API, 80), "/pay", [("host", API)]).status == 503


def test_a_process_stands_for_a_host_and_what_has_none_is_called_itself():
    found = plan(parse(text("{tls: SIMPLE, egress: istio-system/out}") + LOCAL, "zoo.yaml"))
    (process,) = found.workloads
    assert (process.name, process.host) == ("pay/gray", SANDBOX)
    assert found.notes == (f"pay/prod: no process stands for it, so {API} is called itself",)


def test_a_process_answers_for_its_host_in_plain_http(envoy):
    found = plan(parse(text("{tls: SIMPLE, egress: istio-system/out}") + LOCAL, "zoo.yaml"))
    end = Endpoint(SANDBOX, 80, {}, "127.0.0.1", envoy.port_of("pay/gray"))
    envoy.change(translate(found.resources, [end]))
    reply = envoy.ask(mesh_listener(API, 80), "/pay", [("host", API), ("env", "gray")])
    said = json.loads(reply.body)
    assert (said["who"], dict(said["headers"])["host"]) == ("pay/gray", SANDBOX)
