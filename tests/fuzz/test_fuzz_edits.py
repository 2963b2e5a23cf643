"""Edits of any accepted spec: they keep all comments and everything else, are accepted again, and are done once."""

from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mutations import MANIFESTS, SPECS, WORDS, as_yaml, documents, mutated_texts, mutated_values, texts

from meshconfig.edit import lanes, versions
from meshconfig.edit.files import Texts
from meshconfig.errors import InputError

pytestmark = pytest.mark.fuzz

SPEC_TEXTS = tuple(one for one in texts(*SPECS) if "kind: LaneGroup" in one)
OTHERS = tuple(as_yaml(one) for one in documents(*MANIFESTS)[:20])
words = st.sampled_from(("v9", "v1.next", "gray", "new", *WORDS))
weights = st.dictionaries(words, st.integers(-1, 100), max_size=2)


@st.composite
def commented(draw):
    """A spec, mostly a real one with a field changed, with comments of their own lines and maybe another document."""
    text = draw(mutated_texts(SPEC_TEXTS, most=1) | mutated_values(documents(*SPECS), most=2).map(as_yaml))
    lines = text.splitlines(keepends=True)
    for number, place in enumerate(draw(st.lists(st.integers(0, 200), max_size=6))):
        lines.insert(place % (len(lines) + 1), f"{' ' * (place % 7)}# note {number}.\n")
    if draw(st.booleans()):
        lines.append(f"---\n{draw(st.sampled_from(OTHERS))}")
    text = "".join(lines)
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def read(text):
    """The texts and their groups; None where the spec is refused."""
    found = Texts({"f.yaml": text})
    try:
        return found, found.groups
    except InputError:
        return None


def notes(text):
    """How often each of our comments is there as a comment of its own line."""
    return Counter(line.strip() for line in text.splitlines() if line.strip().startswith("# note "))


def is_said(error):
    assert error.problems
    assert all(str(one) for one in error.problems)  # the first may be a headline, which is a place without a message


def applied(text, make):
    """The text after an edit; None where the edit is refused, in words."""
    there = read(text)
    assert there, text
    found, groups = there
    try:
        draft = make(groups[0])
        after = found.edited(draft)
    except InputError as error:
        is_said(error)
        return None
    wanted = {id(one): value for one, value in zip(draft.group.documents, draft.values, strict=True)}
    assert [one.value for one in after.every] == [wanted.get(id(one), one.value) for one in found.every]
    return after.by_file["f.yaml"]


def chosen(draw, names):
    return draw(st.sampled_from(sorted(names)) | words) if names else draw(words)


@st.composite
def edits(draw, spec):
    """(what, a function of a group) for names of this spec, and of none."""
    service = chosen(draw, spec.services)
    known = spec.services[service].versions if service in spec.services else {}
    version, lane = chosen(draw, known), chosen(draw, spec.lanes)
    given = draw(st.sampled_from([dict.fromkeys(known, 1), {version: 5}])) | draw(weights)
    labels = {"v": draw(words)}
    match draw(st.sampled_from(("add", "weights", "takeover", "retire", "lane", "no lane"))):
        case "add":
            weight = draw(st.none() | st.integers(-1, 101))
            return "add", lambda group: versions.add(group, service, version, labels=labels, weight=weight)
        case "weights":
            return "weights", lambda group: versions.weights(group, service, given)
        case "takeover":
            return "takeover", lambda group: versions.takeover(group, service, version)
        case "retire":
            return "retire", lambda group: versions.retire(group, service, version)
        case "lane":
            pairs = draw(st.sampled_from([{}, {service: version}]))
            return "lane", lambda group: lanes.add(group, lane, versions=pairs)
    return "no lane", lambda group: lanes.remove(group, lane)


@given(commented(), st.data())
def test_an_edit_keeps_comments_and_all_else_and_is_done_once(text, data):
    there = read(text)
    assume(there)
    what, make = data.draw(edits(there[1][0].spec.spec))
    after = applied(text, make)
    if after is None:
        return
    kept = notes(after)
    assert kept <= notes(text)
    if what in ("add", "weights", "lane"):  # nothing goes that a comment could belong to
        assert kept == notes(text) or "weights" in what
    again = applied(after, make)
    assert again in ((None,) if what in ("add", "retire", "lane", "no lane") else (after,)), (what, again)
    assert ("\r\n" in after) == ("\r\n" in text)
