"""Reading headers: which of several values counts, and what of `baggage` is looked at."""

import logging
import tracemalloc
from email.message import Message
from typing import Any

import httpx
import pytest
from opentelemetry import baggage

from propagation import PropagationConfig, extract, get, inject, rejections, use

TWO_NAMES = PropagationConfig(key_names={"env": ("env", "x-env")})
LISTED = PropagationConfig(allowed_values={"env": {"prod", "gray"}})


def read(headers, config=None):
    return get("env", extract(headers, config=config))


@pytest.mark.parametrize(
    "headers",
    [
        {"env": "gray"},
        {"Env": "gray"},
        {"ENV": b"gray"},
        {"eNv": ["gray"]},
        {"env": " gray\t"},
        [("env", "gray")],
        [(b"env", b"gray"), (b"env", b"gray")],
        (("env", "gray"),),
        httpx.Headers([("Env", "gray"), ("env", "gray")]),
        {"baggage": "env=gray"},
        {"Baggage": "a=1, env = gray ;ttl=5 , b=2"},
        {"baggage": "env=gr%61y"},
        [("baggage", "a=1"), ("BAGGAGE", "env=gray")],
        {"env": "gray", "baggage": "env=prod"},
        [("baggage", "env=gray"), ("baggage", "env=gray")],
    ],
)
def test_gray_is_read(headers):
    assert read(headers) == "gray"


def test_gray_is_read_from_a_message():
    message = Message()
    message["Env"] = "gray"
    assert read(message) == "gray"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-env": "gray"},
        {"baggage": "ENV=gray"},
        {"baggage": "env"},
        {"baggage": ";env=gray"},
        [("env", "gray"), ("ENV", "prod")],
        [("env", "gray"), ("env", "")],
        {"baggage": "env=gray,env=prod"},
        [("baggage", "env=gray"), ("baggage", "env=prod")],
        {"env": "gray,prod"},
        {"env": "gr%61y"},
        {"baggage": "env=gray+next"},
        {"baggage": 'env="gray"'},
        {"baggage": "env=gr%zzy"},
        {"baggage": "env=%ff"},
    ],
)
def test_these_are_untagged(headers):
    assert read(headers) is None


def test_the_header_decides_before_baggage_and_the_first_wire_name_before_the_second():
    assert read({"x-env": "gray", "env": "prod", "baggage": "env=blue"}, TWO_NAMES) == "prod"
    assert read({"x-env": "gray", "baggage": "env=blue"}, TWO_NAMES) == "gray"
    assert read({"baggage": "env=blue"}, TWO_NAMES) == "blue"
    assert read({"env": "a b", "x-env": "gray", "baggage": "env=blue"}, TWO_NAMES) is None


def test_no_more_than_64_members_are_looked_at():
    many = [f"k{number}=v" for number in range(63)]
    assert read({"baggage": ",".join([*many, "env=gray"])}) == "gray"
    assert read({"baggage": ",".join([*many, "k=v", "env=gray"])}) is None
    assert read([("baggage", ",".join(many)), ("baggage", "k=v,env=gray")]) is None


def test_no_more_than_8192_bytes_are_looked_at_over_all_headers():
    assert read({"baggage": f"a={'x' * 8185},env=gray"}) is None
    assert read([("baggage", f"a={'x' * 8000}"), ("baggage", f"b={'x' * 300}"), ("baggage", "env=gray")]) is None
    assert read({"baggage": f"a={'x' * 8000},env=gray"}) == "gray"
    # What the limit cuts in the middle is no value: not "gra", not "gray" of "gray2".
    assert read({"baggage": f"a={'x' * 8181},env=gray2"}) is None


def test_past_the_limits_the_plain_header_still_works_and_our_member_is_written_first():
    context = extract({"env": "gray", "baggage": ",".join(f"k{number}={'x' * 100}" for number in range(500))})
    assert get("env", context) == "gray"
    sent = inject({}, context=context)
    assert sent["env"] == "gray"
    assert sent["baggage"].startswith("env=gray,k0=")
    assert len(sent["baggage"]) <= 8192 + len("env=gray,")


