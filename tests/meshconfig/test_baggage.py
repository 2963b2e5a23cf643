"""Members of W3C baggage: the expressions that routes match them by, and how they are read."""

import re

import re2
from hypothesis import given
from hypothesis import strategies as st

from meshconfig import baggage
from meshconfig.backend.istio.virtual_service import lift, lower
from meshconfig.backend.manifest import Owner
from meshconfig.model import Name, RemoveTag, Route, RouteId, RouteKind, RouteTable, SetTag, Target
from meshconfig.simulate import Carrying
from propagation import extract, get, inject, use

spaces = st.sampled_from(("", "", " ", "\t"))
encoded = {"env": ("env", "%65nv", "e%6Ev", "en%76", "%65%6e%76"), "gray": ("gray", "gr%61y", "%67%72%61%79", "gra%79")}
keys = st.sampled_from((*encoded["env"], *encoded["env"], "Env", "xenv", "env2", "en", "a"))
values = st.sampled_from((*encoded["gray"], "blue", "gray2", "xgray", "gray.next", "", "gr ay"))
ends = st.sampled_from(("", "", ";ttl=5", " ;a", "%3Bpropagation%3Dunlimited", "%3bx", ";a=b;c"))
members = st.builds(
    lambda before, key, middle, value, end: f"{before}{key}{middle}={middle}{value}{end}",
    *(spaces, keys, spaces, values, ends),
)
headers = st.lists(st.one_of(members, st.sampled_from(("a", "", "a=b", "env", "a=b;env=gray"))), max_size=4).map(
    ",".join
)


sent_tags = st.tuples(
    st.just("env"), st.sampled_from(("gray", "gray", "blue", "gray,gray", "gray, gray", "gray,blue", ""))
)


def found(pattern, text):
    return re2.fullmatch(pattern, text) is not None


@given(headers)
def test_a_route_matches_a_member_that_reads_as_its_lane_and_no_other(header):
    listed = [(baggage.key_of(one), baggage.value_of(one)) for one in baggage.members([header])]
    assert found(baggage.regex("env", "gray"), header) == (("env", "gray") in listed)


@given(headers)
def test_what_is_ours_in_any_spelling_is_never_taken_for_foreign(header):
    ours = any(baggage.key_of(one).lower() == "env" for one in baggage.members([header]))
    assert found(baggage.with_key("env"), header) or not ours


def test_foreign_members_are_no_members_of_ours():
    for foreign in ("a=b", "xenv=gray", "env2=gray", "a=b;env=gray", "a=env", "env", "a=1,b=2;c=%65nv", "", "envoy=1"):
        assert not found(baggage.with_key("env"), foreign), foreign


@given(headers)
def test_one_value_reads_as_propagation_reads_it(header):
    listed = [baggage.value_of(one) for one in baggage.members([header]) if baggage.key_of(one) == "env"]
    with use(extract({"baggage": header})):
        seen = get("env")
    if seen is not None:
        assert {one.partition(".")[0] for one in listed} == {seen}


@given(st.lists(st.one_of(sent_tags, st.tuples(st.just("baggage"), headers)), max_size=3))
def test_a_service_with_propagation_sends_what_explain_says(received):
    with use(extract(received)):
        sent = inject({})
    foretold = dict(Carrying(("env",)).sent("cat", tuple(received)))
    if re.fullmatch(r"[A-Za-z0-9._-]*", foretold.get("env", "")):
        assert foretold.get("env") == sent.get("env")
        ours = [one for one in baggage.members([foretold.get("baggage", "")]) if baggage.key_of(one) == "env"]
        assert ours == ([f"env={sent['env']}"] if "env" in sent else [])


def test_an_expression_tells_whose_member_it_asks_for():
    for pattern in (
        baggage.regex("env", "gray"),
        baggage.matching("env", ".+"),
        r"(.*,)?\s*env\s*=\s*gray\s*([;,].*)?",
    ):
        assert baggage.asks_for(pattern, "env")
        assert not baggage.asks_for(pattern, "en")
        assert not baggage.asks_for(pattern, "x-env")
    assert not baggage.asks_for(".*", "env")


def test_a_header_whose_name_is_no_plain_key_is_written_encoded_and_as_envoy_reads_it():
    assert baggage.member("a%b+c", "gray") == "a%25b%2Bc=gray"
    assert baggage.key_of("a%25b%2Bc=gray") == "a%b+c"
    owner = Owner("pets", "a%b")
    for change in (SetTag("gray", baggage=True), SetTag("gray"), RemoveTag(baggage=True), RemoveTag()):
        route = Route(RouteId(RouteKind.DEFAULT), (), (Target("cat", 1, tag=change),))
        manifest = lower(RouteTable(Name("demo", "cat"), ("cat",), ("demo/front",), (route,)), owner)
        assert lift(manifest, "a%b").routes == (route,)
    (one,) = lower(
        RouteTable(
            Name("d", "c"),
            ("c",),
            ("d/f",),
            (Route(RouteId(RouteKind.DEFAULT), (), (Target("cat", 1, tag=SetTag("gray", baggage=True)),)),),
        ),
        owner,
    )["spec"]["http"][0]["route"]
    assert one["headers"]["request"]["set"] == {"a%b": "gray", "baggage": "a%%25b=gray"}


@given(st.sampled_from(("env", "x-lane")), st.text("abz019-.+", min_size=1, max_size=12))
def test_the_value_that_an_expression_asks_for_is_read_back(key, value):
    assert baggage.value_asked(baggage.regex(key, value), key) == value
    assert baggage.value_asked(baggage.regex(key, value), "other") is None
    assert baggage.value_asked(baggage.matching(key, "[^,;]+"), key) is None
