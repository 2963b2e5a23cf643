"""`graylane apply --adopt` and the way back, against an API server on loopback: what is taken over, in which order."""

import pytest
import yaml
from handwritten import header, to
from rollout_world import GROUP
from runner_world import AT_ONCE, cluster

from meshconfig.cluster import adoption

__all__ = ["cluster"]

PETS = ("pets", "-n", "demo")
SPEC = GROUP.replace(
    "entries:\n    - hosts: [cat.example.com]",
    "entries:\n    - hosts: [cat.example.com]\n      gateway: {use: demo/edge}",
)
PORT = {"number": 9001}


def manifest(kind, name, spec, **metadata):
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "demo", "labels": {}, **metadata},
        "spec": spec,
    }


def routes(name, service, *, hosts=None, gateways=None):
    http = [to(f"{service}-svc", "v2", match=header("env", "gray")), to(f"{service}-svc", "v1")]
    for route in http:
        route["route"][0]["destination"]["port"] = PORT
    more = {"gateways": gateways} if gateways else {}
    return manifest("VirtualService", name, {"hosts": hosts or [f"{service}-svc"], **more, "http": http})


def rule(name, service, labels=None):
    subsets = [{"name": one, "labels": labels or {"v": one}} for one in ("v1", "v2")]
    return manifest("DestinationRule", name, {"host": f"{service}-svc", "subsets": subsets})


@pytest.fixture
def originals(cluster):
    """Routes by hand: at the Gateway, for cat under another name, for mouse under graylane's."""
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    given = [
        manifest("Gateway", "edge", {"selector": {"istio": "ingressgateway"}, "servers": [server]}),
        routes("shop", "cat", hosts=["cat.example.com"], gateways=["edge"]),
        routes("cats", "cat"),
        routes("mouse-svc", "mouse"),
        rule("cats", "cat"),
        rule("mouse-svc", "mouse"),
    ]
    cluster.api.put(*given)
    return {(f"{one['kind'].lower()}s", one["metadata"]["name"]): one["spec"] for one in given}


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "graylane.yaml"
    file.write_text(SPEC)
    return file


def test_without_adopt_nothing_is_taken_over_and_the_message_says_how(run, cluster, spec, originals):
    text = run("apply", "-f", spec, *AT_ONCE, code=1)
    assert "VirtualService demo/mouse-svc is there already and is nobody's; --adopt takes it over" in text
    assert cluster.routes() == originals


def test_a_plan_shows_what_is_taken_over_and_in_which_order(run, cluster, spec, originals):
    (plan,) = run("plan", "-f", spec, "--adopt", "--output", "json")
    assert "takes over VirtualService demo/mouse-svc, which has a name of the group's" in plan["reasons"]
    assert "replaces VirtualService demo/cats, which routes hosts of the group" in plan["reasons"]
    assert not any("replaces" in reason and "mouse-svc" in reason for reason in plan["reasons"])
    titles = [step["title"] for step in plan["steps"]]
    assert titles == [
        "adopt: subsets that are not there yet",
        "adopt: routes between services in the place of others",
        "adopt: entries in the place of others",
        "adopt: subsets in the place of others",
    ]
    subsets, between, entries, last = plan["steps"]
    assert subsets["deletes"] == []
    assert subsets["writes"] == ["DestinationRule demo/dog-svc", "DestinationRule demo/mouse-svc"]
    assert between["deletes"] == ["VirtualService demo/cats"]
    assert entries["deletes"] == ["VirtualService demo/shop"]
    assert (last["writes"], last["deletes"]) == (["DestinationRule demo/cat-svc"], ["DestinationRule demo/cats"])
    assert all(step["barrier"] for step in plan["steps"])
    printed = run("plan", "-f", spec, "--adopt")
    assert all(title in printed for title in titles)
    assert cluster.routes() == originals


def test_a_dry_run_and_a_diff_show_it_and_change_nothing(run, cluster, spec, originals):
    said = run("apply", "-f", spec, "--adopt", "--dry-run", *AT_ONCE)
    assert "deleted VirtualService demo/shop" in said
    changed = run("diff", "-f", spec, "--adopt", "--output", "json", code=1)
    kinds = {(one["kind"], one["name"]): one["change"] for one in changed}
    assert kinds["VirtualService", "cats"] == "deleted"
    assert kinds["VirtualService", "mouse-svc"] == "changed"
    assert cluster.routes() == originals


