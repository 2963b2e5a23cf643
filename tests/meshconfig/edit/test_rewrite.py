"""A text gets another value, and only what differs is written anew."""

import json
from random import Random

import pytest
from edit_texts import changes, mappings, staying, texts, untouched
from hypothesis import given, settings
from hypothesis import strategies as st

from meshconfig.edit.rewrite import documents, rewrite
from meshconfig.errors import InputError

seeds = st.integers(0, 2**32)  # of a chance that draws the rest: thousands of draws would take minutes to shrink


def read(text):
    return [document.value for document in documents(text, "f.yaml")]


def in_order(lines, text):
    """Each of the lines is in the text, in this order?"""
    left = iter(f"{text}\n".splitlines())
    return [line for line in lines if line not in left]


@settings(max_examples=200, deadline=None)
@given(seeds)
def test_any_change_of_any_text_says_what_is_wanted_and_leaves_the_other_lines(seed):
    chance = Random(seed)
    old = mappings(chance)
    new = changes(chance, old)
    text = texts(chance, old)
    assert read(text.text()) == [old]
    changed = rewrite(text.text(), "f.yaml", [new])
    assert read(changed) == [new]
    assert in_order(untouched(text, old, new), changed) == []
    lines = [line.strip() for line in changed.splitlines()]
    assert [comment for comment in staying(text, old, new) if comment and lines.count(comment) != 1] == []
    assert ("\r\n" in changed) == ("\r\n" in text.text()) or "\n" not in changed.strip("\n")
    if new == old:
        assert changed == text.text()


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_json_stays_json(seed):
    chance = Random(seed)
    old = mappings(chance)
    new = changes(chance, old)
    text = texts(chance, old, json_only=True)
    changed = rewrite(text.text(), "f.json", [new])
    assert json.loads(changed) == new
    assert in_order(untouched(text, old, new), changed) == []


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seeds)
def test_documents_of_one_file_are_changed_each_for_itself(seed):
    chance = Random(seed)
    values = [mappings(chance) for _ in range(chance.randint(2, 3))]
    parts = [texts(chance, value) for value in values]
    number = chance.randrange(len(values))
    for part in parts:
        part.newline = parts[0].newline
        part.ends = True
    whole = f"---{parts[0].newline}".join(part.text() for part in parts)
    new = changes(chance, values[number])
    changed = rewrite(whole, "f.yaml", [*values[:number], new, *values[number + 1 :]])
    assert read(changed) == [*values[:number], new, *values[number + 1 :]]
    others = [part.text() for index, part in enumerate(parts) if index != number]
    assert all(other in changed for other in others)


