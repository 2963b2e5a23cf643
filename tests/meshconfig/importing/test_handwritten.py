"""Meshes written by hand, in the style of Istio's samples: what is found, what is left alone, what differs."""

import pytest
from handwritten import BOOKS, documents, header, routes, rule, surroundings, to

from meshconfig.importing import NothingToSayError, import_group
from meshconfig.istio import Resources


def imported(*parts, tag=None, every=True):
    given = [*surroundings(), BOOKS] if every else []
    return import_group(Resources.parse(documents(*given, *parts)), "books", "demo", tag)


def spec(*parts, **more):
    found = imported(*parts, **more)
    assert [f"{one.request} {one.what}" for one in found.proof.wrong] == []
    return found.fitted.value["spec"]


ALL_V1 = [routes(name, to(name, "v1")) for name in ("page", "reviews", "ratings")]


def test_routes_to_one_version_each_make_it_the_baseline():
    found = spec(*ALL_V1)
    assert found["lanes"] == {"v1": {}}
    assert found["services"]["reviews"] == {
        "host": "reviews",
        "port": 9080,
        "versions": {name: {"labels": {"version": name}} for name in ("v1", "v2", "v3")},
    }
    assert found["entries"][0]["routes"] == [
        {"path": {"exact": "/page"}, "service": "page"},
        {"path": {"prefix": "/static"}, "service": "page"},
    ]


def test_a_header_that_selects_a_subset_is_the_tag_and_its_value_a_lane():
    found = spec(
        *ALL_V1[::2], routes("reviews", to("reviews", "v2", match=header("end-user", "jason")), to("reviews", "v1"))
    )
    assert found["tag"] == {"header": "end-user", "default": "v1"}
    assert found["lanes"] == {"v1": {}, "jason": {"versions": {"reviews": "v2"}}}


def test_weights_and_rules_of_a_service_are_found():
    rules = to("reviews", "v3", match={"headers": {"cookie": {"regex": ".*beta=1.*"}}, "method": {"exact": "GET"}})
    found = spec(*ALL_V1[::2], routes("reviews", rules, to("reviews", ("v1", 90), ("v2", 10))))
    assert found["services"]["reviews"]["weights"] == {"v1": 90, "v2": 10}
    match = {"headers": {"cookie": {"regex": ".*beta=1.*"}}, "method": "GET"}
    assert found["services"]["reviews"]["rules"] == [{"match": match, "weights": {"v3": 1}}]


def test_the_tag_can_be_named():
    two = routes(
        "reviews",
        to("reviews", "v2", match=header("x-team", "red")),
        to("reviews", "v3", match=header("x-lane", "gray")),
        to("reviews", "v1"),
    )
    assert spec(*ALL_V1[::2], two, tag="x-team")["lanes"].keys() == {"prod", "red"}
    other = imported(*ALL_V1[::2], two, tag="X-Lane")
    assert other.fitted.value["spec"]["lanes"].keys() == {"prod", "gray"}
    # A lane comes before every rule, and here the rule came first.
    assert {one.request.pairs for one in other.proof.wrong} == {(("x-lane", "gray"), ("x-team", "red"))}


def test_policies_that_all_routes_share_are_the_services():
    shared = {"timeout": "3s", "retries": {"attempts": 2}}
    again = routes("ratings", to("ratings", "v1", **shared))
    tuned = rule("ratings", "v1", trafficPolicy={"connectionPool": {"http": {"idleTimeout": "5s"}}})
    found = spec(*ALL_V1[:2], again, tuned)["services"]["ratings"]
    assert found["policy"] == shared
    assert found["trafficPolicy"] == {"connectionPool": {"http": {"idleTimeout": "5s"}}}


def test_copies_of_the_untagged_alone_are_a_mirror_and_copies_of_all_a_policy():
    copied = {"mirror": {"host": "reviews", "subset": "v3"}, "mirrorPercentage": {"value": 5}}
    gray, rest = to("reviews", "v2", match=header("env", "gray")), to("reviews", "v1", **copied)
    found = spec(*ALL_V1[::2], routes("reviews", gray, rest))["services"]["reviews"]
    assert found["mirror"] == {"version": "v3", "percent": 5}
    assert "policy" not in found
    every = spec(*ALL_V1[::2], routes("reviews", {**gray, **copied}, rest))["services"]["reviews"]
    assert "mirror" not in every
    assert every["policy"]["mirrorPercentage"] == {"value": 5}


JASON = header("end-user", "jason")
UNSAID = {
    "fault of one route": (
        routes("ratings", to("ratings", "v1", match=JASON, fault={"abort": {"httpStatus": 500}}), to("ratings", "v1")),
        "differ in fault",
    ),
    "redirect": (routes("ratings", {"match": [JASON], "redirect": {"uri": "/x"}}, to("ratings", "v1")), "a redirect"),
    "without headers": (
        routes("ratings", to("ratings", "v1", match={"withoutHeaders": {"x-bot": {}}}), to("ratings", "v1")),
        "withoutHeaders",
    ),
    "senders": (
        routes("ratings", to("ratings", "v1", match={"sourceLabels": {"app": "page"}}), to("ratings", "v1")),
        "the sender's labels",
    ),
    "nothing for the rest": (routes("ratings", to("ratings", "v1", match=JASON)), "match no route get 404"),
    "tcp": (routes("ratings", to("ratings", "v1"), tcp=[{"route": []}]), "tcp routes"),
    "exportTo": (routes("ratings", to("ratings", "v1"), exportTo=["."]), "exportTo"),
    "another service": (routes("ratings", to("reviews", "v1")), "reviews"),
    "an unknown subset": (routes("ratings", to("ratings", "v9")), "no DestinationRule in force has a subset v9"),
    "a subset's own policy": (
        rule("ratings", "v1", exportTo=["."]) + "---\n" + routes("ratings", to("ratings", "v1")),
        "exportTo is not part",
    ),
    "headers of a destination": (
        routes(
            "ratings",
            {
                "route": [
                    {"destination": {"host": "ratings", "subset": "v1"}, "headers": {"request": {"remove": ["x"]}}}
                ]
            },
        ),
        "headers of a destination",
    ),
}