@pytest.mark.parametrize("header", ["env", "baggage"])
def test_what_is_past_the_limits_is_not_even_split(header):
    headers = [(header, "," * 4_000_000), (header, "a=b," * 1_000_000)]
    read(headers)
    tracemalloc.start()
    read(headers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # bytes, for 8 MB of input


def test_a_generation_is_part_of_the_tag_but_not_of_what_code_sees():
    context = extract({"env": "gray.next"}, config=LISTED)
    assert get("env", context) == "gray"
    assert baggage.get_baggage("env", context) == "gray.next"
    assert inject({}, context=context) == {"env": "gray.next", "baggage": "env=gray.next"}


@pytest.mark.parametrize("value", ["gray.", ".next", ".", "blue", "blue.next", "x" * 65, f"gray.{'x' * 60}"])
def test_a_tag_of_another_grammar_or_an_unlisted_lane_is_untagged(value):
    assert read({"env": value}, LISTED) is None


def test_only_the_tag_has_generations():
    config = PropagationConfig(remote_fields=("x-request-id", "env"), allowed_values={"x-request-id": {"a.b"}})
    context = extract({"env": "gray.next", "X-Request-Id": "a.b"}, config=config)
    assert (get("env", context), get("x-request-id", context)) == ("gray", "a.b")
    lane = PropagationConfig(remote_fields=("lane", "tenant"))
    context = extract({"lane": "gray.next", "tenant": "acme.com"}, config=lane)
    assert (get("lane", context), get("tenant", context)) == ("gray", "acme.com")


HOSTILE = {
    "CR": b"gray\r\nx: y",
    "LF": b"gray\n",
    "NUL": b"gray\x00",
    "not UTF-8": b"\xff\xfe",
    "1 MB": b"x" * 2**20,
    "empty": b"",
    "unlisted": b"blue",
    "not ASCII": "grün".encode(),
    "digits of another script": "gray٣".encode(),
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize(
    "shape", [bytes, lambda value: value.decode("latin-1"), lambda value: value.decode("utf-8", "replace")]
)
def test_hostile_values_are_untagged_and_counted(value, shape, monkeypatch):
    fresh = rejections.Rejections()
    monkeypatch.setattr(rejections, "REJECTED", fresh)
    assert read([("env", shape(value))], LISTED) is None
    assert fresh.counts.total() == 1
    assert [field for field, _ in fresh.counts] == ["env"]


def test_a_hostile_value_also_takes_away_what_was_there():
    with use(env="prod"):
        assert read({"env": "a b"}) is None


def test_hostile_values_are_logged_once_a_minute_and_cannot_forge_a_line(monkeypatch, caplog):
    now = [1000.0]
    monkeypatch.setattr(rejections, "monotonic", lambda: now[0])
    fresh = rejections.Rejections()
    monkeypatch.setattr(rejections, "REJECTED", fresh)
    with caplog.at_level(logging.WARNING, "propagation"):
        for _ in range(100):
            read({"env": "a\r\nfake log line"})
        now[0] += 59
        read({"env": "a b"})
        now[0] += 1
        read({"env": ["gray", "prod"]})
    assert [record.getMessage() for record in caplog.records] == [
        r"dropped env: malformed value 'a\r\nfake log line' (1 dropped since the start)",
        "dropped env: conflict value 'gray' (102 dropped since the start)",
    ]
    assert fresh.counts == {("env", "malformed"): 101, ("env", "conflict"): 1}


def test_the_sdk_counts_what_was_dropped(monkeypatch):
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    counter = provider.get_meter("propagation").create_counter("propagation.rejected")
    monkeypatch.setattr(rejections, "_counter", lambda: counter)
    read({"env": "a b"})
    point: Any = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]
    assert (point.value, dict(point.attributes)) == (1, {"field": "env", "reason": "malformed"})
    provider.shutdown()


def test_an_edge_drops_what_comes_in():
    edge = PropagationConfig(trust_inbound=False)
    context = extract({"env": "gray", "baggage": "env=gray,user=alice"}, config=edge)
    assert get("env", context) is None
    assert inject({}, context=context) == {}


def test_baggage_off_reads_the_plain_header_alone():
    off = PropagationConfig(baggage="off")
    assert read({"baggage": "env=gray"}, off) is None
    context = extract({"env": "gray", "baggage": "user=alice"}, config=off)
    assert inject({}, context=context) == {"env": "gray"}


def test_headers_that_say_nothing_leave_the_context_as_it_is():
    with use(env="gray") as context:
        assert extract({"accept": "*/*"}) is context
