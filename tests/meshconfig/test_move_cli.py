"""`graylane move` as a user meets it, against an API server on loopback."""

import json

import pytest
import yaml
from fake_api import RefusedError
from fake_controller import FINALIZER, carried_out, controller, owned
from moving_world import API_GATEWAY, ISTIO_GATEWAY
from runner_world import AT_ONCE, cluster

from meshconfig.cluster import previews

__all__ = ["cluster"]

NOW = (*AT_ONCE, "--break-lock")
SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
# What comes in, and what answers.
spec:
  lanes:
    prod: {versions: {cat: v1, mouse: v1}}
    gray: {versions: {cat: v2, mouse: v2}}   # the next ones
  services:
    cat: {host: cat-svc, port: 9001, selector: {app: cat}, versions: {v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}}
    mouse: {host: mouse-svc, port: 9001, selector: {app: m}, versions: {v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}}
  entries:
    - hosts: [cat.example.com]
      gateway: {use: istio-system/edge}
      routes: [{service: cat}]
"""
ADDRESS = {"addresses": [{"type": "Hostname", "value": "ingress.istio-system.svc.cluster.local"}]}
FRONT = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"namespace": "istio-system", "name": "ingress"},
    "spec": {"selector": {"app": "ingress", "istio": "ingressgateway"}, "ports": [{"port": 80}]},
}
OURS = {**API_GATEWAY, "spec": {**API_GATEWAY["spec"], **ADDRESS}}
ROUTES = ("virtualservices", "httproutes")


@pytest.fixture
def api(cluster):
    cluster.api.put(ISTIO_GATEWAY, OURS, FRONT)
    return cluster.api


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "graylane.yaml"
    file.write_text(SPEC)
    return file


@pytest.fixture
def run(graylane):
    """A command and how it ends; gives what it prints, standard error last."""

    def run(command, file, *more, code=0):
        found, out, err = graylane(command, "-f", file, *more, *NOW)
        assert found == code, out + err
        return out + err

    return run


@pytest.fixture
def applied(api, run, spec):
    run("apply", spec)
    return api


def there(api):
    return {plural: len(api.names(plural)) for plural in (*ROUTES, "destinationrules", "services")}


ISTIO = {"virtualservices": 3, "httproutes": 0, "destinationrules": 2, "services": 3}
GATEWAY = {"virtualservices": 0, "httproutes": 3, "destinationrules": 0, "services": 7}


def test_a_group_goes_there_and_back_and_its_file_keeps_its_comments(applied, run, spec):
    assert there(applied) == ISTIO
    said = run("move", spec, "--to", "gateway")
    assert there(applied) == GATEWAY
    assert "deleted VirtualService demo/cat-svc" in said
    assert spec.read_text() == SPEC.replace("spec:\n", "spec:\n  backend: gateway\n")
    assert "no change" in run("apply", spec)
    run("move", spec, "--to", "istio")
    assert there(applied) == ISTIO
    assert spec.read_text() == SPEC.replace("spec:\n", "spec:\n  backend: istio\n")
    assert "no change" in run("move", spec, "--to", "istio")


@pytest.mark.slow
def test_more_hosts_than_one_http_route_takes_go_there_and_back(api, run, graylane, spec):
    hosts = ", ".join(f"h{number:02}.example.com" for number in range(20))
    spec.write_text(SPEC.replace("[cat.example.com]", f"[{hosts}]"))
    run("apply", spec)
    run("move", spec, "--to", "gateway")
    assert api.names("httproutes") == {"cat-svc", "mouse-svc", "h00-example-com", "h00-example-com.hosts-2"}
    assert "no change" in run("apply", spec)
    code, out, _ = graylane("status", "pets", "-n", "demo")
    assert (code, "drift" in out) == (0, False), out
    run("move", spec, "--to", "istio")
    assert there(api) == ISTIO


def test_the_new_routes_are_there_before_the_old_ones_go_and_what_those_led_to_goes_last(applied, run, spec):
    applied.seen.clear()
    run("move", spec, "--to", "gateway")
    writes = [(method, url.partition("?")) for method, url in applied.seen if method in ("PATCH", "DELETE")]
    did = [
        (method, url.split("/")[-2])
        for method, (url, _, query) in writes
        if "dryRun" not in query and "/leases/" not in url and "/configmaps/" not in url
    ]
    assert list(dict.fromkeys(did)) == [
        ("PATCH", "services"),
        ("PATCH", "httproutes"),
        ("DELETE", "virtualservices"),
        ("DELETE", "destinationrules"),
    ]


def test_a_dry_run_shows_the_steps_and_writes_nothing(applied, run, graylane, spec):
    before = dict(applied.objects)
    said = run("move", spec, "--to", "gateway", "--dry-run")
    for number, title in enumerate(("Services of versions", "routes: HTTPRoutes", "routes: the VirtualServices go"), 1):
        assert f"{number}. {title}" in said
    assert "+  backend: gateway" in said
    assert "nothing was written" in said
    assert (dict(applied.objects), spec.read_text()) == (before, SPEC)
    _, out, _ = graylane("move", "-f", spec, "--to", "gateway", "--dry-run", "--output", "json", *NOW)
    (found,) = json.loads(out)["moved"]
    assert [len(step["deletes"]) for step in found["plan"]["steps"]] == [0, 0, 3, 2]


@pytest.fixture
def cut_off(applied, graylane, spec):
    """A move to the Gateway API that ends in the middle: after so many writes, the API server answers it no more."""

    def run(count, to="gateway"):
        writes, before = 0, spec.read_text()

        def hook(method, url):
            nonlocal writes
            of_routes = method in ("PATCH", "DELETE") and "dryRun" not in url
            writes += of_routes and "/leases/" not in url and "/configmaps/" not in url
            if writes > count:
                raise RefusedError(403, "Forbidden", "no more")

        applied.before.append(hook)
        assert graylane("move", "-f", spec, "--to", to, *NOW)[0] == 1
        applied.before.clear()
        applied.objects.pop(("leases", "demo", "graylane-pets"))  # as if it had expired
        assert spec.read_text() == before

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("writes", "then"),
    [
        pytest.param(2, "istio", id="a Service is written"),
        pytest.param(5, "gateway", id="an HTTPRoute is written"),
        pytest.param(8, "istio", id="a VirtualService is deleted"),
        pytest.param(11, "gateway", id="a DestinationRule is deleted"),
    ],
)
def test_wherever_it_is_cut_off_it_goes_on_or_back(applied, run, cut_off, spec, writes, then):
    cut_off(writes)
    run("move", spec, "--to", then)
    assert there(applied) == {"gateway": GATEWAY, "istio": ISTIO}[then]
    assert f"  backend: {then}\n" in spec.read_text()


@pytest.mark.slow
def test_until_it_is_at_its_end_apply_says_how_to_end_it(run, cut_off, spec):
    cut_off(8)
    said = run("apply", spec, code=2)
    assert (
        "half gateway, as a move was cut off: graylane move -f FILE --to istio ends it, and --to gateway goes" in said
    )
    assert "graylane.yaml" in said


def test_apply_and_rollback_refuse_another_backend_and_name_the_command(applied, run, graylane, spec):
    run("move", spec, "--to", "gateway")
    spec.write_text(SPEC)
    said = run("apply", spec, code=2)
    assert "spec.backend: is istio, and in the cluster the group is gateway" in said
    assert "graylane move -f FILE --to istio" in said
    code, _, said = graylane("rollback", "pets", "-n", "demo", *NOW)
    assert code == 2
    assert "graylane move -f FILE --to istio" in said


def test_a_spec_that_is_not_what_the_cluster_has_is_applied_first(applied, run, spec):
    spec.write_text(SPEC.replace("prod: {versions: {cat: v1", "prod: {versions: {cat: v2"))
    said = run("move", spec, "--to", "gateway", code=1)
    assert "is not in the cluster as the spec says (changed VirtualService demo/" in said
    assert "first, with backend: istio, graylane apply -f FILE" in said
    assert there(applied) == ISTIO


@pytest.mark.slow
def test_a_move_that_was_begun_is_ended_with_the_same_spec(run, cut_off, spec):
    cut_off(8)
    spec.write_text(SPEC.replace("prod: {versions: {cat: v1", "prod: {versions: {cat: v2"))
    assert "graylane history pets -n demo --show 2" in run("move", spec, "--to", "gateway", code=1)


def test_what_is_not_there_is_not_moved(api, run, spec):
    assert "is not in the cluster: write backend: gateway" in run("move", spec, "--to", "gateway", code=1)


OWN = SPEC.replace("{use: istio-system/edge}", "{selector: {istio: ingressgateway}, port: 80}")
MANY = SPEC.replace(
    "prod: {versions", "".join(f"l{n}: {{versions: {{cat: v2}}}}\n    " for n in range(20)) + "prod: {versions"
)

PAY = "pay: {host: pay.example.com, port: 80, external: {tls: SIMPLE}, versions: {v1: {host: pay.example.com}}}"
PAID = SPEC.replace("  entries:", f"    {PAY}\n  entries:")
ABROAD = f"""\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: pets, namespace: demo}}
spec:
  lanes: {{prod: {{versions: {{pay: v1}}}}}}
  services:
    {PAY}
  entries:
    - hosts: [cat.example.com]
      gateway: {{use: istio-system/edge}}
      routes: [{{service: pay}}]
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            OWN,
            "graylane.yaml:14: spec.entries[0].gateway: a Gateway that graylane makes has other Pods",
        ),
        (MANY, "spec.services.cat: has more routes than one HTTPRoute takes"),
    ],
)
def test_what_cannot_move_without_loss_is_refused_with_its_line(api, run, spec, text, said):
    spec.write_text(text)
    run("apply", spec)
    found = run("move", spec, "--to", "gateway", code=2)
    assert said in found
    assert spec.read_text() == text


