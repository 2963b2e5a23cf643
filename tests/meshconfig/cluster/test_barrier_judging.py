"""What the barrier reads from istiod's pages: pages of a real istiod (1.31), and the flat form of older ones."""

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from stand_in import StandIn

from meshconfig.backend import backend
from meshconfig.backend.evidence import NO_PODS, Evidence, Written
from meshconfig.cluster.barrier.change import StepChange
from meshconfig.cluster.barrier.endpoints import endpoints, lack, lacking
from meshconfig.cluster.barrier.follow import Follower
from meshconfig.cluster.barrier.need import (
    ResourceClass,
    concerned,
    endpoints_warm,
    missing_endpoints,
    newest,
    push_need,
    unacknowledged,
)
from meshconfig.cluster.barrier.pages import Proxy, Sent, Version, proxies, pushed, unseen, version, watches
from meshconfig.cluster.barrier.push_detector import PushDetector
from meshconfig.cluster.barrier.sends import Sends
from meshconfig.cluster.objects import Key, Manifest, key
from meshconfig.cluster.plan import NewSubset

PAGES = Path(__file__).with_name("test_barrier_pages")
HOST = "cat-svc.graylane-test.svc.cluster.local"


def page(name: str) -> Any:
    return json.loads((PAGES / f"{name}.json").read_text())


def written() -> list[Manifest]:
    """As the API server answered them: the pages were taken right after these were applied."""
    answered = {(one["kind"], one["metadata"]["name"]): one["metadata"] for one in page("configz")}
    return [{**one, "metadata": answered[one["kind"], one["metadata"]["name"]]} for one in _files()]


def _files() -> list[Manifest]:
    return list(yaml.safe_load_all((PAGES / "written.yaml").read_text()))


RULE, MESH, ENTRY = written()


def shown(dump: Any, one: Manifest, before: Manifest | None = None) -> Evidence:
    """What a page shows of one written resource."""
    known = {key(before): before} if before else {}
    return backend().evidence(dump, Written((one,), (), known, "env"))


class Subset:
    host, port, name, labels = HOST, 9001, "gray", (("env", "gray"),)


NEAR_AND_FAR = [("cat-1.graylane-test", "sidecar"), ("cat-1.far", "sidecar"), ("gateway-1.graylane-test", "router")]


@pytest.mark.parametrize("form", ["syncz", "syncz-flat"])
def test_both_forms_of_syncz_say_the_same(form: str) -> None:
    gateway, probe = sorted(proxies(page(form)), key=lambda proxy: proxy.kind)
    assert (gateway.kind, gateway.namespace, probe.kind, probe.namespace) == (
        "router",
        "istio-system",
        "sidecar",
        "graylane-test",
    )
    assert set(probe.sent) == {"CDS", "EDS", "LDS", "RDS"}
    assert probe.sent["RDS"].version == version("2026-11-21T14:23:51Z/43")
    assert unacknowledged(probe, {"CDS", "RDS"}, {}) == ()


def test_a_type_that_was_sent_and_not_acknowledged_is_behind() -> None:
    found = page("syncz")
    found[1]["resources"]["type.googleapis.com/envoy.config.route.v3.RouteConfiguration"]["acked"] = "another"
    (late,) = [proxy for proxy in proxies(found) if unacknowledged(proxy, {"CDS", "RDS"}, {})]
    assert unacknowledged(late, {"CDS", "RDS"}, {}) == ("RDS",)
    assert unacknowledged(late, {"CDS"}, {}) == ()


def test_what_was_acknowledged_long_ago_is_behind_a_later_push() -> None:
    (probe,) = [proxy for proxy in proxies(page("syncz")) if proxy.kind == "sidecar"]
    same, later = version("2026-11-21T14:23:51Z/43"), version("2026-11-21T14:23:51Z/100")
    assert same is not None
    assert later is not None
    assert unacknowledged(probe, {"RDS"}, {"RDS": same}) == ()
    assert unacknowledged(probe, {"RDS"}, {"RDS": later}) == ("RDS",)


def test_versions_are_in_order_also_after_a_restart_of_istiod() -> None:
    texts = [
        "2026-11-21T14:23:51Z/9",
        "2026-11-21T14:23:51Z/10",
        "2026-11-21T16:23:52+02:00/11",
        "2026-11-21T15:00:00Z/1",
    ]
    found = [one for text in texts if (one := version(text))]
    assert found == sorted(found)
    assert len(found) == 4


