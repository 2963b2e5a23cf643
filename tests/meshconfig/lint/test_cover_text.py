"""Sets of strings: one within another is never claimed wrongly, and what a person would see is seen."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshconfig.istio import StringMatch
from meshconfig.istio.strings import compiled, matches
from meshconfig.lint.shadowing.regex import before_anything, head, literals
from meshconfig.lint.shadowing.text import texts, within

PIECES = [
    "a",
    "b",
    "ab",
    "",
    ".",
    ".*",
    ".+",
    "a.*",
    "b?",
    "[ab]",
    "(a|b)",
    "a|b",
    "^",
    "$",
    "(?:ab)?",
    "\\.",
    "\\w",
    "(?i)a",
]
PIECES += [
    "(.*,)?",
    "\\s*",
    "([;,].*)?",
    "a{2}",
    "\\Qa.*\\E",
    "[^]a]",
    "[.*]",
    "\\|",
    "x",
    "\\x61",
    "a*",
    "|",
    "(",
    ")",
]
WORDS = st.text("abAB.,x", max_size=5)
REGEXES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join).filter(compiled)
MATCHES = st.one_of(
    WORDS.map(lambda text: StringMatch(exact=text)),
    WORDS.map(lambda text: StringMatch(prefix=text)),
    REGEXES.map(lambda text: StringMatch(regex=text)),
    st.just(StringMatch()),
)


def fulfils(match: StringMatch, value: str, fold: bool) -> bool:
    if not fold or match.regex is not None:
        return matches(match, value)
    lower = StringMatch(
        exact=match.exact.lower() if match.exact is not None else None,
        prefix=match.prefix.lower() if match.prefix is not None else None,
    )
    return matches(lower, value.lower())


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(MATCHES, MATCHES, st.lists(WORDS, max_size=12), st.booleans(), st.booleans())
@example(StringMatch(exact="a"), StringMatch(regex="a|b.*"), ["a"], False, False)
@example(StringMatch(prefix="b"), StringMatch(regex="a|b.*"), ["bx"], False, False)
@example(StringMatch(regex="a?.*"), StringMatch(prefix="a"), ["b"], False, False)
@example(StringMatch(prefix="a"), StringMatch(prefix="a"), ["A"], True, False)
@example(StringMatch(prefix="a"), StringMatch(regex="$.*"), ["a"], False, False)
@example(StringMatch(prefix="a"), StringMatch(regex=r"a\b.*"), ["b"], False, False)
def test_what_is_within_fulfils_the_outer_one_too(inner, outer, values, fold_inner, fold_outer):
    if not within(texts(inner, fold=fold_inner), texts(outer, fold=fold_outer)):
        return
    own = [inner.exact, inner.prefix, *([inner.prefix + one for one in values] if inner.prefix else ())]
    for value in [*values, *(one for one in own if one is not None)]:
        if fulfils(inner, value, fold_inner):
            assert fulfils(outer, value, fold_outer), value


GRAY = StringMatch(exact="gray")


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (GRAY, StringMatch(prefix="gr")),
        (GRAY, StringMatch(regex="gr.*")),
        (GRAY, StringMatch(regex="gray|blue")),
        (GRAY, StringMatch(regex="(?i)GRAY")),
        (GRAY, StringMatch()),
        (GRAY, StringMatch(regex=".*")),
        (StringMatch(prefix="gray"), StringMatch(prefix="gr")),
        (StringMatch(prefix="gray"), StringMatch(regex="gr.*")),
        (StringMatch(prefix="gray"), StringMatch(regex="g[a-z].*")),
        (StringMatch(prefix="gray"), StringMatch(regex="^gr.*$")),
        (StringMatch(prefix="gray"), StringMatch(regex="(g.+)")),
        (StringMatch(prefix="gray"), StringMatch(regex=".+")),
        (StringMatch(prefix="gray"), StringMatch()),
        (StringMatch(regex="gray-[0-9]+"), StringMatch(prefix="gray")),
        (StringMatch(regex="gray-[0-9]+"), StringMatch(regex="gray.*")),
        (StringMatch(regex="gray-[0-9]+"), StringMatch(regex=".*")),
        (StringMatch(regex="^(gray|blue)$"), StringMatch(regex="gray|blue|green")),
        (StringMatch(regex="gray\\.v1"), StringMatch(exact="gray.v1")),
        (StringMatch(), StringMatch(regex=".*")),
    ],
)
def test_the_wider_one_is_seen(inner, outer):
    assert within(texts(inner), texts(outer))
    assert texts(inner) == texts(outer) or not within(texts(outer), texts(inner))


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (GRAY, StringMatch(exact="grey")),
        (GRAY, StringMatch(regex="gra")),
        (GRAY, StringMatch(regex="ray")),
        (GRAY, StringMatch(regex="*")),
        (StringMatch(prefix="gray"), GRAY),
        (StringMatch(prefix="gray"), StringMatch(regex="gray|blue.*")),
        (StringMatch(prefix="gray"), StringMatch(regex="gray\\.*")),
        (StringMatch(), StringMatch(regex=".+")),
        (StringMatch(), StringMatch(prefix="a")),
        (StringMatch(regex="gray|b.*"), StringMatch(prefix="gray")),
        (GRAY, StringMatch(regex="(")),
        (GRAY, StringMatch.model_validate({"suffix": "y"})),
        (StringMatch(), StringMatch.model_validate({"suffix": "y"})),
    ],
)
def test_what_falls_out_is_not_within(inner, outer):
    assert not within(texts(inner), texts(outer))


def test_a_path_in_any_case_is_within_what_has_no_letters():
    any_case = texts(StringMatch(prefix="/1/a"), fold=True)
    assert within(any_case, texts(StringMatch(prefix="/1/")))
    assert not within(any_case, texts(StringMatch(prefix="/1/a")))
    assert within(texts(StringMatch(exact="/1/A")), any_case)


def test_what_a_regex_says_is_read_where_it_is_certain():
    assert literals("^(gray|blue)$") == ("gray", "blue")
    assert literals("gr.y") is None
    assert head("gray-v[0-9]") == ("gray-v", False)
    assert head("gray.*") == ("gray", True)
    assert head("grays?") == ("gray", False)
    assert before_anything("a[bc].*") == "a[bc]"
    assert before_anything("a|b.*") is None
    assert before_anything("a$.*") is None
    assert literals("\\Qa|b\\E") is None
    assert head("(?i)gray.*") == ("", False)
