"""A request followed from service to service, with the tag as services hand it on."""

from fractions import Fraction

import pytest
from istio_world import PORT, in_mesh, manifest, target, to, virtual_service, world

from meshconfig.simulate import ANY_GATEWAY, Carrying, Destination, Request, follow, loss

CHAIN = [("cat", PORT), ("mouse", PORT)]
GRAY = {"headers": {"env": {"exact": "gray"}}}


def lanes(name, **more):
    return in_mesh(name, to("gray", GRAY, host=name), to("prod", host=name), hosts=(name,), **more)


def entry(*routes):
    return virtual_service("entry", *routes)


def ways(index, headers=(), chain=CHAIN, **rules):
    request = Request("shop.example.com", headers=headers, gateway=ANY_GATEWAY)
    return {_names(step): step.probability for step in follow(index, request, chain, **rules)}


def _names(step):
    return tuple(_name(one) for one in step.outcomes)


def _name(outcome):
    return f"{outcome.host.partition('.')[0]}/{outcome.subset}" if isinstance(outcome, Destination) else outcome.status


def test_the_tag_goes_on_from_hop_to_hop():
    index = world(entry(to("gray", GRAY), to("prod")), lanes("mouse"))
    assert ways(index, [("env", "gray")]) == {("cat/gray", "mouse/gray"): 1}
    assert ways(index, [("env", "daily")]) == {("cat/prod", "mouse/prod"): 1}
    assert ways(index) == {("cat/prod", "mouse/prod"): 1}


def test_what_a_service_received_goes_on_not_what_was_sent():
    set_it = to("prod", headers={"request": {"set": {"env": "gray"}}})
    assert ways(world(entry(set_it), lanes("mouse"))) == {("cat/prod", "mouse/gray"): 1}
    removed = to("gray", headers={"request": {"remove": ["env"]}})
    assert ways(world(entry(removed), lanes("mouse")), [("env", "gray")]) == {("cat/gray", "mouse/prod"): 1}


def test_a_split_that_sets_the_tag_never_mixes_lanes():
    split = [
        target(lane, weight=weight, headers={"request": {"set": {"env": lane}}})
        for lane, weight in (("gray", 1), ("prod", 3))
    ]
    index = world(entry({"route": split}), lanes("mouse"))
    assert ways(index) == {("cat/gray", "mouse/gray"): Fraction(1, 4), ("cat/prod", "mouse/prod"): Fraction(3, 4)}


def test_weights_at_each_hop_multiply():
    half = [target(lane, weight=1) for lane in ("gray", "prod")]
    inner = in_mesh("mouse", {"route": [target("gray", "mouse", 1), target("prod", "mouse", 2)]}, hosts=("mouse",))
    found = ways(world(entry({"route": half}), inner))
    assert found[("cat/gray", "mouse/gray")] == Fraction(1, 6)
    assert sum(found.values()) == 1
    assert len(found) == 4


def test_two_different_values_of_a_field_are_none():
    index = world(entry(to("gray", GRAY), to("prod")), lanes("mouse"))
    assert ways(index, [("env", "gray"), ("env", "nobody")]) == {("cat/gray", "mouse/prod"): 1}
    assert ways(index, [("env", "gray"), ("env", "gray")]) == {("cat/gray", "mouse/gray"): 1}


def test_only_the_tags_headers_and_the_allowed_values_go_on():
    index = world(entry(to("prod")), lanes("mouse"))
    tagged = [("env", "gray")]
    assert ways(index, tagged, carrying=Carrying(("x-env",))) == {("cat/prod", "mouse/prod"): 1}
    assert ways(index, tagged, carrying=Carrying(("env",))) == {("cat/prod", "mouse/gray"): 1}
    assert ways(index, tagged, carrying=Carrying(("env",), allowed={"env": {"prod"}})) == {
        ("cat/prod", "mouse/prod"): 1
    }
    assert ways(index, tagged, carrying=Carrying(("env",), allowed={"env": {"gray"}})) == {
        ("cat/prod", "mouse/gray"): 1
    }