CASES = {
    "one more beside others in braces": (
        "a: {b: 1, c: 2} # x\n", {"a": {"b": 1, "c": 2, "d": 3}}, "a: {b: 1, c: 2, d: 3} # x\n"
    ),
    "a value keeps its quotes": ("a: 'b' # x\nc: \"d\"\n", {"a": "e", "c": "f"}, "a: 'e' # x\nc: \"f\"\n"),
    "what needs quotes gets some": ("a: b\n", {"a": "1"}, 'a: "1"\n'),
    "what some reader takes for a number": ("a: b\nc: d\n", {"a": "1e3", "c": "e:1"}, 'a: "1e3"\nc: e:1\n'),
    "the last of a block leaves braces": ("a:\n  b: 1 # x\nc: 2\n", {"a": {}, "c": 2}, "a: {}\nc: 2\n"),
    "a comment of its own stays": ("# v1\nv1: 1 # old\n# v2\nv2: 2\n", {"v2": 2}, "# v1\n# v2\nv2: 2\n"),
    "an alias gives way to its own value": (
        "a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}, "a: &x {b: 1}\nc: {b: 1, d: 2}\n"
    ),
    "what aliases stand for stays so": (
        "a: &x {b: 1}\nc: *x\n", {"a": {"b": 2}, "c": {"b": 1}}, "a: {b: 2}\nc: &x {b: 1}\n"
    ),
    "what is merged is overridden": (
        "a: &x {b: 1}\nc: {<<: *x, d: 2}\n",
        {"a": {"b": 1}, "c": {"b": 3, "d": 2}},
        "a: &x {b: 1}\nc: {b: 3, <<: *x, d: 2}\n",
    ),
    "without an end of the last line": ("a:\n  b: 1", {"a": {"b": 1, "c": 2}}, "a:\n  b: 1\n  c: 2"),
    "with Windows' line ends": ("a:\r\n  b: 1\r\n", {"a": {"b": 1, "c": 2}}, "a:\r\n  b: 1\r\n  c: 2\r\n"),
    "with a byte order mark": ("\ufeffa: {b: 1}\r\n", {"a": {"b": 2}}, "\ufeffa: {b: 2}\r\n"),
    "after a text of several lines": ("a: |\n  b\n\nc: 1\n", {"a": "b\n", "d": 2, "c": 1}, "a: |\n  b\n\nd: 2\nc: 1\n"),
    "with space in braces": ("a: { b: 1 }   # x\n", {"a": {"b": 2, "c": 3}}, "a: { b: 2, c: 3 }   # x\n"),
    "with braces over some lines": (
        "a: {\n    b: 1,  # b\n    c: 2,  # c\n  }\n",
        {"a": {"c": 2, "d": 3}},
        "a: {\n    c: 2,  # c\n    d: 3\n  }\n",
    ),
    "with a comma before the bracket": ("a: {b: 1,}\nc: 1\n", {"a": {"b": 1}, "c": 2}, "a: {b: 1,}\nc: 2\n"),
    "with wide indentation": (
        "a:\n    - b:\n        c: 1\n", {"a": [{"b": {"c": 1, "d": 2}, "e": 3}]},
        "a:\n    - b:\n        c: 1\n        d: 2\n      e: 3\n",
    ),
    "with a list that is not indented": (
        "a:\n- b: 1\n", {"a": [{"b": 1, "c": {"d": 2}}]}, "a:\n- b: 1\n  c:\n    d: 2\n"
    ),
    "with words that only YAML 1.1 knows": (
        "a: on\nb: 010\nc: 1\n", {"a": True, "b": 8, "c": 2}, "a: on\nb: 010\nc: 2\n"
    ),
    "with marks around it": ("# x\n---  # y\na: 1\n...\n# z\n", {"a": 2}, "# x\n---  # y\na: 2\n...\n# z\n"),
    "with tabs, in JSON": ('{\n\t"a": 1\n}\n', {"a": 1, "b": "c"}, '{\n\t"a": 1,\n\t"b": "c"\n}\n'),
    "nothing before": ("a:\nb: 1\n", {"a": 2, "b": 1}, "a: 2\nb: 1\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_how_it_is_written(name):
    text, new, expected = CASES[name]
    assert rewrite(text, "f.yaml", [new]) == expected


@pytest.mark.parametrize(
    ("text", "new", "said"),
    [
        ("z: 1\n---\na: &x {b: 1}\nc: {<<: *x}\n", {"a": {"b": 1}, "c": {}}, "the change would say more"),
        ("z: 1\n---\na:\t1\n", {"a": 2}, "while scanning"),
    ],
)  # fmt: skip
def test_what_cannot_be_edited_is_refused_with_its_line(text, new, said):
    with pytest.raises(InputError, match=f"^f.yaml:3: cannot be edited, edit it by hand: {said}"):
        rewrite(text, "f.yaml", [{"z": 1}, new])


def test_nothing_is_ever_written_that_does_not_say_what_is_wanted(monkeypatch):
    monkeypatch.setattr("meshconfig.edit.rewrite.laid_out", lambda text, model: "a: 2\nb: 2\n")
    with pytest.raises(InputError, match="the change would say more"):
        rewrite("a: 1\n", "f.yaml", [{"a": 2}])
    monkeypatch.setattr("meshconfig.edit.rewrite.laid_out", lambda text, model: "a: {")
    with pytest.raises(InputError, match="it would not be read"):
        rewrite("a: 1\n", "f.yaml", [{"a": 2}])
