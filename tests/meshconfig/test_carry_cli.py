"""`graylane carry` as a user meets it: access logs that come while it runs, Prometheus, what it prints, its status."""

import itertools
import json
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from broker_process import free_port
from canned import answering
from hostile_text import harm
from otlp_sender import by_grpc, by_http, message
from runner_world import cluster, mesh
from urllib3.exceptions import HTTPError

from meshconfig.carry import AccessLog

__all__ = ["cluster", "mesh"]

PATIENCE = 60
NODE = "sidecar~10.0.0.1~{}-0.demo~demo.svc.cluster.local"
TO_MOUSE = "outbound|9001|v2|mouse-svc.demo.svc.cluster.local"
WORST = "a\r\n::error::x\x1b[2J\u202e##[error]y"


def pod(name: str, app: str, version: str) -> dict[str, Any]:
    metadata = {"name": f"{name}-0", "namespace": "demo", "labels": {"app": app, "v": version}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}}


@pytest.fixture
def pods(mesh):
    """The Pods of cat and mouse, each selected by its Service."""
    for name in ("cat", "mouse"):
        service = mesh.api.get("services", f"{name}-svc")
        mesh.api.put({**service, "kind": "Service", "spec": {**service["spec"], "selector": {"app": name}}})
    mesh.api.put(pod("cat-v1", "cat", "v1"), pod("cat-v2", "cat", "v2"), pod("mouse-v2", "mouse", "v2"))
    mesh.api.put(pod("x", "other", "v2"))


def received(node: str, tag: str, number: int) -> dict[str, str]:
    return {
        "node": NODE.format(node),
        "cluster": "inbound|9001||",
        "tag": tag,
        "request_id": f"r{number}",
        "code": "200",
    }


def called(node: str, tag: str, number: int, path: str = "/eat?token=secret") -> dict[str, str]:
    return {**received(node, tag, number), "cluster": TO_MOUSE, "path": path}


# Nine of ten calls of cat v2 have their tag, and the other version is reached by two lanes.
RECORDS = [
    *(received("cat-v2", "gray", number) for number in range(10)),
    *(called("cat-v2", "gray" if number else "-", number) for number in range(10)),
    *(received("mouse-v2", "gray", number) for number in range(9)),
    *(received("cat-v1", tag, number) for number, tag in enumerate(["prod", "-", "gray"])),
    *(called("cat-v1", "-", 100 + number) for number in range(3)),
]


@contextmanager
def sender(port: int, records: list[dict[str, str]], *, http: bool = False):
    """Sends the records as soon as somebody listens, and then presses Ctrl-C."""
    sent = message(records)

    def is_sent() -> bool:
        if not http:
            return by_grpc(f"127.0.0.1:{port}", sent) == "OK"
        with suppress(HTTPError):
            return by_http(f"127.0.0.1:{port}", sent.SerializeToString())[0] == 200
        return False

    def send() -> None:
        end = time.monotonic() + PATIENCE
        while not is_sent() and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def listen(graylane, records: list[dict[str, str]], *arguments: str, http: bool = False) -> tuple[int, str, str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}" if http else f"127.0.0.1:{port}"
    with sender(port, records, http=http):
        code, out, err = graylane("carry", "-n", "demo", "--otlp-listen", address, *arguments)
    return code, out, err


@pytest.mark.parametrize("http", [False, True], ids=["grpc", "http"])
def test_a_version_that_loses_tags_is_named_with_its_calls(pods, graylane, http: bool) -> None:
    code, out, err = listen(graylane, RECORDS, http=http)
    assert code == 1
    assert "listening at " in err
    lines = out.splitlines()
    assert lines[0] == "group demo/pets"
    rows = {tuple(line.split()[:2]): " ".join(line.split()[2:]) for line in lines[1:5]}
    assert rows["cat", "v2"] == "10 10 9 1 90 % lane gray"
    assert rows["cat", "v1"] == (
        "3 3 0 0 unknown requests of other lanes may reach it too, and it does not carry x-request-id on"
    )
    assert rows["mouse", "v2"].endswith("unknown called no service of the group")
    assert lines[5] == "lost by cat/v2:"
    assert lines[6].endswith("demo/cat-v2-0 → mouse/v2  /eat  200  without a tag, for gray")
    assert "secret" not in out


def test_programs_get_everything_as_json(pods, graylane) -> None:
    code, out, _ = listen(graylane, RECORDS, "--output", "json", "--min", "90")
    assert code == 0
    told = json.loads(out)
    assert (told["source"], told["min"]) == ("otlp", 90)
    (group,) = told["groups"]
    assert (group["namespace"], group["group"]) == ("demo", "pets")
    versions = {(one["service"], one["version"]): one for one in group["versions"]}
    cat = versions["cat", "v2"]
    assert (cat["carryRate"], cat["judgedBy"], cat["requests"]) == (0.9, "lane", {"gray": 10})
    assert [one["path"] for one in cat["lostCalls"]] == ["/eat"]
    assert cat["edges"] == [
        {
            "service": "mouse",
            "version": "v2",
            "calls": {"(none)": 1, "gray": 9},
            "carried": 9,
            "lost": 1,
        }
    ]
    assert cat["callees"] == {"mouse": 0.9}
    assert versions["cat", "v1"]["carryRate"] is None


def test_many_lost_calls_are_listed_in_part(pods, graylane) -> None:
    records = [received("cat-v2", "gray", 0), *(called("cat-v2", "-", 0) for _ in range(80))]
    _, out, _ = listen(graylane, records)
    assert out.count("without a tag, for gray") == 5
    assert "  and 75 more; --output json lists up to 50" in out