def test_adopt_replaces_what_routes_the_groups_hosts_and_leaves_the_rest(run, cluster, spec, originals):
    other = routes("bird", "bird")
    cluster.api.put(other)
    run("apply", "-f", spec, "--adopt", *AT_ONCE)
    names = {name for kind, name in cluster.routes() if kind == "virtualservices"}
    assert names == {"cat-example-com", "cat-svc", "mouse-svc", "dog-svc", "bird"}
    assert {name for kind, name in cluster.routes() if kind == "destinationrules"} == {
        "cat-svc",
        "mouse-svc",
        "dog-svc",
    }
    assert cluster.routes()["virtualservices", "bird"] == other["spec"]
    assert cluster.api.get("gateways", "edge")["spec"] == originals["gateways", "edge"]
    assert run("diff", "-f", spec, "--output", "json") == []


def test_rollback_gives_back_what_was_adopted_first_or_by_zero(run, cluster, spec, originals):
    run("apply", "-f", spec, "--adopt", *AT_ONCE)
    adopted = cluster.routes()
    spec.write_text(
        SPEC.replace("v2: {labels: {v: v2}}}}\n    mouse", "v2: {labels: {v: v2}}, v3: {labels: {v: v3}}}}\n    mouse")
    )
    run("apply", "-f", spec, *AT_ONCE)
    run("rollback", *PETS, *AT_ONCE)
    assert cluster.routes() == adopted
    run("rollback", *PETS, "--to", "0", *AT_ONCE)
    assert cluster.routes() == originals
    last = run("history", *PETS, "--output", "json")[-1]
    assert (last["action"], last["outcome"]) == ("rollback to 0", "succeeded")


def test_the_first_rollback_after_an_adoption_gives_back(run, cluster, spec, originals):
    run("apply", "-f", spec, "--adopt", *AT_ONCE)
    run("rollback", *PETS, *AT_ONCE)
    assert cluster.routes() == originals
    text = run("rollback", *PETS, "--to", "0", *AT_ONCE, code=2)
    assert "nothing that --adopt took over" in text


@pytest.mark.slow
def test_originals_outlive_the_revision_that_took_them(run, cluster, spec, originals):
    run("apply", "-f", spec, "--adopt", *AT_ONCE)
    for number in range(12):
        spec.write_text(
            SPEC.replace(
                "v: v1}}, v2: {labels: {v: v2}}}}\n    mouse",
                f"v: v1}}}}, v2: {{labels: {{v: w{number}}}}}}}}}\n    mouse",
            )
        )
        run("apply", "-f", spec, *AT_ONCE, "--fast")
    assert "graylane-pets-r1" not in cluster.api.names("configmaps")
    run("rollback", *PETS, "--to", "0", *AT_ONCE)
    assert cluster.routes() == originals


def test_a_virtual_service_that_serves_gateway_and_mesh_goes_after_the_entries(run, cluster, spec):
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    host = "cat-svc.demo.svc.cluster.local"
    cluster.api.put(
        manifest("Gateway", "edge", {"selector": {"istio": "ingressgateway"}, "servers": [server]}),
        routes("both", "cat", gateways=["edge", "mesh"]),
        rule("cats", "cat"),
    )
    spec.write_text(SPEC.replace("[cat.example.com]", f"[{host}]"))
    (plan,) = run("plan", "-f", spec, "--adopt", "--output", "json")
    places = {name: number for number, step in enumerate(plan["steps"]) for name in (*step["writes"], *step["deletes"])}
    entry = next(number for name, number in places.items() if name.startswith("VirtualService demo/cat-svc-demo"))
    assert places["VirtualService demo/both"] == places["VirtualService demo/cat-svc"] > entry


def test_what_would_stay_and_win_stops_it_before_the_first_write(run, cluster, spec):
    faulty = routes("dogs", "dog")
    faulty["spec"]["exportTo"] = ["."]
    cluster.api.put(routes("cats", "cat"), faulty)
    text = run("apply", "-f", spec, "--adopt", *AT_ONCE, code=1)
    assert "VirtualService demo/dogs routes dog-svc.demo.svc.cluster.local and would stay: exportTo" in text
    assert "cat-svc" not in cluster.api.names("virtualservices")


CONSUMERS = "  consumers: {orders: {topic: orders, versions: {prod: orders}}}\n"


def test_the_list_of_consumers_is_written_with_an_adoption_and_goes_with_it(run, cluster, spec, originals):
    spec.write_text(SPEC + CONSUMERS)
    run("apply", "-f", spec, "--adopt", *AT_ONCE)
    assert "pets-consumers" in cluster.api.names("configmaps")
    run("rollback", *PETS, "--to", "0", *AT_ONCE)
    assert "pets-consumers" not in cluster.api.names("configmaps")
    assert cluster.routes() == originals