@pytest.mark.parametrize(
    "text",
    ["", "43", "yesterday/43", "2026-11-21T14:23:51Z/", "2026-11-21T14:23:51Z", "9999-12-31T23:59:59-10:00/1"],
)
def test_what_is_no_version_is_none(text: str) -> None:
    assert version(text) is None


def test_configz_tells_what_istiod_has_not_read() -> None:
    newer = copy.deepcopy(RULE)
    newer["metadata"]["generation"] += 1
    other = copy.deepcopy(MESH)
    other["metadata"]["uid"] = "deleted and made again"
    status = copy.deepcopy(ENTRY)
    status["metadata"]["resourceVersion"] = "999999"  # only a status was written: nothing for proxies
    absent = {**RULE, "metadata": {**RULE["metadata"], "name": "absent"}}
    there, gone = Key("VirtualService", "graylane-test", "cat"), Key("VirtualService", "graylane-test", "was")
    assert unseen(page("configz"), written(), [gone]) == ()
    late = unseen(page("configz"), [newer, other, status, absent], [there])
    assert [str(one) for one in late] == [
        "DestinationRule graylane-test/cat",
        "VirtualService graylane-test/cat",
        "DestinationRule graylane-test/absent",
        "VirtualService graylane-test/cat",
    ]


class Recorded:
    """An istiod that answers with the pages of this folder; `asked`: whose configuration was read."""

    name = "istiod"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, page_name: str, query: Mapping[str, str]) -> Any:
        if page_name != "config_dump":
            return page(page_name)
        self.asked.append(next(one.kind for one in proxies(page("syncz")) if one.name == query["proxyID"]))
        return page(f"config_dump-{'gateway' if self.asked[-1] == 'router' else 'sidecar'}")

    def tell(self, page_name: str, query: Mapping[str, str]) -> None:
        raise AssertionError(page_name)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("one", "kinds"), [(MESH, {"sidecar"}), (ENTRY, {"router"}), (RULE, {"sidecar", "router"})])
def test_only_the_configuration_of_proxies_that_can_have_the_change_is_read(one: Manifest, kinds: set[str]) -> None:
    istiod = Recorded()
    follower = Follower(istiod, push_need(StepChange((one,), tag="env")), lambda: NO_PODS)
    looks = [follower.look(now) for now in (0.0, 3.0)]
    assert looks[-1].witnessed
    assert looks[-1].waiting == ()
    assert set(istiod.asked) == kinds


def test_without_a_generation_the_resource_version_tells() -> None:
    found = page("configz")
    for one in found:
        del one["metadata"]["generation"]
    newer = copy.deepcopy(RULE)
    newer["metadata"]["resourceVersion"] = str(int(RULE["metadata"]["resourceVersion"]) + 1)
    assert unseen(found, [RULE], ()) == ()
    assert unseen(found, [newer], ())


@pytest.mark.parametrize(
    ("dump", "one", "shows"),
    [
        ("sidecar", RULE, Evidence.SHOWS),
        ("sidecar", MESH, Evidence.SHOWS),
        ("sidecar", ENTRY, Evidence.ABSENT),
        ("gateway", RULE, Evidence.SHOWS),
        ("gateway", MESH, Evidence.ABSENT),
        ("gateway", ENTRY, Evidence.SHOWS),
    ],
)
def test_a_configuration_shows_what_it_was_made_from(dump: str, one: Manifest, shows: Evidence) -> None:
    assert shown(page(f"config_dump-{dump}"), one) is shows
    assert pushed(page(f"config_dump-{dump}")) == version("2026-11-21T14:23:51Z/43")


def _changed(one: Manifest, change: str) -> Manifest:
    one = copy.deepcopy(one)
    spec: Any = one["spec"]
    match change:
        case "another subset":
            spec["subsets"].append({"name": "blue"})
        case "a subset less":
            spec["subsets"].pop()
        case "another route":
            spec["http"].insert(0, {**spec["http"][0], "name": "blue"})
        case "a route less":
            spec["http"].pop(0)
        case "another destination":
            spec["http"][0]["route"][0]["destination"]["subset"] = "blue"
        case "other weights":
            spec["http"][1]["route"][0]["weight"], spec["http"][1]["route"][1]["weight"] = 11, 89
        case "another tag per destination":
            spec["http"][1]["route"][0]["headers"]["request"]["set"]["env"] = "gray.2"
        case "another tag per route":
            spec["http"][0]["headers"]["request"]["set"]["env"] = "gray.2"
        case "another match":
            spec["http"][0]["match"][0]["headers"]["env"]["exact"] = "gray.2"
    return one