CAT = "cat.demo.svc.cluster.local"
BOTH = (("env", "gray"), ("baggage", "env=gray,a=b"))
RECEIVED = {
    "both": BOTH,
    "header": (("env", "gray"),),
    "member": (("baggage", "a=b,env=gray;p=1"),),
    "encoded": (("baggage", "%65nv=gr%61y%3Bpropagation%3Dunlimited"),),
    "repeated": (("env", "gray"), ("env", "gray")),
    "different": (("env", "gray"), ("baggage", "env=blue")),
    "two": (("env", "gray"), ("env", "blue"), ("baggage", "env=gray")),
    "two members": (("baggage", "env=gray"), ("baggage", "env=blue")),
    "nothing": (("x", "y"),),
}
SENT = {
    ("both", "both"): BOTH,
    ("both", "header"): (("env", "gray"), ("baggage", "env=gray")),
    ("both", "member"): BOTH,
    ("both", "encoded"): (("env", "gray"), ("baggage", "env=gray")),
    ("both", "repeated"): (("env", "gray"), ("baggage", "env=gray")),
    ("both", "different"): (("env", "gray"), ("baggage", "env=gray")),
    ("header", "both"): (("env", "gray"),),
    ("header", "header"): (("env", "gray"),),
    ("header", "repeated"): (("env", "gray"),),
    ("header", "different"): (("env", "gray"),),
    ("baggage", "both"): (("baggage", "env=gray,a=b"),),
    ("baggage", "member"): (("baggage", "a=b,env=gray;p=1"),),
    ("baggage", "encoded"): (("baggage", "%65nv=gr%61y%3Bpropagation%3Dunlimited"),),
    ("baggage", "different"): (("baggage", "env=blue"),),
    ("baggage", "two"): (("baggage", "env=gray"),),
    ("baggage", "two members"): (("baggage", "env=gray,env=blue"),),
}


@pytest.mark.parametrize("how", ["both", "header", "baggage", "none"])
@pytest.mark.parametrize("received", RECEIVED)
def test_a_service_hands_on_what_it_carries(how, received):
    assert Carrying(("env",), {CAT: how}).sent(CAT, RECEIVED[received]) == SENT.get((how, received), ())


def test_the_generation_behind_the_dot_goes_on_with_its_lane():
    following = {"headers": {"env": {"exact": "gray.next"}}}
    inner = in_mesh("mouse", to("gray", following, host="mouse"), to("prod", host="mouse"), hosts=("mouse",))
    carrying = Carrying(("env",), allowed={"env": {"gray"}})
    assert ways(world(entry(to("prod")), inner), [("env", "gray.next")], carrying=carrying) == {
        ("cat/prod", "mouse/gray"): 1
    }


@pytest.mark.parametrize(
    ("how", "received", "in_baggage", "words"),
    [
        ("baggage", BOTH, False, "tag.baggage: true"),
        ("baggage", BOTH, True, ""),
        ("baggage", BOTH[:1], True, "env alone reaches it"),
        ("header", BOTH[1:], True, "have its caller send env"),
        ("header", BOTH, False, ""),
        ("none", BOTH, True, "neither env nor baggage"),
        ("both", BOTH[1:], False, ""),
        ("none", (), True, ""),
    ],
)
def test_a_service_that_loses_the_tag_is_told_what_to_set(how, received, in_baggage, words):
    sent = Carrying(("env",), {CAT: how}).sent(CAT, received)
    said = loss("cat", how, "env", received, sent, in_baggage=in_baggage)
    assert words in said if words else said is None


def test_a_way_ends_where_no_service_answers_or_another_than_the_chains():
    lost = entry({"route": [target("blue", weight=1), target("prod", weight=1)]})
    assert ways(world(lost, lanes("mouse"))) == {(503,): Fraction(1, 2), ("cat/prod", "mouse/prod"): Fraction(1, 2)}
    astray = entry(to("prod", host="mouse"))
    assert ways(world(astray)) == {("mouse/prod",): 1}


def test_the_next_hop_is_asked_from_the_namespace_and_labels_of_the_last():
    mine = {"sourceLabels": {"env": "gray"}, "sourceNamespace": "demo"}
    inner = in_mesh("mouse", to("gray", mine, host="mouse"), to("prod", host="mouse"), hosts=("mouse",))
    index = world(entry(to("gray", GRAY), to("prod")), inner)
    assert ways(index, [("env", "gray")], carrying=Carrying(())) == {("cat/gray", "mouse/gray"): 1}
    assert ways(index, carrying=Carrying(())) == {("cat/prod", "mouse/prod"): 1}


def test_a_chain_within_the_mesh():
    index = world(lanes("cat"), lanes("mouse"))
    request = Request("cat", headers=[("env", "gray")], source_namespace="demo", port=PORT)
    (step,) = follow(index, request, CHAIN)
    assert _names(step) == ("cat/gray", "mouse/gray")
    assert [decision.route.virtual_service for decision in step.decisions] == ["demo/cat", "demo/mouse"]


def test_an_unmodelled_filter_is_named_at_each_hop():
    index = world(lanes("cat"), lanes("mouse"), manifest("EnvoyFilter", "x", {}))
    request = Request("cat", source_namespace="demo", port=PORT)
    (step,) = follow(index, request, CHAIN)
    assert all("EnvoyFilter" in decision.undecided[0] for decision in step.decisions)