TLS = {"mode": "Terminate", "certificateRefs": [{"name": "x"}]}
LISTENER = API_GATEWAY["spec"]["listeners"][0]
SERVER = ISTIO_GATEWAY["spec"]["servers"][0]
GATEWAYS = {
    "has Pods and an address of its own": [API_GATEWAY],
    "selects other Pods than Service ingress.istio-system.svc.cluster.local": [
        {**FRONT, "spec": {"selector": {"app": "other"}}}
    ],
    "with TLS, and istiod takes one of two servers": [
        {**OURS, "spec": {**OURS["spec"], "listeners": [{**LISTENER, "protocol": "HTTPS", "tls": TLS}]}}
    ],
    "on 80 in Istio's API, and on 8080 in the Gateway API": [
        {**OURS, "spec": {**OURS["spec"], "listeners": [{**LISTENER, "port": 8080}]}}
    ],
    "takes no routes of namespace demo: its allowedRoutes say namespaces: {from: Same}": [
        {**OURS, "spec": {**OURS["spec"], "listeners": [{**LISTENER, "allowedRoutes": {}}]}}
    ],
    "on no port in Istio's API, and on 80 in the Gateway API": [
        {**ISTIO_GATEWAY, "spec": {**ISTIO_GATEWAY["spec"], "servers": [{**SERVER, "hosts": ["other/*"]}]}}
    ],
}