@pytest.mark.parametrize(
    ("dump", "one", "change"),
    [
        ("sidecar", RULE, "another subset"),
        ("sidecar", RULE, "a subset less"),
        ("sidecar", MESH, "another route"),
        ("sidecar", MESH, "a route less"),
        ("sidecar", MESH, "another destination"),
        ("sidecar", MESH, "other weights"),
        ("sidecar", MESH, "another tag per destination"),
        ("sidecar", MESH, "another match"),
        ("gateway", ENTRY, "another tag per route"),
    ],
)
def test_a_configuration_made_before_a_change_does_not_show_it(dump: str, one: Manifest, change: str) -> None:
    assert shown(page(f"config_dump-{dump}"), _changed(one, change), one) is Evidence.DIFFERS


def test_a_deleted_resource_that_still_shows_differs() -> None:
    dump = page("config_dump-sidecar")
    assert (
        backend().evidence(dump, Written(deleted=(Key("VirtualService", "graylane-test", "cat"),))) is Evidence.DIFFERS
    )
    assert (
        backend().evidence(dump, Written(deleted=(Key("VirtualService", "graylane-test", "cat-entry"),)))
        is Evidence.ABSENT
    )


def sent(number: int) -> Sent:
    nonce = f"2026-01-01T00:00:00Z/{number}{'0' * 36}"
    return Sent(nonce, nonce)


def test_endpoints_of_two_later_pushes_show_that_a_proxy_has_all_of_the_one_before() -> None:
    """With the first of them, its routes may still be on their way: endpoints are sent before them. Where an older
    push comes after a newer one, nothing is known."""

    def probe(endpoints: int) -> Proxy:
        return Proxy("a.demo", "sidecar", {"RDS": sent(4), "EDS": sent(endpoints)})

    wanted = {"RDS": version("2026-01-01T00:00:00Z/6")}
    sends = Sends([probe(4)])
    late = []
    for number in (5, 6, 7, 7, 5, 8):
        sends.note([probe(number)], 1.0)
        late.append(unacknowledged(probe(number), {"RDS"}, wanted, sends.ended(probe(number))))
    assert late == [("RDS",), ("RDS",), (), (), ("RDS",), ("RDS",)]


def test_a_proxy_that_connects_is_no_sign_of_a_push() -> None:
    def proxy(name: str, nonce: str) -> Proxy:
        return Proxy(name, "sidecar", {"CDS": Sent(nonce, nonce)})

    sends = Sends([proxy("a.demo", "1")])
    sends.note([proxy("a.demo", "1"), proxy("b.demo", "1")], 1.0)
    assert not sends.is_pushing(1.5, within=2.5)
    sends.note([proxy("a.demo", "2"), proxy("b.demo", "1")], 2.0)
    assert sends.is_pushing(3.0, within=2.5)
    assert not sends.is_pushing(5.0, within=2.5)


def test_whom_a_change_concerns() -> None:
    gateway, probe = sorted(proxies(page("syncz")), key=lambda proxy: proxy.kind)
    watched = watches(page("adsz"))
    elsewhere = ["outbound|80||shop.other.svc.cluster.local"]
    mesh, entry, rule = (push_need(StepChange((one,))) for one in (MESH, ENTRY, RULE))
    assert [concerned(probe, one, watched[probe.name]) for one in (mesh, entry, rule)] == [True, False, True]
    assert [concerned(gateway, one, watched[gateway.name]) for one in (mesh, entry, rule)] == [True, True, True]
    assert [concerned(probe, one, elsewhere) for one in (mesh, entry, rule)] == [False, False, False]
    assert [concerned(probe, one, None) for one in (mesh, entry, rule)] == [None, False, None]
    gone = push_need(StepChange((), (Key("DestinationRule", "graylane-test", "cat"),)))
    assert concerned(probe, gone, None) is True
    far = Proxy("web-1.other", "sidecar", probe.sent)  # it calls the host from another namespace
    gone = push_need(StepChange((), (key(MESH),), before={key(MESH): MESH}))
    assert [concerned(far, gone, one) for one in (watched[probe.name], elsewhere)] == [True, False]


