"""What the emitter writes, PyYAML reads as the same value."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from meshconfig.render import to_yaml

TRICKY = st.sampled_from(
    """yes no on Off null ~ 1 1e3 0x1f 1:20 .5 .inf 2020-01-01 = << {} [a] &a *a !a %a @a `a | > ' " y N a\\b --- ...
    ? a,b TRUE nUll 1_000 +1 é""".split()
    + ["", " a", "a ", "a: b", "a #b", "- a", "x: ", "a\nb", "\t", "\x00", "\x85", "\u2028", "\ufeff", "\U0001f600"]
)
LONG = st.integers(900, 1200).map(lambda length: "é\\" * (length // 2))
TEXT = st.one_of(TRICKY, LONG, st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8))
SCALARS = st.one_of(TEXT, st.integers(-(2**70), 2**70), st.booleans(), st.none(), st.floats(allow_nan=False))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=12
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(st.lists(st.dictionaries(TEXT, VALUES, min_size=1, max_size=4), max_size=3))
def test_what_is_written_is_read_back(documents):
    assert list(yaml.safe_load_all(to_yaml(documents))) == documents


@pytest.mark.parametrize("word", ["y", "n", "yes", "off", "1.0", "null", "012", "1e3"])
def test_a_word_that_some_yaml_reader_takes_for_something_else_is_quoted(word):
    assert to_yaml([{"k": word}]) == f'---\nk: "{word}"\n'


@pytest.mark.parametrize(
    ("number", "written"),
    [(1e-07, "1.0e-07"), (1e22, "1.0e+22"), (1.5e300, "1.5e+300"), (2.0, "2.0"), (float("-inf"), "-.inf")],
)
def test_a_number_is_one_to_every_yaml_reader(number, written):
    text = to_yaml([{"k": number}])
    assert text == f"---\nk: {written}\n"
    assert yaml.safe_load(text) == {"k": number}
    assert to_yaml([{"k": float("nan")}]) == "---\nk: .nan\n"


def test_a_long_key_is_read_back_in_a_list_too():
    value = {"a": [{"k" * 2000: {"b": [1]}, "c": ["x"]}], "d" * 1500: "e"}
    assert yaml.safe_load(to_yaml([value])) == value


def test_plain_words_are_not_quoted():
    assert to_yaml([{"k": "cat-svc.demo.svc.cluster.local", "p": "/sayHello"}]) == (
        "---\nk: cat-svc.demo.svc.cluster.local\np: /sayHello\n"
    )
