"""Whatever a broker's messages, its metadata and the roster hold: one consumer handles each message, and none ends."""

import json
import logging
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from propagation import ConfigError
from propagation.messaging.lanes import LaneFilter, Present, Roster, Warnings, parse
from propagation.messaging.lanes.kafka_handover import (
    Committed,
    Span,
    Stop,
    View,
    read_spans,
    read_stop,
    write_spans,
    write_stop,
)
from propagation.messaging.lanes.kafka_sides import BaselineSide, LaneSide
from propagation.messaging.lanes.rabbitmq import alive_queue, registered_name

pytestmark = pytest.mark.fuzz

TP = ("orders", 0)
ROSTER = Roster("orders", "kafka", "orders", "prod", {"prod": "orders", "gray": "orders.gray", "blue": "orders.blue"})
FILTERS = [LaneFilter(lane, ROSTER) for lane in ("prod", "gray", "blue")]

# Headers

TAGS = st.sampled_from(["gray", "blue", "prod", "purple", "gray.next", "gray.", "", "a b", "x" * 70_000, "\ud800", "ß"])
VALUES = st.one_of(
    TAGS,
    TAGS.map(lambda tag: tag.encode(errors="replace")),
    TAGS.map(lambda tag: f"env={tag}"),
    st.binary(max_size=20),
    st.text(max_size=20),
    st.sampled_from(
        [None, 3, 1e400, True, b"\xff\xfe", ["gray", "blue"], {"env": "gray"}, "env=gray," * 9999, object()]
    ),
)
NAMES = st.sampled_from(
    ["env", "ENV", b"env", b"\xff\xff\xff", "baggage", b"Baggage", "envv", None, 3, ("env",), "en\udcff"]
)
# What brokers and task queues count by; nothing of it says whose a message is.
COUNTERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["x-death", "x-retry-count", "retries", "redelivered", "ApproximateReceiveCount", "lane", "queue"]
        ),
        st.one_of(st.integers(), TAGS, st.just([{"queue": "orders.gray", "count": 10**30}]), st.binary(max_size=9)),
    ),
    max_size=4,
)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


def mapping(pairs):
    return {name: value for name, value in pairs if name.__hash__}


def raising(error):
    def headers():
        raise error

    return SimpleNamespace(headers=headers)


SHAPES = st.one_of(
    PAIRS,
    PAIRS.map(tuple),
    PAIRS.map(mapping),
    PAIRS.map(lambda pairs: SimpleNamespace(headers=pairs)),
    PAIRS.map(lambda pairs: SimpleNamespace(headers=lambda: pairs)),
    PAIRS.map(lambda pairs: SimpleNamespace(headers=lambda: iter(pairs))),
    st.sampled_from([KeyError("env"), OverflowError(), RecursionError(), OSError(5, "\x1b[2J"), LookupError()]).map(
        raising
    ),
    st.sampled_from([None, 3, "env", b"env", ["env"], [("env",)], [("env", "gray", 1)], [None], {"env"}]),
)


@given(SHAPES)
def test_one_consumer_handles_a_message_whatever_its_headers_are(message):
    assert [one.lane for one in FILTERS if one.handles(message)] in (["prod"], ["gray"], ["blue"])


@given(PAIRS, st.booleans())
def test_a_lane_has_a_message_only_by_a_tag_that_says_so(pairs, as_mapping):
    message = mapping(pairs) if as_mapping else pairs
    (handler,) = [one.lane for one in FILTERS if one.handles(message)]
    if handler != "prod":
        said = repr(
            [value for name, value in pairs if isinstance(name, str | bytes) and name in ("env", "ENV", b"env")]
        )
        said += repr(
            [value for name, value in pairs if isinstance(name, str | bytes) and name in ("baggage", b"Baggage")]
        )
        assert handler in said