def test_nothing_is_known_of_a_proxy_that_has_asked_for_clusters_alone() -> None:
    cluster, listener = (
        f"type.googleapis.com/envoy.config.{one}" for one in ("cluster.v3.Cluster", "listener.v3.Listener")
    )
    clients = [
        {"connectionId": "new.demo-1", "watches": {cluster: []}},
        {"connectionId": "none.demo-2", "watches": {cluster: [], listener: None}},
    ]
    assert watches({"clients": clients}) == {"none.demo": frozenset()}


def test_a_service_entry_and_a_route_of_it_concern_who_has_its_host() -> None:
    metadata = {"name": "api.pay.example", "namespace": "demo"}
    entry = {"kind": "ServiceEntry", "apiVersion": "networking.istio.io/v1", "metadata": metadata}
    parent = {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "api.pay.example"}
    api = "gateway.networking.k8s.io/v1"
    route = {"kind": "HTTPRoute", "apiVersion": api, "metadata": metadata, "spec": {"parentRefs": [parent]}}
    for one in ({**entry, "spec": {"hosts": ["api.pay.example"]}}, route):
        need = push_need(StepChange((one,)))
        assert (need.hosts, need.outside) == ({"api.pay.example"}, {"demo"})
        assert [found.sidecars for found in newest(need.written)] == [True]


def test_a_service_entry_is_shown_by_clusters_that_it_had_not_before() -> None:
    metadata = {"name": "api.pay.example", "namespace": "demo"}

    def entry(port: int, target: int) -> Manifest:
        spec = {"hosts": ["api.pay.example"], "ports": [{"number": port, "targetPort": target}]}
        return {"kind": "ServiceEntry", "apiVersion": "networking.istio.io/v1", "metadata": metadata, "spec": spec}

    dump = {"configs": [{"dynamicActiveClusters": [{"cluster": {"name": "outbound|80||api.pay.example"}}]}]}
    before = {key(entry(80, 443)): entry(80, 443)}
    assert shown(dump, entry(80, 443)) is Evidence.SHOWS
    assert shown(dump, entry(80, 8443), entry(80, 443)) is Evidence.ABSENT
    assert not newest([entry(80, 8443)], before)
    assert newest([entry(81, 443)], before)


def test_the_push_of_a_type_is_the_one_that_has_all_of_its_resources() -> None:
    rule, entry = (ResourceClass("CDS", routers=True, sidecars=True, kind=kind) for kind in ("", "ServiceEntry"))
    lower, higher = (Version(datetime(2026, 1, 1, tzinfo=UTC), number) for number in (2, 3))
    istiod: Any = None
    detector = PushDetector(push_need(StepChange(())), 0.0, istiod, Sends([]), istiod, istiod)
    for pushes in ({rule: lower, entry: higher}, {rule: higher, entry: lower}):
        detector._pushes.update(pushes)
        assert detector.since(Proxy("a.demo", "sidecar", {})) == {"CDS": higher}


def test_a_host_outside_the_cluster_may_concern_each_sidecar_of_its_namespace() -> None:
    outside = {**MESH, "spec": {**MESH["spec"], "hosts": ["api.pay.example"]}}
    need = push_need(StepChange((outside,)))
    others = frozenset({"outbound|80||shop.other.svc.cluster.local"})  # such a host's endpoints are watched by nobody
    assert [concerned(Proxy(name, kind, {}), need, others) for name, kind in NEAR_AND_FAR] == [None, False, False]
    inside = push_need(StepChange((MESH,)))
    assert [concerned(Proxy(name, kind, {}), inside, others) for name, kind in NEAR_AND_FAR] == [False, False, False]


def test_workloads_are_nothing_to_proxies() -> None:
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}}
    assert push_need(StepChange((deployment,), (Key("HorizontalPodAutoscaler", "b", "a"),))).types == frozenset()


def test_what_two_backends_have_made_is_read_by_the_one_that_knows_both() -> None:
    need = push_need(StepChange((RULE,), (), (Subset(),), beside=True))
    assert need.backend == "gateway"
    assert need.clusters == push_need(StepChange((RULE,), (), (Subset(),))).clusters


def test_the_last_written_of_each_sort_stands_for_it() -> None:
    older = copy.deepcopy(MESH)
    older["metadata"] |= {"name": "older", "resourceVersion": "9"}  # fewer digits: numbers, not texts
    found = newest([MESH, older, ENTRY, RULE])
    assert sorted(one["metadata"]["name"] for one in found.values()) == ["cat", "cat", "cat-entry"]


