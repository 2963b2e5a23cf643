"""The proof under load is worth what its judge and its generator are: each kind of loss and of mixing is seen."""

import socket
import socketserver
import threading
import time
from dataclasses import replace

import load
import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_judge import FAILED, FINE, MIXED, Step, judge, table, total, verdict, wrong
from load_world import CHAIN, TAGS, World, everywhere

OLD = World(("v1", "v2"), {"prod": everywhere("v1"), "gray": everywhere("v2")})
NEW = World(("v1", "v2"), {"prod": everywhere("v2"), "gray": everywhere("v2")})
CHANGE = Step("takeover", 10.0, 20.0, OLD.allowed(), NEW.allowed())


def chain(*versions):
    return tuple(zip(CHAIN, versions, strict=False))


def sent(*versions, tag="", at=15.0, took=0.1, status=200, error=""):
    return load.Sent(tag, at, at + took, status, chain(*versions), error)


def judged(*requests, steps=(CHANGE,)):
    return total(judge(requests, steps))


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (sent("v1", "v1", "v1"), (FINE, "")),
        (sent("v2", "v2", "v2", tag="gray"), (FINE, "")),
        (sent("v1", "v1", "v2"), (MIXED, "env: - got v1 v1 v2")),
        (sent("v1", "v1", "v1", tag="gray"), (MIXED, "env: gray got v1 v1 v1")),
        (sent("v1", "v1"), (MIXED, "env: - got v1 v1")),
        (sent(status=503), (FAILED, "status 503")),
        (sent(status=0, error="timeout"), (FAILED, "timeout")),
        (sent(status=0, error="kept connection closed"), (FAILED, "kept connection closed")),
        (sent(), (FAILED, "a hop did not answer")),
        (replace(sent("v1"), chain=(("cat", "v1"), (None, None))), (FAILED, "a hop did not answer")),
    ],
)
def test_each_kind_of_loss_and_of_mixing_is_told(one, expected):
    assert verdict(one, OLD.allowed()) == expected


@given(st.lists(st.sampled_from(["v1", "v2", "v3"]), min_size=3, max_size=3), st.sampled_from(TAGS))
def test_while_a_change_goes_on_a_whole_old_or_a_whole_new_chain_is_right_and_no_half(versions, tag):
    whole = {"": ({"v1"}, {"v2"}), "gray": ({"v2"},), "blue": ({"v1"}, {"v2"})}[tag]
    assert judged(sent(*versions, tag=tag)).mixed == (set(versions) not in whole)


def test_before_a_change_the_new_is_wrong_and_after_it_the_old():
    before, after = sent("v2", "v2", "v2", at=5), sent("v1", "v1", "v1", at=25)
    assert (judged(before).mixed, judged(after).mixed) == (1, 1)
    assert judged(sent("v1", "v1", "v1", at=5), sent("v2", "v2", "v2", at=25)).mixed == 0


def test_a_request_that_touches_the_change_may_have_either():
    late, early = sent("v1", "v1", "v1", at=19.9, took=3), sent("v2", "v2", "v2", at=9.9, took=1)
    assert judged(late, early).mixed == 0


def test_a_split_gives_whole_lanes_and_weights_give_versions_of_their_service_alone():
    split, weights = replace(OLD, split={"gray": 10, "prod": 90}), replace(OLD, weights={"v1": 1, "v2": 1})
    assert split.allowed()[""] == {chain("v1", "v1", "v1"), chain("v2", "v2", "v2")}
    assert weights.allowed()[""] == {chain("v1", "v1", "v1"), chain("v2", "v1", "v1")}
    assert replace(OLD, split={"gray": 0, "prod": 90}).allowed()[""] == {chain("v1", "v1", "v1")}


def test_a_lane_with_a_hole_has_the_baseline_there():
    holed = replace(OLD, lanes={**OLD.lanes, "blue": {"cat": "v2", "dog": "v2"}})
    assert holed.allowed()["blue"] == {chain("v2", "v1", "v2")}


