"""The commands that change a cluster, for `backend: gateway`: what they plan, and what they refuse in one line."""

import pytest
import yaml

VERSIONS = {name: {"labels": {"env": name}} for name in ("prod", "gray", "v9")}


def spec(**parts):
    services = {
        name: {"host": f"{name}-svc", "port": 9001, "selector": {"app": name}, "versions": VERSIONS, "calls": calls}
        for name, calls in (("cat", ["mouse"]), ("mouse", []))
    }
    entry = {"hosts": ["cat.example.com"], "gateway": {"use": "demo/edge"}, "routes": [{"service": "cat"}]}
    value = {"backend": "gateway", "lanes": {"prod": {}, "gray": {}}, "services": services, "entries": [entry]}
    metadata = {"name": "pets", "namespace": "demo"}
    return {"apiVersion": "graylane/v1", "kind": "LaneGroup", "metadata": metadata, "spec": {**value, **parts}}


@pytest.fixture
def planned(graylane, tmp_path):
    """Plans from one spec to another without a cluster: (exit status, output, errors)."""

    def plan(before, after):
        old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
        old.write_text(yaml.safe_dump(before, sort_keys=False))
        new.write_text(yaml.safe_dump(after, sort_keys=False))
        return graylane("plan", "-f", new, "--against", old)

    return plan


def test_a_version_is_a_service_that_is_there_before_its_routes_and_goes_after_them(planned):
    versions = {name: one for name, one in VERSIONS.items() if name != "v9"}
    without = spec()
    without["spec"]["services"]["mouse"]["versions"] = versions
    to_v9 = spec(lanes={"prod": {}, "gray": {"versions": {"mouse": "v9"}}})
    code, out, _ = planned(without, to_v9)
    assert code == 0
    places = [out.index(part) for part in ("write Service demo/mouse-svc-v9", "write HTTPRoute demo/mouse-svc")]
    assert places == sorted(places)
    assert "wait for a ready endpoint of mouse-svc.demo.svc.cluster.local v9" in out
    _, out, _ = planned(to_v9, without)
    places = [out.index(part) for part in ("write HTTPRoute demo/mouse-svc", "delete Service demo/mouse-svc-v9")]
    assert places == sorted(places)


def outside(gray):
    """The spec with a service outside the mesh, whose lane gray has this host."""
    versions = {"prod": {"host": "api.example.com"}, "gray": {"host": gray}}
    pay = {"host": "api.example.com", "port": 80, "external": {"port": 443, "tls": "SIMPLE"}, "versions": versions}
    value = spec()
    value["spec"]["services"]["pay"] = pay
    return value


def in_order(out, *parts):
    places = [out.index(part) for part in parts]
    return places == sorted(places)


def test_a_host_outside_is_known_before_a_route_leads_there_and_goes_after_it(planned):
    _, out, _ = planned(outside("old.example.com"), outside("new.example.com"))
    assert in_order(
        out,
        "write DestinationRule demo/new.example.com",
        "write ServiceEntry demo/new.example.com",
        "write HTTPRoute demo/api.example.com",
        "delete HTTPRoute demo/old.example.com",
        "delete ServiceEntry demo/old.example.com",
        "delete DestinationRule demo/old.example.com",
    )


def test_a_service_outside_comes_and_goes(planned):
    _, out, _ = planned(spec(), outside("new.example.com"))
    assert in_order(out, "write ServiceEntry demo/api.example.com", "write HTTPRoute demo/api.example.com")
    _, out, _ = planned(outside("new.example.com"), spec())
    assert in_order(out, "delete HTTPRoute demo/api.example.com", "delete ServiceEntry demo/api.example.com")


def test_baggage_that_an_entry_keeps_can_change(planned):
    kept = spec()
    kept["spec"]["entries"][0]["baggage"] = "keep"
    code, out, _ = planned(spec(), kept)
    assert (code, "write HTTPRoute" in out) == (0, True)
    assert "no change" in planned(kept, kept)[1]


def test_a_tag_that_is_read_from_baggage_too_changes_and_moves_consistently(planned):
    tag = {"tag": {"header": "env", "baggage": True}}
    code, out, _ = planned(spec(), spec(**tag))
    assert (code, "write HTTPRoute" in out) == (0, True)
    moved = {"lanes": {"prod": {}, "gray": {"versions": {"cat": "v9", "mouse": "v9"}}}, **tag}
    _, out, _ = planned(spec(**tag), spec(**moved))
    assert "for tags that end in .next" in out
    assert "no change" in planned(spec(**tag), spec(**tag))[1]