@pytest.mark.parametrize(("given", "why"), UNSAID.values(), ids=UNSAID)
def test_what_a_spec_cannot_say_is_listed_with_its_place_and_left_alone(given, why):
    found = imported(*ALL_V1[:2], given)
    assert [one.what for one in found.proof.wrong] == []
    assert any(why in one.why for one in found.fitted.unsaid), found.fitted.unsaid
    assert all(one.location.file == "mesh.yaml" and one.location.line > 1 for one in found.fitted.unsaid)
    assert "ratings" not in found.fitted.value["spec"]["services"]
    assert "demo/ratings" not in {one.key for one in found.replaced}


def test_a_service_that_stays_keeps_the_entries_that_lead_to_it():
    found = imported(*ALL_V1[1:], routes("page", to("page", "v1"), exportTo=["."]))
    assert "entries" not in found.fitted.value["spec"]
    assert any("its routes between services" in one.why for one in found.fitted.unsaid)


def test_requests_that_would_be_answered_in_another_way_are_shown_with_both_answers():
    # Nothing routes page between services, so that Pods there call all of it. A spec has one default for all callers.
    gateway = BOOKS.replace("host: page, port", "host: page, subset: v1, port")
    pods = [part for part in surroundings() if "name: page-v1" not in part]
    found = import_group(Resources.parse(documents(*pods, gateway)), "books", "demo")
    assert {(one.request.host, one.request.gateway) for one in found.proof.wrong} == {
        ("page.demo.svc.cluster.local", None)
    }
    one = found.proof.wrong[0]
    assert one.before.destinations[0].subset == ""
    assert one.after.destinations[0].subset == "v1"


def test_a_header_that_later_services_route_by_is_not_taken_away_unsaid():
    """An entry removes tags that are no lanes; a route that is left alone may still ask for one."""
    faulty = routes(
        "ratings",
        to("ratings", "v1", match=JASON, fault={"abort": {"httpStatus": 500, "percentage": {"value": 100}}}),
        to("ratings", "v1"),
    )
    found = imported(*ALL_V1[:2], faulty, tag="end-user")
    assert any("which ratings.demo.svc.cluster.local routes in two ways" in one.what for one in found.proof.wrong)
    assert imported(*ALL_V1[:2], faulty).proof.wrong == []


def test_several_virtual_services_of_a_mesh_host_count_as_sidecars_count_them():
    younger = routes("ratings", to("ratings", "v1", timeout="9s")).replace("name: ratings\n", "name: zz\n", 1)
    found = imported(*ALL_V1, younger)
    assert [one.what for one in found.proof.wrong] == []
    assert any("not in force for ratings.demo.svc.cluster.local" in one.why for one in found.fitted.unsaid)
    assert {"demo/ratings", "demo/zz"} <= {one.key for one in found.replaced}


def test_delegates_are_merged_and_replaced_with_their_root():
    root = BOOKS.replace("route: [{destination: {host: page, port: {number: 9080}}}]", "delegate: {name: pages}")
    pages = routes("pages", to("page", "v1")).replace("  hosts:\n  - pages\n", "")
    found = import_group(Resources.parse(documents(*surroundings(), root, pages, *ALL_V1)), "books", "demo")
    assert [one.what for one in found.proof.wrong] == []
    assert {"demo/books", "demo/pages"} <= {one.key for one in found.replaced}


def test_a_baseline_that_no_route_asks_for_gets_a_name_that_changes_nothing():
    found = imported(*ALL_V1[::2], routes("reviews", to("reviews", ("v1", 1), ("v2", 1))))
    assert found.proof.wrong == []
    assert found.fitted.value["spec"]["lanes"] == {"prod": {}}
    assert found.fitted.found.choices == ["No route asks for the baseline by its tag, so env: prod is new."]


def test_a_name_that_a_route_left_alone_asks_for_is_no_new_one():
    """The baseline's tag is set at entries, so it must not mean something to a route that stays."""
    asks = header("env", "prod")
    stays = routes(
        "ratings",
        to("ratings", "v1", match=asks, fault={"abort": {"httpStatus": 500, "percentage": {"value": 100}}}),
        to("ratings", "v1"),
    )
    found = imported(*ALL_V1[:1], routes("reviews", to("reviews", ("v1", 1), ("v2", 1))), stays, tag="env")
    assert not any(one.new_tag for one in found.proof.differences)


def test_nothing_that_can_be_said_says_why():
    with pytest.raises(NothingToSayError) as error:
        imported(routes("page", to("page", "v1", match=JASON)), every=False)
    assert "is not given, and no route names its port" in str(error.value.unsaid[0])