def test_a_new_cluster_is_cold_until_its_endpoints_are_asked_for() -> None:
    asked = push_need(StepChange((RULE,), (), (Subset(),)))
    names = watches(page("adsz"))[next(proxy.name for proxy in proxies(page("syncz")) if proxy.kind == "sidecar")]
    new = f"outbound|9001|gray|{HOST}"
    assert new in names
    assert missing_endpoints(asked, names) == ()
    assert missing_endpoints(asked, names - {new}) == (new,)
    assert missing_endpoints(asked, {"outbound|80||shop.other.svc.cluster.local"}) == ()


def test_endpoints_sent_after_the_push_were_asked_for() -> None:
    (probe,) = [proxy for proxy in proxies(page("syncz")) if proxy.kind == "sidecar"]
    assert endpoints_warm(probe)  # the page was taken after Envoy had asked
    found = page("syncz")
    for one in found:
        resources = one["resources"]
        resources["type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"]["sentTime"] = resources[
            "type.googleapis.com/envoy.config.cluster.v3.Cluster"
        ]["sentTime"]
    assert not any(endpoints_warm(proxy) for proxy in proxies(found))
    assert not any(endpoints_warm(proxy) for proxy in proxies(page("syncz-flat")))  # no times: can't be told


def test_only_ready_endpoints_that_stay_count() -> None:
    def one(name: str, **conditions: bool) -> Manifest:
        return {"targetRef": {"kind": "Pod", "name": name}, "conditions": conditions}

    slices: list[Manifest] = [
        {"endpoints": [one("a", ready=True), one("b", ready=False)]},
        {"endpoints": [one("c")]},
        {"endpoints": None},
    ]
    leaving = [{"endpoints": [one("d", ready=True, terminating=True)]}]
    assert endpoints(slices + leaving) == {"a", "c"}


@pytest.mark.parametrize("name", ["syncz", "syncz-flat"])
def test_a_sidecar_takes_connections_once_it_has_listeners(name: str) -> None:
    assert all(proxy.listens for proxy in proxies(page(name)))
    for one in (starting := page(name)):
        one["listener_acked"] = ""
        one.get("resources", {}).pop("type.googleapis.com/envoy.config.listener.v3.Listener", None)
    assert [proxy.listens for proxy in proxies(starting)] == [False] * len(starting)


@pytest.mark.parametrize(
    ("serving", "matching", "meshed", "lacks"),
    [
        ("ab", "b", "a", "its ready Pods have no sidecar that takes connections yet"),
        ("ab", "b", "ab", ""),
        ("ab", "c", "ab", "no ready endpoint"),
        ("ab", "b", "", ""),  # nobody behind this Service has a sidecar: it needs none
    ],
)
def test_what_a_subset_lacks(serving: str, matching: str, meshed: str, lacks: str) -> None:
    assert lack(set(serving), set(matching), set(meshed), known=True) == lacks


def test_a_service_of_a_version_alone_needs_endpoints_of_its_own() -> None:
    class Client(StandIn):
        there: ClassVar = ["cat-svc"]

        def list_resources(self, kind: str, namespace: str, selector: str = "") -> list[Manifest]:
            if kind == "Pod":
                return [{"metadata": {"name": "cat-1", "labels": {"v": "v1"}}}]
            name = selector.partition("=")[2]
            ready = {"conditions": {"ready": True}, "targetRef": {"name": "cat-1"}}
            labels = {"kubernetes.io/service-name": name}
            return [{"metadata": {"labels": labels}, "endpoints": [ready]}] if name in self.there else []

        def map_concurrently(self, work: Any, given: Any) -> list[Any]:
            return list(map(work, given))

    one = NewSubset("cat-svc.demo.svc.cluster.local", 80, "v1", (("v", "v1"),))
    hosts: Any = {one: "cat-svc-v1.demo.svc.cluster.local"}
    client: Any = Client()
    assert lacking(client, hosts, (), wait_for_proxies=False) == ["Service demo/cat-svc-v1: no ready endpoint"]
    shared: Any = {one: one.host}
    assert lacking(client, shared, (), wait_for_proxies=False) == []
    client.there = ["cat-svc", "cat-svc-v1"]
    assert lacking(client, hosts, (), wait_for_proxies=False) == []