@given(PAIRS, COUNTERS, COUNTERS)
def test_what_brokers_count_in_headers_says_nothing_of_the_lane(pairs, before, after):
    lanes = FILTERS[0]
    assert lanes.lane_of([*before, *pairs, *after]) == lanes.lane_of(pairs)


@given(
    st.lists(st.sampled_from(["gray", "blue", "prod"]), min_size=2, max_size=5).filter(lambda tags: len(set(tags)) > 1)
)
def test_tags_that_do_not_agree_are_none(tags):
    assert FILTERS[0].lane_of([("env", tag.encode()) for tag in tags]) is None


# The roster

TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["prod", "gray", "orders", "orders.gray", "\ud800", "a\nb", "\x1b[2J", "x" * 249, "x" * 250, "ß" * 125, ""]
    ),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
LANES = st.one_of(st.dictionaries(TEXT, TEXT, max_size=5), ANYTHING)
CONSUMER = st.fixed_dictionaries(
    {"kind": st.one_of(st.just("kafka"), ANYTHING), "topic": st.one_of(st.just("orders"), TEXT, ANYTHING)},
    optional={
        "lanes": st.one_of(LANES.map(lambda lanes: {"prod": "o", **lanes} if isinstance(lanes, dict) else lanes), LANES)
    },
)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries(
        {"baseline": st.one_of(st.just("prod"), ANYTHING)},
        optional={"consumers": st.one_of(st.dictionaries(TEXT, st.one_of(CONSUMER, ANYTHING), max_size=3), ANYTHING)},
    ),
    ANYTHING,
).map(json.dumps)
BYTES = st.one_of(
    DOCUMENTS.map(str.encode),
    DOCUMENTS.flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end].encode())),  # half written
    DOCUMENTS.map(lambda text: text.encode("utf-16")),
    st.binary(max_size=50),
    st.sampled_from(
        [
            b"[" * 99_999,
            b"9" * 99_999,
            b'{"a":' * 50_000,
            b"\xef\xbb\xbf{}",
            b"baseline: prod\n",
            b"NaN",
            b" " * (1 << 21),
        ]
    ),
)
MANY = json.dumps({"baseline": "prod", "consumers": {"o": {"kind": "kafka", "topic": "o", "lanes": {
    f"l{number}": "g" for number in range(1001)} | {"prod": "o"}}}}).encode()  # fmt: skip
MANY_CONSUMERS = json.dumps({"consumers": dict.fromkeys(map(str, range(99_999)))}).encode()


def read(text, consumer):
    try:
        return parse(text, consumer), ""
    except ConfigError as error:
        return None, str(error)


@given(BYTES, st.none() | TEXT)
@example(MANY, None)
@example(b'{"baseline": "prod", "consumers": {"\\u001f": {"kind": "kafka", "topic": "orders", "lanes": {}}}}', None)
@example(MANY_CONSUMERS, "orders")
@example(MANY_CONSUMERS, None)
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_a_roster_has_names_that_each_client_takes_or_one_line_says_why_not(text, consumer):
    roster, said = read(text, consumer)
    assert said.isprintable()
    assert len(said) < 1500
    if roster is None:
        return
    assert len(roster.names) <= 1001
    for name in (roster.topic, roster.baseline, *roster.names.values()):
        assert name.isprintable()
        assert 0 < len(name.encode()) <= 249


class Clock:
    now = 0.0

    def __call__(self):
        self.now += 100
        return self.now


GOOD = json.dumps(
    {"baseline": "prod", "consumers": {"orders": {"kind": "kafka", "topic": "orders", "lanes": ROSTER.names}}}
)


