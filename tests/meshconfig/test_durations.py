"""One grammar of durations: the parser, the JSON Schema and the fields of a spec agree on it."""

import re
from fractions import Fraction

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from meshconfig.cli.schema import json_schema
from meshconfig.duration import seconds, written
from meshconfig.local.values import duration as as_envoy_reads
from meshconfig.spec.duration import Duration, DurationOrZero, IstioDuration, IstioDurationOrZero

TYPES = {"Duration": Duration, "OrZero": DurationOrZero, "Istio": IstioDuration, "IstioOrZero": IstioDurationOrZero}
ADAPTERS = {name: TypeAdapter(one) for name, one in TYPES.items()}
SIZES = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600), "d": Fraction(86400)}

NUMBERS = st.from_regex(r"(0|[0-9]{1,6}|[0-9]{1,3}\.[0-9]{1,6}|[0-9]{1,40})", fullmatch=True, alphabet="0123456789.")
PARTS = st.tuples(NUMBERS, st.sampled_from(list(SIZES))).map("".join)
LEGAL = st.lists(PARTS, min_size=1, max_size=4).map("".join)
# A trailing line end is left out: Python's `$` allows one, that of JSON Schema does not.
NEARLY = st.text("0123456789.-+ mshdµne٣", max_size=8) | st.builds("".join, st.lists(PARTS | st.just("m"), max_size=3))


def meant(text):
    """The seconds, told without the product's code; None where it is no duration."""
    if not re.fullmatch(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhd]))+", text):
        return None
    return sum(Fraction(number) * SIZES[unit] for number, unit in re.findall(r"([0-9.]+)([a-z]+)", text))


def taken(name, value):
    try:
        return ADAPTERS[name].validate_python(value)
    except ValidationError:
        return None


def legal(name, value):
    schema = ADAPTERS[name].json_schema()
    return jsonschema.Draft202012Validator(schema).is_valid(value)


@given(LEGAL | NEARLY, st.sampled_from(list(TYPES)))
@example("0s", "Duration")
@example("0s", "OrZero")
@example("0.0001ms", "Duration")
@example("366d", "Duration")
@example("366d1ms", "Istio")
@example("5mm", "Duration")
@example("-5s", "Istio")
@example("", "Duration")
@example("9" * 400 + "h", "OrZero")
@example("1e3s", "Duration")
@example(" 5s", "Istio")
def test_parser_schema_and_meaning_agree(text, name):
    found = meant(text)
    in_grammar = found is not None and (found > 0 or name.endswith("OrZero"))
    in_bounds = found is not None and (found == 0 or Fraction(1, 1000) <= found <= 366 * 86400)
    assert legal(name, text) is in_grammar
    assert (taken(name, text) is not None) is (in_grammar and in_bounds)


@given(LEGAL)
def test_what_is_taken_is_what_is_meant(text):
    value = taken("OrZero", text)
    if value is not None:
        assert abs(Fraction(value) - meant(text)) <= Fraction(1, 2000) + Fraction(1, 10**8)
        assert seconds(written(value)) == value


@given(LEGAL)
def test_istio_gets_the_text_as_it_was_written_or_the_same_time_without_days(text):
    value = taken("IstioOrZero", text)
    if value is None:
        return
    if "d" not in text:
        assert value == text
    assert "d" not in value
    assert abs(meant(value) - meant(text)) <= Fraction(1, 2000)
    assert Fraction(as_envoy_reads(value).rstrip("s")) == pytest.approx(float(meant(value)), abs=1e-9)


@pytest.mark.parametrize("value", [30, 1.5, None, True, ["30s"], {}, "30", "30 s"])
@pytest.mark.parametrize("name", TYPES)
def test_what_is_no_text_with_units_is_refused_in_one_line(name, value):
    with pytest.raises(ValidationError) as refused:
        ADAPTERS[name].validate_python(value)
    (error,) = refused.value.errors()
    assert error["msg"].startswith("Value error, takes a duration such as 30s, 5m or 1h30m, not")
    assert not legal(name, value)


@pytest.mark.parametrize(
    ("text", "said"), [("367d", "367d"), ("0.5ms", "0.5ms"), ("0h", "0"), ("1" + "0" * 400 + "s", "1" + "0" * 400)]
)
def test_what_is_too_long_or_too_short_is_told_with_the_bounds(text, said):
    with pytest.raises(ValidationError, match=f"takes a duration from 1ms to 366d, not {said}"):
        ADAPTERS["Duration"].validate_python(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1m30s", "90s"),
        ("1500us", "0.0015s"),
        ("1.h", "3600s"),
        (".5s", "0.5s"),
        ("2µs", "0.000002s"),
        ("10ns1s", None),
    ],
)
def test_what_others_wrote_into_istios_resources_is_read_as_go_reads_it(text, read):
    assert as_envoy_reads(text) == (read or "1.00000001s")


@pytest.mark.parametrize("text", ["5mm", "-5s", "1d", "", "s", ".s", "1", "1 s"])
def test_what_go_refuses_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        as_envoy_reads(text)


ROLLOUT = """
apiVersion: graylane/v1
kind: Rollout
metadata: {name: pets, namespace: demo}
spec:
  group: pets
  services: {cat: {from: v1, to: v2}}
  steps: [{weight: 10, pause: {for: 1d}}, {weight: 100}]
  keepOld: 0s
"""


@pytest.mark.parametrize(
    ("old", "new", "valid"), [("1d", "1.5d", True), ("1d", "0s", False), ("keepOld: 0s", "keepOld: 5", False)]
)
def test_the_schema_for_editors_holds_the_grammar(old, new, valid):
    check = jsonschema.Draft202012Validator(json_schema())
    assert check.is_valid(yaml.safe_load(ROLLOUT))
    assert check.is_valid(yaml.safe_load(ROLLOUT.replace(old, new))) is valid
