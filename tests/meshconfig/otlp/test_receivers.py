"""Records come by gRPC and by HTTP; who sends faster than they are read waits, and is then told to retry."""

import http.client
import threading
import time
from collections.abc import Iterator

import pytest
from otlp_sender import by_grpc, by_http, message, pair

from meshconfig.errors import GraylaneError
from meshconfig.otlp import Intake, Listen, LogRecord, listening
from meshconfig.otlp.decode import decode
from meshconfig.otlp.intake import LARGEST

ONE = message([{"tag": "gray", "time": "1.5"}], node="sidecar~a")
READ = LogRecord(1.5, {"node": "sidecar~a", "tag": "gray"})


class Receiver:
    """Both receivers with one intake."""

    def __init__(self, intake: Intake, grpc: Listen, http: Listen) -> None:
        self.intake, self.grpc, self.http = intake, grpc.address, http.address


def receiver(**settings: float) -> Iterator[Receiver]:
    intake = Intake(**settings)  # type: ignore[arg-type]
    asked = [Listen.parse("127.0.0.1:0"), Listen.parse("http://127.0.0.1:0")]
    with listening(asked, intake) as (grpc, http):
        yield Receiver(intake, grpc, http)


@pytest.fixture(scope="module")
def open_() -> Iterator[Receiver]:
    yield from receiver()


@pytest.fixture
def full() -> Iterator[Receiver]:
    """One with a message that nobody reads, and no room for another."""
    for one in receiver(most_bytes=len(ONE.SerializeToString()) + 1, patience=0.1):
        assert by_grpc(one.grpc, ONE) == "OK"
        yield one


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
def test_records_come_with_the_attributes_of_their_resource(open_: Receiver, zipped: bool) -> None:
    assert by_grpc(open_.grpc, ONE, zipped=zipped) == "OK"
    assert open_.intake.take(5) == [READ]
    status, body, headers = by_http(open_.http, ONE.SerializeToString(), zipped=zipped)
    assert (status, body, headers["content-type"]) == (200, b"", "application/x-protobuf")
    assert open_.intake.take(5) == [READ]


def test_values_become_text_and_what_is_no_simple_value_is_left_out() -> None:
    sent = message([{}])
    record = sent.resource_logs[0].scope_logs[0].log_records[0]
    record.attributes.extend([pair("code", 200), pair("share", 0.5), pair("ok", True), pair("long", "x" * 100_000)])
    record.attributes.add(key="list").value.array_value.SetInParent()
    (read,) = decode(sent.SerializeToString())
    assert {**read.attributes, "long": len(read.attributes["long"])} == {
        "code": "200",
        "share": "0.5",
        "ok": "true",
        "long": 8192,
    }


def test_what_is_no_message_is_refused_for_good(open_: Receiver) -> None:
    with pytest.raises(ValueError, match="not an ExportLogsServiceRequest"):
        decode(b"\xff\xff")
    assert by_http(open_.http, b"\xff\xff")[0] == 400
    assert open_.intake.take(0) == []


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (404, {"path": "/v1/traces"}),
        (415, {"headers": {"content-type": "application/json"}}),
        (415, {"headers": {"content-encoding": "br"}}),
        (400, {"headers": {"content-encoding": "gzip"}}),
        (413, {"headers": {"content-length": str(LARGEST + 1)}}),
        (413, {"headers": {"content-length": "9" * 5000}}),
        (413, {"body": b"\0" * (LARGEST + 1), "zipped": True}),
    ],
    ids=["path", "type", "encoding", "no-gzip", "long", "digits", "zipped-bomb"],
)
def test_requests_of_another_form_are_refused(open_: Receiver, status: int, request_: dict[str, object]) -> None:
    body = request_.pop("body", ONE.SerializeToString())
    assert by_http(open_.http, body, **request_)[0] == status  # type: ignore[arg-type]
    assert open_.intake.take(0) == []


def test_a_request_without_its_length_is_refused(open_: Receiver) -> None:
    connection = http.client.HTTPConnection(open_.http, timeout=20)
    connection.putrequest("POST", "/v1/logs")
    connection.putheader("content-type", "application/x-protobuf")
    connection.endheaders()
    assert connection.getresponse().status == 411
    connection.close()


def test_a_message_that_is_too_large_is_refused_by_grpc(open_: Receiver) -> None:
    large = message([{"tag": "x" * (LARGEST + 1)}])
    assert by_grpc(open_.grpc, large) == "RESOURCE_EXHAUSTED"
    assert by_grpc(open_.grpc, large, zipped=True) == "RESOURCE_EXHAUSTED"


def test_without_room_a_sender_is_told_to_retry(full: Receiver) -> None:
    assert by_grpc(full.grpc, ONE) == "UNAVAILABLE"
    status, _, headers = by_http(full.http, ONE.SerializeToString())
    assert (status, headers["retry-after"]) == (503, "1")
    assert full.intake.refused == 2
    assert full.intake.take(0) == [READ]
    assert by_grpc(full.grpc, ONE) == "OK"


def test_a_sender_waits_for_room() -> None:
    intake = Intake(most_bytes=10, patience=3600)
    assert intake.offer([READ], 10)
    done: list[bool] = []
    sender = threading.Thread(target=lambda: done.append(intake.offer([READ], 10)), daemon=True)
    sender.start()
    assert intake.take(60) == [READ]
    sender.join(60)
    assert done == [True]
    assert intake.take(0) == [READ]


def test_a_message_larger_than_all_room_is_taken_when_nothing_waits() -> None:
    intake = Intake(most_bytes=10, patience=0)
    assert intake.offer([READ], 100)
    assert not intake.offer([READ], 1)
    assert intake.take(0) == [READ]


def test_reading_ends_at_its_time() -> None:
    intake = Intake()
    intake.offer([READ], 1)
    assert intake.until(time.monotonic() + 60) == [READ]
    assert intake.until(time.monotonic() - 1) is None


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_an_address_that_is_taken_is_an_error(open_: Receiver, scheme: str) -> None:
    taken = Listen.parse(f"{scheme}://{open_.grpc}")
    with pytest.raises(GraylaneError, match=f"cannot listen on {scheme}://{open_.grpc}"), listening([taken], Intake()):
        pass


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("127.0.0.1:4000", "grpc://127.0.0.1:4000"),
        ("localhost", "grpc://localhost:4317"),
        ("http://0.0.0.0", "http://0.0.0.0:4318"),
        ("grpc://[::1]:0", "grpc://[::1]:0"),
    ],
)
def test_addresses_are_read(text: str, read: str) -> None:
    assert str(Listen.parse(text)) == read


@pytest.mark.parametrize(
    "text", ["", ":4317", "https://a:1", "a:x", "a:70000", "http://a/v1/logs", "u@a:1", "http://[::1"]
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="takes HOST:PORT"):
        Listen.parse(text)