@pytest.mark.parametrize("said", GATEWAYS)
def test_gateways_that_do_not_serve_alike_are_refused(applied, run, spec, said):
    applied.put(*GATEWAYS[said])
    found = run("move", spec, "--to", "gateway", code=2)
    assert "spec.entries[0].gateway.use: " in found
    assert said in found
    assert there(applied) == ISTIO


def rule(api):
    """The DestinationRule of the host outside the mesh."""
    return api.get("destinationrules", "pay.example.com")["spec"]


def test_a_host_outside_has_its_subset_as_long_as_a_virtual_service_leads_there_and_always_its_tls(applied, run, spec):
    spec.write_text(PAID)
    run("apply", spec)
    seen = set()
    applied.before.append(
        lambda *_: seen.add(
            ("subsets" in rule(applied), bool(applied.names("virtualservices")), str(rule(applied)["trafficPolicy"]))
        )
    )
    run("move", spec, "--to", "gateway")
    assert "subsets" not in rule(applied)
    run("move", spec, "--to", "istio")
    assert "no change" in run("apply", spec)
    assert {one[:2] for one in seen} == {(True, True), (True, False), (False, False)}
    assert len({one[2] for one in seen}) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "writes"),
    [
        pytest.param("gateway", 4, id="the DestinationRule is left as it was"),
        pytest.param("istio", 1, id="the DestinationRule has its subset"),
    ],
)
@pytest.mark.parametrize("then", ["istio", "gateway"])
def test_a_move_of_which_a_destination_rule_alone_is_there_goes_on_or_back(
    applied, run, cut_off, spec, to, writes, then
):
    spec.write_text(ABROAD)
    run("apply", spec)
    if to == "istio":
        run("move", spec, "--to", "gateway")
    cut_off(writes, to)
    assert "subsets" in rule(applied)
    assert not applied.names("virtualservices")
    run("move", spec, "--to", then)
    assert ("subsets" in rule(applied)) is (then == "istio")
    assert "no change" in run("apply", spec)