def test_a_lane_that_moves_in_two_services_is_changed_consistently(planned):
    moved = spec(lanes={"prod": {}, "gray": {"versions": {"cat": "v9", "mouse": "v9"}}})
    moved["spec"]["services"]["cat"]["calls"] = moved["spec"]["services"]["mouse"]["calls"] = []
    before = spec()
    before["spec"]["services"]["cat"]["calls"] = []
    _, out, _ = planned(before, moved)
    assert "consistent change" in out
    assert "for tags that end in .next" in out


def test_nothing_differs_between_a_spec_and_itself(planned):
    assert "no change" in planned(spec(), spec())[1]


def test_more_hosts_than_one_http_route_takes_are_changed_in_steps(planned):
    sixteen, more = spec(), spec()
    hosts = ["cat.example.com", *(f"h{number:02}.example.com" for number in range(15))]
    sixteen["spec"]["entries"][0]["hosts"] = hosts
    more["spec"]["entries"][0]["hosts"] = [*hosts, "bird.example.com"]  # the last of the others crosses
    _, out, _ = planned(sixteen, more)
    assert in_order(out, "write HTTPRoute demo/cat-example-com.hosts-2", "write HTTPRoute demo/cat-example-com\n")
    _, out, _ = planned(more, sixteen)
    assert in_order(out, "write HTTPRoute demo/cat-example-com\n", "delete HTTPRoute demo/cat-example-com.hosts-2")


def elsewhere(version, **parts):
    """The spec with its services in another namespace than its entry, and lane gray with this version of cat."""
    value = spec(lanes={"prod": {}, "gray": {"versions": {"cat": version}}}, **parts)
    for one in value["spec"]["services"].values():
        one["host"] += ".other"
    return value


GRANT = "write ReferenceGrant other/demo-cat-example-com"


def test_services_of_another_namespace_are_granted_before_a_route_leads_there_and_until_none_does(planned):
    _, out, _ = planned(elsewhere("gray"), elsewhere("v9"))
    given, routed = out.index(GRANT), out.index("write HTTPRoute demo/cat-example-com")
    assert given < routed < out.rindex(GRANT)
    assert out.count(GRANT) == 2


def test_the_grant_of_an_entry_goes_after_its_routes(planned):
    before, after = elsewhere("gray"), elsewhere("gray")
    other = {"hosts": ["b.example.com"], "gateway": {"use": "demo/edge"}, "routes": [{"service": "mouse"}]}
    before["spec"]["entries"].append(other)
    _, out, _ = planned(before, after)
    assert in_order(out, "delete HTTPRoute demo/b-example-com", "delete ReferenceGrant other/demo-b-example-com")


def test_a_live_group_keeps_its_backend(planned):
    own = [{"hosts": ["cat.example.com"], "gateway": {"use": "demo/edge"}, "routes": [{"service": "cat"}]}]
    for before, after in (("istio", "gateway"), ("gateway", "istio")):
        code, out, said = planned(spec(backend=before, entries=own), spec(backend=after, entries=own))
        assert (code, out, said.count("\n")) == (2, "", 1)
        assert f"spec.backend: is {after}, and in the cluster the group is {before}" in said
        assert f"graylane move -f FILE --to {after} moves it over" in said


@pytest.mark.parametrize(
    ("hosts", "risks"),
    [
        (["beta.example.com", "cat.example.com"], True),
        (["cat.example.com", "beta.example.com"], False),
        (["beta.example.com"], False),
    ],
)
def test_another_first_host_gives_the_others_another_address_and_the_plan_says_so(planned, hosts, risks):
    """istiod makes Pods for each Gateway, whose name comes from the first host."""
    before, after = spec(), spec()
    for one, names in ((before, ["cat.example.com"]), (after, hosts)):
        one["spec"]["entries"] = [
            {"hosts": names, "gateway": {"class": "istio", "port": 80}, "routes": [{"service": "cat"}]}
        ]
    code, out, _ = planned(before, after)
    assert code == 0
    assert ("risk: cat.example.com gets another address" in out) is risks