def test_the_table_counts_each_step_s_requests_and_says_what_went_wrong():
    second = Step("back", 30.0, 40.0, NEW.allowed(), OLD.allowed())
    rows = judge([sent("v1", "v1", "v1"), sent(status=503, at=25), sent("v2", "v1", "v1", at=35)], [CHANGE, second])
    assert [(row.name, row.sent, row.failed, row.mixed) for row in rows] == [("takeover", 2, 1, 0), ("back", 1, 0, 1)]
    text = table("a title", rows)
    assert "1 × status 503" in text
    assert "1 × env: - got v2 v1 v1" in text
    assert wrong(rows).splitlines() == [
        "  in 'takeover': 1 × status 503",
        "  in 'back': 1 × env: - got v2 v1 v1",
    ]


GOOD = b'{"chain": [{"service": "cat", "env": "v1"}]}'

LOST = (
    b'{"chain": [{"service": "cat", "env": "v1"}, '
    b'{"service": null, "url": "http://mouse", "status": 503, "error": "no healthy upstream"}]}'
)


class Handler(socketserver.BaseRequestHandler):
    """Answers, or does what the request's tag asks for."""

    def handle(self):
        for number in range(1000):
            asked = self.request.recv(4096)
            if not asked or (b"env: gray" in asked and number):
                return
            if b"env: mute" in asked:
                time.sleep(1)
                return
            status = b"503 Service Unavailable" if b"env: blue" in asked else b"200 OK"
            body = LOST if b"env: lost" in asked else b"[]" if b"env: junk" in asked else GOOD
            length = len(body) + 5 * (b"env: short" in asked)
            self.request.sendall(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, length, body))
            if b"env: short" in asked:
                return


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


@pytest.fixture
def address():
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tags", "status", "error"),
    [
        (["", ""], 200, ""),
        (["blue"], 503, 'status 503: {"chain": [{"service": "cat", "env": "v1"}]}'),
        (["lost"], 200, "http://mouse: 503 no healthy upstream"),
        (["junk"], 200, "an answer that is no chain"),
        (["", "gray"], 0, "kept connection closed"),
        (["mute"], 0, "timeout"),
        (["short"], 0, "cut off"),
    ],
)
def test_what_became_of_a_request_is_recorded(address, tags, status, error):
    client = load.Client(address, "cat.example.com", "/", timeout=0.3)
    *_, last = [client.ask(tag) for tag in tags]
    assert (last.status, last.error) == (status, error)
    assert last.chain[:1] == ((("cat", "v1"),) if status == 200 and "junk" not in tags else ())
    assert verdict(last, {tags[-1]: frozenset([(("cat", "v1"),)])}) == ((FAILED, error) if error else (FINE, ""))
    assert client.ask("").status == 200  # the client goes on
    client.close()


def test_a_gateway_that_is_not_there_refuses():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert load.Client(f"127.0.0.1:{taken.getsockname()[1]}", "x", "/").ask("").error == "refused"


def test_the_generator_sends_each_tag_in_turn_and_ends_with_the_block(address, tmp_path):
    out = tmp_path / "requests.jsonl"
    with load.load(address, "cat.example.com", TAGS, out, seconds=30, rate=200) as process:
        while load.count_ended(out) < 40:
            assert process.poll() is None
            time.sleep(0.02)
    found = load.read(out)
    assert process.returncode == 0
    assert {one.status for one in found if one.tag != "gray"} == {200, 503}
    number = {tag: sum(one.tag == tag for one in found) for tag in set(TAGS)}
    assert abs(number[""] - 2 * number["gray"]) <= 2
    assert abs(number["gray"] - number["blue"]) <= 1


def test_the_generator_stops_by_itself(address, tmp_path):
    out = tmp_path / "requests.jsonl"
    with load.load(address, "cat.example.com", ("",), out, seconds=0.5, rate=100) as process:
        assert process.wait(20) == 0
    assert 1 <= len(load.read(out)) <= 50