@given(st.lists(st.one_of(BYTES, st.sampled_from([None, "directory", GOOD.encode()])), max_size=4))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.large_base_example]
)
def test_a_file_that_becomes_anything_leaves_the_last_good_roster(tmp_path, caplog, contents):
    path, clock = tmp_path / "consumers.json", Clock()
    present, good = Present(path, "orders", clock=clock, warnings=Warnings(clock)), None
    caplog.clear()
    for content in contents:
        with suppress(FileNotFoundError):
            path.rmdir() if path.is_dir() else path.unlink()
        if content == "directory":
            path.mkdir()
        elif content is not None:
            path.write_bytes(content)
            with suppress(ConfigError):
                good = parse(content, "orders") if len(content) <= 1 << 20 else good
        with caplog.at_level(logging.WARNING, "propagation.lanes"):
            assert present.read() == good
        assert LaneFilter("gray", present).handles({"env": "gray"}) is bool(good and "gray" in good.names)
    assert all(len(message) < 2500 and message.isprintable() for message in caplog.messages)


# What groups keep beside their offsets

NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([2**63 - 1, 2**63, -1, 10**400, True, None, "7"]))
SPAN = st.one_of(
    st.tuples(NUMBERS, NUMBERS, st.none() | NUMBERS, st.lists(TEXT, max_size=3)),
    st.tuples(st.integers(1, 9), st.integers(0, 99), st.none() | st.integers(0, 99), st.lists(TEXT, max_size=3)),
    ANYTHING,
)
METADATA = st.one_of(
    st.dictionaries(TEXT, st.one_of(st.lists(SPAN, max_size=3), ANYTHING), max_size=3),
    st.tuples(NUMBERS, NUMBERS),
    ANYTHING,
).map(lambda found: "graylane/1 " + json.dumps(found))


def is_number(value):
    return type(value) is int and 0 <= value < 2**63


@given(METADATA)
@example('graylane/1 {"orders.gray":[[1,Infinity,null,["gray"]]]}')
@example("graylane/1 [Infinity,1e999]")
def test_forged_metadata_holds_what_clients_take_or_nothing(metadata):
    for group, listed in read_spans(metadata).items():
        group.encode()
        assert all(is_number(span.number) and is_number(span.start) for span in listed)
        assert all(span.end is None or is_number(span.end) for span in listed)
    stop = read_stop(metadata)
    assert stop is None or (is_number(stop.number) and is_number(stop.at))


@given(METADATA, METADATA, st.integers(0, 120), st.sampled_from(["gray", "blue", None]))
def test_sides_go_on_with_forged_metadata(of_baseline, of_lane, offset, lane):
    left = {TP: read_spans(of_baseline)}
    view = View(ROSTER, {"orders.gray": True}, left, {"orders.gray": {TP: Committed(3, of_lane)}})
    baseline, gray = BaselineSide(), LaneSide("orders.gray")
    baseline.assigned(TP, Committed(5, of_baseline), 9)
    gray.refresh(view)
    gray.assigned(TP, Committed(3, of_lane))
    for side in (baseline, gray):
        side.refresh(view)
        verdict = side.decide(TP, offset, lane)
        assert is_number(verdict.offset)
        for one in side.to_commit().values():
            assert is_number(one.offset)
            one.metadata.encode()


@given(st.lists(st.builds(Span, st.integers(1, 9), st.integers(0, 2**63 - 1), st.none(), st.tuples(TEXT)), max_size=2))
def test_what_graylane_wrote_is_read(listed):
    spans = {"orders.gray": tuple(listed)} if listed else {}
    with suppress(UnicodeEncodeError):
        "".join(lane for span in listed for lane in span.lanes).encode()
        assert read_spans(write_spans(spans)) == spans
    assert read_stop(write_stop(Stop(1, 2**63 - 1))) == Stop(1, 2**63 - 1)


# RabbitMQ's register of lanes' queues


@given(
    st.one_of(
        st.binary(max_size=300), st.text(max_size=300), st.sampled_from([b"", "x" * 249, "x" * 250, "\ud800", None])
    )
)
def test_a_register_gives_names_that_amqp_takes(body):
    name = registered_name(body, Warnings())
    assert name is None or 0 < len(name.encode()) < len(alive_queue(name).encode()) <= 255
