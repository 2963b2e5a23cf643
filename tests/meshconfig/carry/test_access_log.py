"""What Envoy logs becomes a record of the group, whatever somebody sends in its place."""

import pytest
from carried_chains import shop
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.carry import OTHER, UNTAGGED, AccessLog, CarryJudge, Workload, sole_lanes
from meshconfig.carry.access_log import pod_of
from meshconfig.carry.pods import versions_of, workloads_of
from meshconfig.spec import LaneGroup

NODE = "sidecar~10.0.0.7~cart-gray-6d5f.7.demo~demo.svc.cluster.local"
POD, CART = "demo/cart-gray-6d5f.7", Workload("cart", "gray")
CALL = {"node": NODE, "cluster": "outbound|80|gray|stock.demo.svc.cluster.local", "tag": "gray"}


def log(group: LaneGroup | None = None) -> AccessLog:
    return AccessLog(group or shop(), {POD: CART}.get)


def with_baggage() -> LaneGroup:
    group = shop()
    tag = group.spec.tag.model_copy(update={"baggage": True})
    return group.model_copy(update={"spec": group.spec.model_copy(update={"tag": tag})})


def test_a_call_has_its_caller_its_callee_its_lane_and_no_query() -> None:
    one = log().read({**CALL, "request_id": "r1", "path": "/a?token=secret", "code": "503"}, 1.5)
    assert one
    assert (one.time, one.pod, one.workload, one.callee) == (1.5, POD, CART, Workload("stock", "gray"))
    assert (one.lane, one.request_id, one.path, one.code) == ("gray", "r1", "/a", "503")


def test_a_cluster_is_known_by_the_name_that_its_statistics_have_too() -> None:
    one = log().read({**CALL, "cluster": f"{CALL['cluster']};"}, 0)
    assert one
    assert one.callee == Workload("stock", "gray")


def test_a_request_that_came_in_has_no_callee() -> None:
    one = log().read({**CALL, "cluster": "inbound|8080||"}, 0)
    assert one
    assert one.callee is None


@pytest.mark.parametrize(
    ("tag", "lane"),
    [("gray", "gray"), ("gray.next2", "gray"), ("-", UNTAGGED), ("", UNTAGGED), ("grayish", OTHER), ("gray.x", OTHER)],
)
def test_the_lane_is_that_of_the_tag(tag: str, lane: str) -> None:
    one = log().read({**CALL, "tag": tag}, 0)
    assert one
    assert one.lane == lane


def test_baggage_counts_where_the_group_says_so_and_the_header_is_absent() -> None:
    sent = {**CALL, "tag": "-", "baggage": "a=b, env = gray;x=1"}
    plain, baggage = log().read(sent, 0), log(with_baggage()).read(sent, 0)
    header = log(with_baggage()).read({**sent, "tag": "blue"}, 0)
    assert plain
    assert baggage
    assert header
    assert (plain.lane, baggage.lane, header.lane) == (UNTAGGED, "gray", "blue")


@pytest.mark.parametrize(
    "changed",
    [
        {"node": "router~10.0.0.7~gateway.demo~demo.svc.cluster.local"},
        {"node": "sidecar~10.0.0.7~other.demo~demo.svc.cluster.local"},
        {"node": "-"},
        {"cluster": "-"},
        {"cluster": "outbound|443||pay.example.com"},
        {"cluster": "BlackHoleCluster"},
    ],
    ids=str,
)
def test_requests_of_others_and_to_others_are_left_out(changed: dict[str, str]) -> None:
    assert log().read({**CALL, **changed}, 0) is None


def test_a_record_without_attributes_is_left_out() -> None:
    assert log().read({}, 0) is None


def test_a_version_that_the_group_does_not_have_is_unknown() -> None:
    one = log().read({**CALL, "cluster": "outbound|80|v9|stock.demo.svc.cluster.local"}, 0)
    assert one
    assert str(one.callee) == "stock"


@given(st.dictionaries(st.sampled_from(["tag", "baggage", "path", "request_id", "code"]), st.text(max_size=300)))
def test_what_is_kept_of_any_record_is_bounded(sent: dict[str, str]) -> None:
    group = with_baggage()
    one = log(group).read({**CALL, **sent}, 0)
    assert one
    assert one.lane in {*group.spec.lanes, UNTAGGED, OTHER}
    assert len(one.path) <= 200
    assert len(one.request_id) <= 128
    CarryJudge(sole_lanes(group)).add(one, 0)


@pytest.mark.parametrize(
    ("route", "lane"), [("gray", "gray"), ("gray.next", "gray"), ("default", UNTAGGED), ("-", UNTAGGED), ("x", OTHER)]
)
def test_a_call_that_leaves_the_mesh_has_a_lane_of_the_group_by_its_route(route: str, lane: str) -> None:
    group = shop()
    stock = group.spec.services["stock"]
    gone = next(iter(stock.versions.values())).model_copy(update={"host": "stock.example.com"})
    changed = stock.model_copy(update={"versions": {**stock.versions, "gray": gone}})
    spec = group.spec.model_copy(update={"services": {**group.spec.services, "stock": changed}})
    reader = AccessLog(group.model_copy(update={"spec": spec}), {POD: CART}.get, outside=True)
    one = reader.read({**CALL, "cluster": "outbound|443||stock.example.com", "tag": "-", "route": route}, 0)
    assert one
    assert (one.callee, one.lane) == (Workload("stock", "gray"), lane)


def test_a_node_names_its_pod() -> None:
    assert pod_of(NODE) == POD
    assert pod_of("sidecar~~~") == pod_of("sidecar") == pod_of("ztunnel~1~a.b~c") == ""


def pod(name: str, labels: dict[str, str], owner: str = "") -> dict[str, object]:
    owners = [{"name": owner, "kind": "ReplicaSet", "controller": True}] if owner else []
    return {"metadata": {"name": name, "namespace": "demo", "labels": labels, "ownerReferences": owners}}


SERVICES = [
    {"metadata": {"name": name, "namespace": "demo"}, "spec": {"selector": {"app": name}}}
    for name in ("front", "cart", "stock")
]


def test_a_pod_is_the_version_whose_labels_and_whose_services_selector_it_has() -> None:
    pods = [
        pod("a", {"app": "cart", "v": "gray", "x": "y"}),
        pod("b", {"app": "stock", "v": "gray"}),
        pod("c", {"app": "cart"}),
        pod("d", {"v": "gray"}),
    ]
    assert versions_of(shop(), SERVICES, pods) == {"demo/a": CART, "demo/b": Workload("stock", "gray")}


def test_without_the_services_a_pod_that_two_versions_fit_is_not_guessed() -> None:
    assert versions_of(shop(), [], [pod("a", {"app": "cart", "v": "gray"})]) == {}


def test_a_workload_is_the_pods_controller_or_the_spec_s_name() -> None:
    group = shop()
    pods = [pod("a-6d5f-x", {"app": "cart", "v": "gray", "pod-template-hash": "6d5f"}, "canary-6d5f")]
    found = workloads_of(group, pods, versions_of(group, SERVICES, pods))
    assert found["demo", "canary"] == CART
    assert found["demo", "cart-gray"] == CART
    assert found["demo", "front-blue"] == Workload("front", "blue")
