"""Which namespaces see a resource.

Source: Istio, `exportTo`; pilot push_context_test.go has the cases of `.`, `*`, `~` and names.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio.exports import ANNOTATION, annotated, includes, meet, namespaces, visible

EVERYWHERE = frozenset("*")
SEEN = [
    ((), {"demo", "other", "third"}),
    (("*",), {"demo", "other", "third"}),
    ((".",), {"demo"}),
    (("other",), {"other"}),
    ((".", "other"), {"demo", "other"}),
    (("other", "*"), {"demo", "other", "third"}),
    (("~",), set()),
]


@pytest.mark.parametrize(("export_to", "seen"), SEEN)
def test_who_sees_a_resource_of_demo(export_to, seen):
    assert {one for one in ("demo", "other", "third") if visible(export_to, "demo", one)} == seen


def test_the_annotation_of_a_service():
    assert annotated({}) == ()
    assert annotated({ANNOTATION: ""}) == ()
    assert annotated({ANNOTATION: "."}) == (".",)
    assert annotated({ANNOTATION: "demo, other ,"}) == ("demo", "other")


EXPORTS = st.lists(st.sampled_from(["*", ".", "~", "demo", "other", "third"]), max_size=3)
CLIENTS = ("demo", "other", "third", "fourth")


@given(EXPORTS, st.sampled_from(CLIENTS))
def test_the_set_of_namespaces_says_the_same_as_asking_for_each(export_to, client):
    assert visible(export_to, "demo", client) is includes(namespaces(export_to, "demo"), (client,))


@given(EXPORTS, EXPORTS)
def test_two_resources_meet_where_a_namespace_sees_both(one, other):
    sees = [{client for client in CLIENTS if visible(export_to, "demo", client)} for export_to in (one, other)]
    assert meet(namespaces(one, "demo"), namespaces(other, "demo")) is bool(sees[0] & sees[1])
    everyone = namespaces(one, "demo") if sees[0] else EVERYWHERE
    assert includes(namespaces(other, "demo"), everyone) is (sees[1] >= sees[0] if sees[0] else sees[1] == {*CLIENTS})