def test_what_has_arrived_is_counted_though_ctrl_c_comes_meanwhile(pods, graylane, monkeypatch) -> None:
    read, seen = AccessLog.read, itertools.count(1)

    def interrupted(*arguments):
        if next(seen) == 20:
            signal.raise_signal(signal.SIGINT)
        return read(*arguments)

    monkeypatch.setattr(AccessLog, "read", interrupted)
    monkeypatch.setattr(os, "kill", lambda *ignored: None)  # the sender's own Ctrl-C
    records = [received("cat-v2", "gray", 0), *(called("cat-v2", "-", 0) for _ in range(80))]
    _, out, _ = listen(graylane, records)
    assert "  and 75 more; --output json lists up to 50" in out


def test_records_of_no_pod_of_the_group_are_an_error_that_says_where_to_look(pods, graylane) -> None:
    code, out, err = listen(graylane, [received("x", "gray", 0), {"tag": "gray"}])
    assert (code, out) == (2, "")
    assert "2 records came, and none is of a Pod of the group: docs/carry.md says how to set it up" in err


@pytest.mark.slow
def test_no_access_log_is_an_error(pods, graylane) -> None:
    code, out, err = graylane("carry", "-n", "demo", "--otlp-listen", "127.0.0.1:0", "--window", "1s")
    assert (code, out) == (2, "")
    assert "no access log came to grpc://127.0.0.1:" in err


def test_nothing_that_a_sender_writes_commands_a_terminal(pods, graylane) -> None:
    records = [received("cat-v2", "gray", 0), called("cat-v2", WORST, 0, path=f"/{WORST}")]
    for arguments in ([], ["--output", "json"]):
        _, out, err = listen(graylane, records, *arguments)
        assert harm(out + err) == []


def answer(kind: str, result: Any) -> tuple[int, str]:
    return 200, json.dumps({"status": "success", "data": {"resultType": kind, "result": result}})


def series(*found: tuple[dict[str, str], float]) -> tuple[int, str]:
    return answer("vector", [{"metric": labels, "value": [1, str(count)]} for labels, count in found])


def at(side: str, workload: str) -> dict[str, str]:
    return {f"{side}_workload": workload, f"{side}_workload_namespace": "demo"}


CAT = at("destination", "cat-v2")
HOST = {"destination_service": "mouse-svc.demo.svc.cluster.local"}
CALL = {**at("source", "cat-v2"), **at("destination", "mouse-v2"), **HOST}


def test_prometheus_is_asked_and_its_counts_are_judged(pods, graylane) -> None:
    answers = (
        series(({**CAT, "lane": "gray"}, 1000)),
        series(({**CALL, "lane": "gray"}, 950), ({**CALL, "lane": "none"}, 50.5)),
    )
    with answering(*answers) as server:
        code, out, _ = graylane("carry", "-n", "demo", "--prometheus", server.url, "--window", "1h")
    assert code == 1
    assert "cat" in out.splitlines()[2]
    assert " ".join(out.splitlines()[2].split()) == "cat v2 1000 1000 950 50 94.95 % lane gray"
    assert out.splitlines()[3] == "lost by cat/v2: 50 calls to mouse/v2"
    queries = [body.decode() for _, _, _, body in server.seen]
    assert len(queries) == 2
    assert all("%5B1h%5D" in one for one in queries)


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (series((CAT, 5)), "istio_requests_total has no label lane there: docs/carry.md"),
        (series(), "no request of these Pods in the last 5m there"),
        ((500, "oops"), "HTTP 500, and not Prometheus' JSON"),
        (answer("scalar", [1, "1"]), "instant query for a vector"),
    ],
    ids=["no label", "nothing", "no json", "scalar"],
)
def test_a_prometheus_without_what_is_asked_for_is_an_error(pods, graylane, answered, said: str) -> None:
    with answering(answered) as server:
        code, out, err = graylane("carry", "-n", "demo", "--prometheus", server.url)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "needs one of --prometheus URL and --otlp-listen ADDRESS"),
        (["--prometheus", "http://a", "--otlp-listen", "a:1"], "needs one of"),
        (["--prometheus", "ftp://a"], "--prometheus: "),
        (["--otlp-listen", "https://a:1"], "--otlp-listen: takes HOST:PORT"),
        (["--prometheus", "http://a", "--window", "soon"], "--window: takes a duration such as 30s"),
        (["--prometheus", "http://a", "--window", "10ms"], "--window: takes a second or more"),
        (["--prometheus", "http://a", "--min", "101"], "--min: takes a percentage from 0 to 100, not 101"),
        (["--prometheus", "http://a", "--min", "nan"], "--min: takes a percentage"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_are_said_in_one_line(pods, graylane, arguments: list[str], said: str) -> None:
    code, out, err = graylane("carry", "-n", "demo", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_namespace_without_a_group_is_said(cluster, graylane) -> None:
    code, _, err = graylane("carry", "-n", "demo", "--prometheus", "http://127.0.0.1:1")
    assert code == 2
    assert err == "-n: namespace demo has no group: apply one, or name another namespace\n"


@pytest.mark.parametrize(("address", "package"), [("127.0.0.1:0", "grpc"), ("http://127.0.0.1:0", "google")])
def test_it_says_which_extra_to_install(pods, graylane, monkeypatch, address: str, package: str) -> None:
    for module in [
        name for name in sys.modules if name.startswith("meshconfig.otlp.") or name.split(".")[0] == package
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = graylane("carry", "-n", "demo", "--otlp-listen", address)
    assert code == 2
    assert err == f"graylane: {package} is not installed: pip install 'graylane[carry]'\n"
