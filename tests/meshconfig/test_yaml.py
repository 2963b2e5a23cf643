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
TEXT = st.one_of(TRICKY, st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8))
SCALARS = st.one_of(TEXT, st.integers(-(2**70), 2**70), st.booleans(), st.none(), st.floats(-1e9, 1e9, width=32))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=12
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.dictionaries(TEXT, VALUES, min_size=1, max_size=4), max_size=3))
def test_what_is_written_is_read_back(documents):
    assert list(yaml.safe_load_all(to_yaml(documents))) == documents


@pytest.mark.parametrize("word", ["y", "n", "yes", "off", "1.0", "null", "012", "1e3"])
def test_a_word_that_some_yaml_reader_takes_for_something_else_is_quoted(word):
    assert to_yaml([{"k": word}]) == f'---\nk: "{word}"\n'


def test_plain_words_are_not_quoted():
    assert to_yaml([{"k": "cat-svc.demo.svc.cluster.local", "p": "/sayHello"}]) == (
        "---\nk: cat-svc.demo.svc.cluster.local\np: /sayHello\n"
    )
