"""What every server must do, on a real one on loopback. Adapters: tests/support/servers.py."""

import http.client
import json
import logging
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers import ADAPTERS

from propagation import PropagationConfig

LANES = ("gray", "prod", None)


@pytest.fixture(scope="module", params=ADAPTERS)
def adapter(request):
    return ADAPTERS[request.param]


@pytest.fixture(scope="module")
def running(adapter):
    with adapter.serving() as found:
        yield found


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(running, caplog):
    with caplog.at_level(logging.WARNING):
        yield
    assert running.watch.changed == []
    assert "Failed to detach" not in caplog.text


def ask(running, path, *headers):
    """Body and headers of the answer to one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    try:
        connection.putrequest("GET", f"/{path}")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.read().decode(), response.headers
    finally:
        connection.close()


def test_every_shape_of_endpoint_sees_the_tag(adapter, running):
    for shape in adapter.shapes:
        body, headers = ask(running, shape, ("env", "gray"))
        assert set(body.split()) == {"gray"}, shape
        assert headers.get("x-inside", "gray") == "gray", shape
        assert set(ask(running, shape)[0].split()) == {"None"}, shape


def run_after_the_answer(running, lane):
    """A request, and what runs after its answer, which comes before that."""
    ask(running, "background", ("env", lane))
    end = time.monotonic() + 10
    while lane not in running.watch.later and time.monotonic() < end:
        time.sleep(0.01)


def forget_what_has_run(running):
    """Also of earlier tests' requests, of which some may still be at it: a server comes to them first."""
    run_after_the_answer(running, "last")
    running.watch.later.clear()


def test_what_runs_after_the_answer_sees_the_tag(running):
    forget_what_has_run(running)
    for lane in ("gray", "prod"):
        run_after_the_answer(running, lane)
    assert running.watch.later == ["gray", "prod"]


@pytest.mark.slow
def test_a_thousand_interleaved_requests_do_not_see_each_others_tag(adapter, running):
    def client(worker):
        answers = []
        for number in range(worker, 1000, 8):
            lane = LANES[number % 3]
            body, _ = ask(
                running, adapter.interleaved[number % len(adapter.interleaved)], *[("env", lane)] * bool(lane)
            )
            answers.append(body == f"{lane} {lane}")
        return answers

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for part in pool.map(client, range(8)) for answer in part]
    assert len(answers) == 1000
    assert all(answers)


@pytest.mark.parametrize("path", ["fail", "crash"])
def test_after_an_exception_the_next_request_is_its_own(running, path):
    for lane in LANES * 4:
        ask(running, path, *[("env", lane)] * bool(lane))
        assert ask(running, "tag")[0] == "None"


def test_after_a_disconnect_the_next_request_is_its_own(running):
    forget_what_has_run(running)
    for _ in range(5):
        running.watch.ended.clear()
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.sendall(b"GET /endless HTTP/1.1\r\nHost: cat\r\nenv: gray\r\n\r\n")
            connection.recv(100)
        assert running.watch.ended.wait(10)
        assert ask(running, "tag")[0] == "None"
    assert set(running.watch.later) <= {"gray"}


def test_the_requests_of_one_connection_do_not_see_each_others_tag(running):
    # Beyond 64 KiB uvicorn stops reading until the app asks for more, and then reads on in the context of that request.
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    answers = []
    for body, headers in [(b"x" * 1_000_000, {"env": "gray"}), (b"", {}), (b"", {"env": "prod"}), (b"", {})]:
        connection.request("POST", "/upload", body, headers)
        answers.append(connection.getresponse().read().decode())
    connection.close()
    assert answers == ["gray", "None", "prod", "None"]


@pytest.mark.parametrize(
    ("headers", "tag"),
    [
        ([("ENV", "gray")], "gray"),
        ([("eNv", "gray"), ("env", "gray")], "gray"),
        ([("env", "gray"), ("env", "prod")], "None"),
        ([("baggage", "a=1"), ("Baggage", "env=gray")], "gray"),
        ([("env", "prod"), ("baggage", "env=gray")], "prod"),
        ([("env", "gray.next")], "gray"),
    ],
)
def test_headers_are_read_by_the_rules(running, headers, tag):
    assert ask(running, "tag", *headers)[0] == tag


@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"a b", b"x" * 8_000, b"\x80\xbf", b"%0d%0a", b"gray\tprod"])
def test_a_hostile_value_is_untagged_and_never_a_500(running, value):
    body, _ = ask(running, "tag", ("env", value))
    assert body == "None"


def test_what_came_in_goes_on(running):
    body, _ = ask(running, "sent", ("env", "gray.next"), ("baggage", "user=alice;ttl=5,env=gray"))
    assert json.loads(body) == {"env": "gray.next", "baggage": "env=gray.next,user=alice;ttl=5"}


def test_the_answer_does_not_repeat_the_tag_unless_asked(adapter, running):
    assert ask(running, "tag", ("env", "gray"))[1]["env"] is None
    with adapter.serving(PropagationConfig(echo=True)) as echoing:
        assert ask(echoing, "tag", ("env", "gray.next"))[1].get_all("env") == ["gray.next"]
        assert ask(echoing, "tag")[1]["env"] is None


def test_an_edge_drops_the_tag_and_the_app_cannot_pass_it_on_by_mistake(adapter):
    with adapter.serving(PropagationConfig(trust_inbound=False)) as edge:
        for path in ("tag", "wait", "mounted/tag"):
            assert set(ask(edge, path, ("env", "gray"), ("baggage", "env=gray"))[0].split()) == {"None"}
        assert ask(edge, "sent", ("Env", "gray"), ("baggage", "env=gray,user=alice"))[0].strip() == "{}"


def test_an_untagged_request_is_not_work_that_no_request_started(adapter):
    with adapter.serving(PropagationConfig(origin={"env": "gray"})) as running:
        assert ask(running, "tag")[0] == "None"
        assert ask(running, "tag", ("env", "prod"))[0] == "prod"


def test_clients_of_a_request_follow_the_servers_config(adapter):
    config = PropagationConfig(remote_fields=("env", "x-request-id"), key_names={"env": ("x-lane", "env")})
    with adapter.serving(config) as running:
        body, _ = ask(running, "sent", ("env", "gray"), ("X-Request-ID", "r-1"))
        assert json.loads(body) == {"x-lane": "gray", "x-request-id": "r-1", "baggage": "env=gray,x-request-id=r-1"}