def test_an_egress_gateway_that_one_api_alone_has_is_refused(applied, run, spec):
    spec.write_text(PAID.replace("{tls: SIMPLE}", "{tls: SIMPLE, egress: istio-system/out}"))
    run("apply", spec)
    found = run("move", spec, "--to", "gateway", code=2)
    assert "graylane.yaml:12: spec.services.pay.external.egress: there is no Gateway istio-system/out of" in found


@pytest.fixture
def object_there(applied):
    metadata = {"name": "pets", "namespace": "demo", "finalizers": [FINALIZER]}
    found = {"apiVersion": "graylane.dev/v1", "kind": "LaneGroup", "metadata": metadata}
    found["spec"] = yaml.safe_load(SPEC)["spec"]
    applied.put(found)
    return found


def test_the_groups_object_gets_the_new_backend_once_the_mesh_has_moved(applied, run, spec, object_there):
    seen = []

    def work(one, found):
        seen.append((found["spec"].get("backend"), there(applied)))
        carried_out()(one, found)

    with controller(applied, work):
        said = run("move", spec, "--to", "gateway")
    assert seen[-1] == ("gateway", GATEWAY)
    assert applied.get("lanegroups", "pets")["spec"] == {"backend": "gateway", **object_there["spec"]}
    assert "changed LaneGroup demo/pets" in said
    assert "backend: gateway" in spec.read_text()


def test_an_object_in_git_waits_for_the_commit(applied, run, spec, object_there):
    metadata = {**object_there["metadata"], "managedFields": owned("kustomize-controller")}
    applied.put({**object_there, "metadata": metadata})
    said = run("move", spec, "--to", "gateway", code=1)
    assert "the mesh has moved and the file is written" in said
    assert "commit the change there instead" in said
    assert "graylane apply -f FILE --adopt writes it all the same" in said
    assert there(applied) == GATEWAY
    assert "backend: gateway" in spec.read_text()


def test_an_object_that_is_being_deleted_has_its_group_left_alone(applied, run, spec, object_there):
    metadata = {**object_there["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    applied.put({**object_there, "metadata": metadata})
    said = run("move", spec, "--to", "gateway", code=1)
    assert "nothing was changed: LaneGroup demo/pets is being deleted" in said
    assert (there(applied), spec.read_text()) == (ISTIO, SPEC)


def test_preview_lanes_are_named_in_place_of_an_apply_that_takes_none_away(applied, run, spec):
    spec.write_text(SPEC.replace("    gray:", "    pr-7: {versions: {cat: v2}}\n    gray:"))
    run("apply", spec)
    spec.write_text(SPEC)
    metadata = {"name": "pr-7", "namespace": "demo"}
    lane = {"apiVersion": "graylane.dev/v1", "kind": "Lane", "metadata": metadata, "spec": {"group": "pets"}}
    applied.put(lane)
    said = run("move", spec, "--to", "gateway", code=1)
    assert "is not in the cluster as the spec says" in said  # a lane that nothing was made for is not the cause
    applied.put({**lane, "metadata": {**metadata, "finalizers": [previews.FINALIZER]}})
    said = run("move", spec, "--to", "gateway", code=1)
    assert "as the spec says (" in said  # something else may differ as well
    assert "it has preview lanes (pr-7), and a move takes none along" in said
    assert "graylane lane delete pr-7 -n demo" in said
    assert "apply" not in said
    assert there(applied) == ISTIO


def test_what_is_in_the_way_is_named_with_what_helps_a_move(applied, run, spec):
    run("move", spec, "--to", "gateway")
    foreign = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": {"hosts": ["cat-svc"]}}
    applied.put({**foreign, "metadata": {"name": "cat-svc", "namespace": "demo"}})
    said = run("move", spec, "--to", "istio", code=1)
    assert "is nobody's; delete it, or if it is the group's, label it: kubectl label" in said
    assert "--adopt" not in said


@pytest.mark.slow
def test_fields_that_others_took_meanwhile_are_to_be_given_up(applied, run, cut_off, spec):
    cut_off(5)
    (name, *_) = applied.names("httproutes")
    route = applied.get("httproutes", name)
    applied.put({**route, "spec": {**route["spec"], "hostnames": ["other.example.com"]}})

    def refuse(method, url):
        if method == "PATCH" and "/httproutes/" in url:
            raise RefusedError(409, "Conflict", "conflict", [(".spec.hostnames", 'conflict with "kubectl-edit"')])

    applied.before.append(refuse)
    said = run("move", spec, "--to", "gateway", code=1)
    assert "a move takes over none, so that their owners have to give them up first" in said
    assert "--adopt" not in said