def test_a_config_map_of_others_is_not_taken_over(run, cluster, spec, originals):
    """What it holds could not be given back: a revision keeps the specs of what routes and scales."""
    spec.write_text(SPEC + CONSUMERS)
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"theirs": "1"}}
    cluster.api.put({**foreign, "metadata": {"name": "pets-consumers", "namespace": "demo"}})
    text = run("apply", "-f", spec, "--adopt", *AT_ONCE, code=1)
    assert "ConfigMap demo/pets-consumers is there already and is nobody's; if it is the group's, label it" in text
    assert cluster.api.get("configmaps", "pets-consumers")["data"] == {"theirs": "1"}
    assert cluster.routes() == originals


def test_an_autoscaler_of_others_is_taken_over_and_given_back_whole(run, cluster, spec, originals):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cat-v2"}
    memory = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization"}}}
    theirs = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9, "metrics": [memory]}
    cluster.api.put(manifest("HorizontalPodAutoscaler", "cat-v2", theirs) | {"apiVersion": "autoscaling/v2"})
    scaled = "v2: {labels: {v: v2}, workload: cat-v2, autoscale: {min: 3, max: 5, cpu: 70}}}}\n    mouse"
    spec.write_text(SPEC.replace("v2: {labels: {v: v2}}}}\n    mouse", scaled))
    assert "--adopt takes it over" in run("apply", "-f", spec, *AT_ONCE, code=1)
    run("apply", "-f", spec, "--adopt", *AT_ONCE)
    assert cluster.api.get("horizontalpodautoscalers", "cat-v2")["spec"]["minReplicas"] == 3
    run("rollback", *PETS, "--to", "0", *AT_ONCE)
    assert cluster.api.get("horizontalpodautoscalers", "cat-v2")["spec"] == theirs


def test_subsets_of_one_name_and_other_pods_stop_it(run, cluster, spec):
    cluster.api.put(routes("cats", "cat"), rule("cats", "cat", labels={"v": "other"}))
    text = run("apply", "-f", spec, "--adopt", *AT_ONCE, code=1)
    assert "DestinationRule demo/cats has a subset v1 with other labels than the version of this name" in text


def test_requests_that_are_answered_in_another_way_are_risks_of_the_plan(run, cluster, spec, originals):
    spec.write_text(SPEC.replace("gray: {versions: {cat: v2, mouse: v2}}", "gray: {versions: {mouse: v2}}"))
    (plan,) = run("plan", "-f", spec, "--adopt", "--output", "json")
    assert any("cat.example.com" in risk and "is answered in another way" in risk for risk in plan["risks"])


@pytest.mark.parametrize(("paths", "shown", "more"), [(3, 4, 0), (4, 5, 0), (5, 5, 1), (9, 5, 5)])
def test_a_plan_shows_five_risks_and_counts_the_others(run, cluster, spec, originals, paths, shown, more):
    shop = routes("shop", "cat", hosts=["cat.example.com"], gateways=["edge"])
    matches = [[{"uri": {"exact": f"/{number}"}}] for number in range(paths)]
    tested = [{**shop["spec"]["http"][0], "match": match} for match in matches]
    shop["spec"]["http"] = [shop["spec"]["http"][0], *tested, shop["spec"]["http"][1]]
    cluster.api.put(shop)
    (plan,) = run("plan", "-f", spec, "--adopt", "--output", "json")
    listed = [risk for risk in plan["risks"] if " is answered in another way" in risk]
    assert len(listed) == shown
    counted = [risk for risk in plan["risks"] if "more kinds of requests" in risk]
    assert [risk.split()[0] for risk in counted] == [str(more)] * bool(more)


def test_a_rule_with_the_groups_name_is_changed_whatever_its_subsets_were(run, cluster, spec):
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    edge = manifest("Gateway", "edge", {"selector": {"istio": "ingressgateway"}, "servers": [server]})
    cluster.api.put(edge, rule("cat-svc", "cat", labels={"v": "other"}))
    run("apply", "-f", spec, "--adopt", *AT_ONCE)
    subsets = cluster.api.get("destinationrules", "cat-svc")["spec"]["subsets"]
    assert {one["name"]: one["labels"] for one in subsets} == {"v1": {"v": "v1"}, "v2": {"v": "v2"}}


def test_yaml_of_a_kept_original_is_what_was_there(originals):
    live = {**manifest("VirtualService", "x", {"hosts": ["x"]}), "status": {}}
    live["metadata"] |= {"uid": "1", "annotations": {adoption.LAST_APPLIED: "{}", "team": "pets"}}
    kept = adoption.original(live)
    assert kept["metadata"] == {"name": "x", "namespace": "demo", "labels": {}, "annotations": {"team": "pets"}}
    assert "status" not in yaml.safe_dump(kept)
