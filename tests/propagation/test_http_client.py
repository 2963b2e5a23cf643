"""http.client and what is built on it, beyond the common suite."""

import http.client
import urllib.request
import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
import requests
import slack_sdk
import urllib3
from trails import hops, tagged

from propagation import PropagationConfig, instrument, uninstrument, use
from propagation.clients.requests import PropagatingAdapter
from propagation.clients.urllib3 import PropagatingPoolManager

NUMERIC = PropagationConfig(allowed_hosts=("127.0.0.0/8",))
TAGGED = {"env": "gray", "baggage": "env=gray"}
TARGET = "http://mouse-svc:9002/sayHello"


@pytest.fixture(autouse=True)
def _instrumented():
    instrument("http_client")
    yield
    uninstrument()


def test_a_request_that_is_put_together_by_hand(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    with use(env="gray"):
        for own in ([], [("Env", "prod")], [("baggage", "a=1;p", "b=2")]):
            connection.putrequest("POST", "/", skip_accept_encoding=True)
            for header in own:
                connection.putheader(*header)
            connection.putheader("Content-Length", "2")
            connection.endheaders(b"hi")
            connection.getresponse().read()
    connection.close()
    assert [seen.ours.get("env") for seen in server.seen] == ["gray", "prod", "gray"]
    assert server.seen[0].ours == TAGGED
    assert server.seen[2].ours["baggage"].startswith("env=gray,a=1;p")
    assert [seen.body for seen in server.seen] == [b"hi"] * 3
    assert [seen.all("host") for seen in server.seen] == [[f"127.0.0.1:{server.port}"]] * 3


def test_a_request_without_any_header(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    with use(env="gray"):
        connection.putrequest("GET", "/", skip_host=True, skip_accept_encoding=True)
        connection.endheaders()
        connection.getresponse().read()
    connection.close()
    assert server.seen[0].headers == [("env", "gray"), ("baggage", "env=gray")]


def test_headers_that_are_not_ours_go_out_as_they_were(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    with use(env="gray"):
        connection.putrequest("GET", "/")
        connection.putheader("X-Raw", b"\xff: y")
        connection.putheader("X-Two", "1", "2")
        connection.putheader("X-Empty", "")
        connection.endheaders()
        connection.getresponse().read()
    connection.close()
    assert server.seen[0].all("x-raw") == ["ÿ: y"]
    assert [part.strip() for part in server.seen[0].all("x-two")[0].split("\r\n")] == ["1", "2"]
    assert server.seen[0].all("x-empty") == [""]


def test_mistakes_are_reported_as_before():
    connection = http.client.HTTPConnection("127.0.0.1", 1)
    with pytest.raises(http.client.CannotSendHeader), use(env="gray"):
        connection.endheaders()


def test_what_is_built_on_it(server):
    with use(env="gray"):
        with pytest.raises(ExpatError), xmlrpc.client.ServerProxy(server.url) as proxy:
            proxy.method()
        with pytest.raises(slack_sdk.errors.SlackClientError):
            slack_sdk.WebClient("token", base_url=f"{server.url}/").api_test()
    assert [seen.ours for seen in server.seen] == [TAGGED] * 2
    assert server.seen[0].body.startswith(b"<?xml")


@pytest.mark.parametrize("more", [(), ("requests", "urllib3")])
def test_libraries_with_a_hook_of_their_own_write_once(server, more):
    instrument(*more or ("http_client",))
    with use(env="gray"), requests.Session() as session, urllib3.PoolManager() as pools:
        session.mount(server.url + "/by-hand", PropagatingAdapter())
        session.get(f"{server.url}/by-hand")
        session.get(server.url)
        pools.request("GET", server.url, headers={"baggage": "own=1"})
    assert [seen.ours for seen in server.seen] == [TAGGED, TAGGED, {"env": "gray", "baggage": "env=gray,own=1"}]


def test_what_another_hook_took_out_stays_out(server):
    with use(env="gray"), PropagatingPoolManager(config=NUMERIC) as pools:
        pools.request(
            "GET", f"{server.url}/to?{server.under_another_name}/to?{server.url}/back", headers={"env": "blue"}
        )
    assert [seen.ours.get("env") for seen in server.seen] == ["blue", None, "blue"]


@pytest.mark.parametrize(("allowed", "expected"), [("mouse-svc", TAGGED), ("127.0.0.1", {})])
def test_by_a_proxy_the_host_that_was_asked_for_counts(server, allowed, expected):
    instrument("http_client", config=PropagationConfig(allowed_hosts=(allowed,)))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": server.url}))
    with use(env="gray"):
        opener.open(TARGET).close()
    assert server.seen[0].path == TARGET
    assert server.seen[0].ours == expected


@pytest.mark.parametrize(("allowed", "expected"), [("mouse-svc", TAGGED), ("127.0.0.1", {})])
def test_through_a_tunnel_the_host_at_its_end_counts(allowed, expected):
    instrument("http_client", config=PropagationConfig(allowed_hosts=(allowed,)))
    connection = http.client.HTTPConnection("127.0.0.1", 1)
    connection.set_tunnel("mouse-svc", 9002)
    sent = []
    vars(connection)["send"] = sent.append
    with use(env="gray"):
        connection.request("GET", "/sayHello", headers={"env": "gray"})
    lines = b"".join(sent).decode().split("\r\n")
    assert dict(line.split(": ") for line in lines[1:] if line.startswith(("env", "baggage"))) == expected


def test_an_answer_is_added_to_the_trail_of_the_request_that_asked(server):
    server.trail = {"/a": ["ant/v1", "mouse/prod"], "/b": ["owl/v3"]}
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    with tagged():
        connection.request("GET", "/a")
        connection.getresponse().read()
        with use(env=None):
            connection.request("GET", "/b")  # an untagged call on the same connection
            connection.getresponse().read()
        assert hops() == ["ant/v1", "mouse/prod"]
        connection.request("GET", "/b")
        with tagged():
            connection.getresponse().read()
            assert hops() == []
        assert hops() == ["ant/v1", "mouse/prod", "owl/v3"]
    connection.close()


@pytest.mark.parametrize("more", [(), ("urllib3",), ("requests", "urllib3")])
def test_what_is_built_on_it_adds_an_answer_once(server, more):
    server.trail = {"/a": ["mouse/prod"]}
    instrument(*more)
    url = f"{server.url}/a"
    with tagged(), PropagatingPoolManager() as ours, urllib3.PoolManager() as plain, requests.Session() as session:
        session.mount("http://", PropagatingAdapter())
        session.trust_env = False
        clients: list[Any] = [ours, plain, session]
        for number, client in enumerate(clients, 1):
            client.request("GET", url)
            assert hops() == ["mouse/prod"] * number
