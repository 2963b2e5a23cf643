"""Services outside the mesh: which host a request gets, what it takes along, and what a spec must not ask for."""

from functools import partial
from itertools import pairwise

import pytest
import yaml
from changing_specs import compiled, hints, plan
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_specs import asked, outside_specs

from meshconfig.backend import backend
from meshconfig.cli import main
from meshconfig.cluster.objects import Key
from meshconfig.cluster.status.shares import lanes
from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.explain.given import Given
from meshconfig.explain.names import Names
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.model import Name
from meshconfig.render import owner, render, sidecars
from meshconfig.rollout.check import check as rollout_problems
from meshconfig.simulate import ANY_GATEWAY, Destination, Index, Request, simulate
from meshconfig.spec import Rollout

GROUP = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: shop, namespace: demo}}
spec:
  tag: {{baggage: true}}
  lanes: {{prod: {{}}, gray: {{}}, blue: {{}}, strict: {{mode: strict}}}}
  services:
    shop:
      host: shop-svc
      port: 9001
      calls: [pay]
      versions: {{prod: {{labels: {{v: prod}}}}, gray: {{labels: {{v: gray}}}}, strict: {{labels: {{v: strict}}}}}}
    pay:
      host: {host}
      port: 80
      external: {external}
      versions: {versions}
      {more}
  entries:
    - hosts: [shop.example.com]
      routes: [{{path: /direct, service: pay}}, {{service: shop}}]
"""
API, SANDBOX = "api.pay.example.com", "sandbox.pay.example.com"
TWO = f"{{prod: {{host: {API}}}, gray: {{host: {SANDBOX}}}}}"
EGRESS = "{tls: SIMPLE, egress: istio-system/out}"


def group(host=API, external="{port: 443, tls: SIMPLE}", versions=TWO, more=""):
    return parse(GROUP.format(host=host, external=external, versions=versions, more=more), "f.yaml")


def model(documents):
    (found,) = groups(documents)
    return found.model


def rendered(documents):
    return render([model(documents)])


def sent(documents, headers=(), host=API):
    """What becomes of a call from inside the mesh: each outcome with what goes out."""
    index = Index(Resources.parse(rendered(documents)))
    request = Request(host, "/", "POST", tuple(headers), source_namespace="demo", port=80)
    return [share.outcome for share in simulate(index, request).shares]


def of(manifests, kind, name):
    return next(one["spec"] for one in manifests if (one["kind"], one["metadata"]["name"]) == (kind, name))


TAGGED = [("env", "gray")]
IN_BAGGAGE = [("baggage", "a=b,env=gray")]


@pytest.mark.parametrize("external", ["{port: 443, tls: SIMPLE}", "{}", EGRESS])
@pytest.mark.parametrize(
    ("headers", "authority"),
    [([], API), (TAGGED, SANDBOX), (IN_BAGGAGE, SANDBOX), ([("env", "blue")], API), ([("env", "nobody")], API)],
)
def test_a_lane_calls_its_sandbox_and_everybody_else_the_real_one(external, headers, authority):
    (outcome,) = sent(group(external=external), headers)
    assert outcome.authority == authority
    assert outcome.host == ("istio-egressgateway.istio-system.svc.cluster.local" if external == EGRESS else authority)


@pytest.mark.parametrize("host", [API, SANDBOX])
@pytest.mark.parametrize(
    ("baggage", "goes_out"),
    [
        (["user=7"], ["user=7"]),
        (["user=7", "a=b"], ["user=7", "a=b"]),
        (["env=gray"], []),
        (["user=7,env=gray"], []),
        (["user=7", "env=gray"], []),
        (["user=7, ENV = gray;p=1"], []),
        (["%65nv=gray"], []),
    ],
)
def test_the_tag_never_leaves_and_baggage_without_it_does(host, baggage, goes_out):
    trail = [("x-graylane-trail", "shop/gray"), ("accept", "*/*")]
    for tag in ([], TAGGED):
        (outcome,) = sent(group(), [*tag, *trail, *(("baggage", one) for one in baggage)], host)
        assert [value for name, value in outcome.headers if name == "baggage"] == goes_out
        assert {name for name, _ in outcome.headers} <= {"baggage", "accept"}


def test_a_strict_lane_without_a_version_here_is_refused():
    (outcome,) = sent(group(), [("env", "strict")])
    assert (outcome.status, outcome.body) == (503, "graylane: lane strict is strict and has no version of pay\n")


@pytest.mark.parametrize("headers", [[], TAGGED, [("env", "blue")]])
def test_one_version_is_one_environment_for_all(headers):
    (outcome,) = sent(group(versions=f"{{live: {{host: {API}}}}}"), headers)
    assert (outcome.authority, outcome.headers) == (API, ())


def test_weights_give_each_host_its_share_and_its_name():
    outcomes = sent(group(more="weights: {prod: 3, gray: 1}"))
    assert {(one.host, one.authority) for one in outcomes} == {(API, API), (SANDBOX, SANDBOX)}


def test_an_entry_leads_there_too_and_no_tag_goes_out():
    index = Index(Resources.parse(rendered(group())))
    request = Request("shop.example.com", "/direct", "GET", (("env", "gray"),), gateway=ANY_GATEWAY)
    (outcome,) = simulate(index, request).destinations
    assert (outcome.authority, outcome.headers) == (SANDBOX, ())


def test_the_certificate_is_that_of_the_versions_host():
    manifests = rendered(group(external="{port: 8443, tls: SIMPLE, caCertificates: /etc/ca.pem}"))
    for host in (API, SANDBOX):
        tls = of(manifests, "DestinationRule", host)["trafficPolicy"]["tls"]
        assert tls == {
            "mode": "SIMPLE",
            "sni": host,
            "subjectAltNames": [host],
            "caCertificates": "/etc/ca.pem",
        }
        (port,) = of(manifests, "ServiceEntry", host)["ports"]
        assert port == {"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8443}


@pytest.mark.parametrize(("external", "port"), [("{}", None), ("{tls: SIMPLE}", 443), ("{port: 8080}", 8080)])
def test_the_port_is_the_one_of_the_protocol_unless_it_is_given(external, port):
    manifests = rendered(group(external=external))
    assert of(manifests, "ServiceEntry", API)["ports"][0].get("targetPort") == port
    assert ("trafficPolicy" in of(manifests, "DestinationRule", API)) == ("tls" in external)


def test_a_name_of_its_own_leads_to_the_baselines_host():
    documents = group(host="pay.internal.example.com")
    assert of(rendered(documents), "ServiceEntry", "pay.internal.example.com")["endpoints"] == [{"address": API}]
    for headers, authority in (([], API), (TAGGED, SANDBOX)):
        (outcome,) = sent(documents, headers, "pay.internal.example.com")
        assert outcome.authority == authority


def test_at_the_egress_gateway_the_host_decides():
    manifests = rendered(group(external=EGRESS))
    for host, version in ((API, "prod"), (SANDBOX, "gray")):
        spec = of(manifests, "VirtualService", f"{host}-egress")
        (route,) = spec["http"]
        assert (spec["hosts"], spec["gateways"]) == ([host], ["istio-system/out"])
        assert route["route"] == [{"destination": {"host": host, "port": {"number": 80}, "subset": version}}]


def test_who_calls_knows_all_its_hosts():
    (sidecar,) = sidecars([model(group())], "v1")
    assert {f"demo/{API}", f"demo/{SANDBOX}"} <= set(sidecar["spec"]["egress"][0]["hosts"])


@pytest.mark.parametrize("external", ["{tls: SIMPLE}", EGRESS])
@pytest.mark.parametrize(("headers", "version"), [([], "pay/prod"), (TAGGED, "pay/gray")])
def test_an_answer_is_told_by_the_names_of_the_spec(external, headers, version):
    documents = group(external=external)
    found = tuple(groups(documents))
    names = Names(Given(found, Resources.parse(render([one.model for one in found])), "f.yaml", only_specs=True))
    (outcome,) = sent(documents, headers)
    assert names.said(outcome) == version


@pytest.mark.parametrize(
    ("given_here", "field", "says"),
    [
        ({"host": "pay-svc"}, "spec.services.pay.host", "inside the cluster"),
        ({"host": "pay.demo.svc.cluster.local"}, "spec.services.pay.host", "inside the cluster"),
        ({"host": "203.0.113.7"}, "spec.services.pay.host", "an IP address"),
        ({"versions": "{prod: {host: 203.0.113.7}}"}, "spec.services.pay.versions.prod.host", "an IP address"),
        ({"versions": "{prod: {host: p.demo.svc}}"}, "spec.services.pay.versions.prod.host", "inside the cluster"),
        ({"versions": "{prod: {host: '*.example.com'}}"}, "spec.services.pay.versions.prod.host", "without http://, *"),
        ({"versions": "{prod: {host: 'https://a.b/c'}}"}, "spec.services.pay.versions.prod.host", "write a.b"),
        (
            {"versions": f"{{prod: {{host: {API}}}, gray: {{host: {API}}}}}"},
            "spec.services.pay.versions.gray.host",
            "leave gray out",
        ),
        ({"versions": "{prod: {labels: {v: prod}}}"}, "spec.services.pay", "needs host"),
        ({"versions": "{prod: {}}"}, "spec.services.pay.versions.prod", "needs labels"),
        (
            {"versions": f"{{prod: {{host: {API}, fallbackLabels: {{a: b}}}}}}"},
            "spec.services.pay.versions.prod",
            "fallbackLabels is for Pods",
        ),
        ({"more": "calls: [shop]"}, "spec.services.pay", "calls has no meaning"),
        ({"more": "mirror: {version: gray}"}, "spec.services.pay", "mirror has no meaning"),
        ({"more": "policy: {mirror: {host: x}}"}, "spec.services.pay.policy.mirror", "another host"),
        (
            {"more": "rules: [{match: {headers: {baggage: {prefix: a}}}, weights: {gray: 1}}]"},
            "spec.services.pay.rules[0].match",
            "baggage",
        ),
        ({"more": "trafficPolicy: {tls: {mode: SIMPLE}}"}, "spec.services.pay", "keep one of them"),
        ({"external": "{caCertificates: /ca.pem}"}, "spec.services.pay", "no effect without tls"),
        ({"external": "{egress: out}"}, "spec.services.pay.external.egress.gateway", "NAMESPACE/NAME"),
    ],
)
def test_what_cannot_be_outside_is_one_line_with_its_field(given_here, field, says):
    with pytest.raises(InputError) as error:
        rendered(group(**given_here))
    (problem,) = error.value.problems
    assert (problem.path, says in problem.message) == (field, True), problem


def test_a_host_of_a_version_needs_a_service_outside():
    text = yaml.safe_dump_all(one.value for one in group()).replace("external:", "externally:", 1)
    with pytest.raises(InputError, match="externally"):
        compile_group(next(iter(groups(parse(text, "f.yaml")))).spec)
    value = next(iter(group())).value
    del value["spec"]["services"]["pay"]["external"]
    with pytest.raises(InputError, match="give the service external too"):
        list(groups(parse(yaml.safe_dump(value), "f.yaml")))


def test_two_services_with_one_host_are_refused():
    value = next(iter(group())).value
    value["spec"]["services"]["refund"] = {
        "host": "refund.example.com",
        "port": 80,
        "external": {},
        "versions": {"prod": {"host": SANDBOX}},
    }
    with pytest.raises(InputError, match="pay/gray has this host already"):
        list(groups(parse(yaml.safe_dump(value), "f.yaml")))


@given(data=st.data())
def test_fuzz_no_tag_is_in_what_leaves(data):
    """Of any such spec and any request, from inside and by an entry."""
    value = data.draw(outside_specs())
    try:
        (found,) = groups(parse(yaml.safe_dump(value), "random.yaml"))
    except InputError:
        return
    index = Index(Resources.parse(render([found.model])))
    tag = found.model.tag
    hosts = {table.host for one in found.model.services if one.outside for table in one.outside.subsets}
    entries = tuple(host for one in found.model.entries for host in one.hosts)
    trail = ("x-graylane-trail", "cat/gray")
    for host, method, path, headers in data.draw(st.lists(asked((*sorted(hosts), *entries)), min_size=3, max_size=6)):
        where = {"source_namespace": "demo", "port": 80} if host in hosts else {"gateway": ANY_GATEWAY}
        for share in simulate(index, Request(host, path, method, (*headers, trail), **where)).shares:
            if isinstance(share.outcome, Destination) and share.outcome.host in hosts:
                assert share.outcome.authority == share.outcome.host
                assert_clean(share.outcome.headers, tag)


def assert_clean(headers, tag):
    names = [name for name, _ in headers]
    members = [
        one.partition("=")[0].strip() for name, value in headers if name == "baggage" for one in value.split(",")
    ]
    assert tag not in names
    assert "x-graylane-trail" not in names
    assert tag not in members


@pytest.fixture
def spec_file(tmp_path):
    path = tmp_path / "graylane.yaml"
    value = yaml.safe_dump(next(iter(group(versions=f"{{prod: {{host: {API}}}}}"))).value, sort_keys=False)
    path.write_text(value)
    return path


def command(capsys, *arguments):
    """The exit status, and what was printed on both streams."""
    with pytest.raises(SystemExit) as ended:
        main_with(*arguments)
    said = capsys.readouterr()
    return ended.value.code, said.out + said.err


def main_with(*arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["graylane", *map(str, arguments)])
        main()


def test_a_version_outside_is_added_by_its_host_and_retired(spec_file, capsys):
    how = ("-f", spec_file)
    assert command(capsys, "version", "add", "pay", "gray", "--from", "prod", "--host", SANDBOX, *how)[0] == 0
    after = yaml.safe_load(spec_file.read_text())["spec"]["services"]["pay"]["versions"]
    assert after == {"prod": {"host": API}, "gray": {"host": SANDBOX}}
    assert command(capsys, "version", "takeover", "pay", "gray", *how)[0] == 0
    assert command(capsys, "version", "retire", "pay", "prod", *how)[0] == 0
    assert list(yaml.safe_load(spec_file.read_text())["spec"]["services"]["pay"]["versions"]) == ["gray"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "pay", "gray", "--from", "prod"], "--host: pay is outside the mesh: give the host of the version"),
        (
            ["add", "pay", "gray", "--from", "prod", "--host", SANDBOX, "--image", "pay:2"],
            "--image: is for Pods, and pay is outside the mesh",
        ),
        (
            ["add", "shop", "v2", "--from", "prod", "--host", SANDBOX],
            "--host: shop has Pods; only a service with external has hosts",
        ),
        (["retire", "pay", "prod", "--keep-workload"], "is outside the mesh and has no Pods"),
    ],
)
def test_what_is_for_pods_is_refused_outside(spec_file, capsys, arguments, says):
    before = spec_file.read_text()
    status, said = command(capsys, "version", *arguments, "-f", spec_file)
    assert (status, spec_file.read_text()) == (2, before)
    assert says in said.splitlines()[-1]


def test_a_rollout_and_replicas_need_pods(spec_file, capsys):
    status, said = command(capsys, "replicas", "pay", "--total", "10", "-f", spec_file)
    assert (status, "has no Pods" in said) == (2, True)
    found = next(iter(groups(group()))).spec
    rollout = Rollout.model_validate(
        {
            "apiVersion": "graylane/v1",
            "kind": "Rollout",
            "metadata": {"name": "pay", "namespace": "demo"},
            "spec": {
                "group": "shop",
                "services": {"pay": {"from": "prod", "to": "gray"}},
                "steps": [{"weight": 100}],
            },
        }
    )
    assert [message for _, message in rollout_problems(rollout, found)] == [
        "it is outside the mesh, and a rollout needs Pods: shift it by `graylane version weights`"
    ]


def test_the_hosts_are_found_again_among_live_resources():
    """What is lifted from a cluster lowers to the same, and the hosts, their TLS and routes are in their places."""
    wanted = model(group(external=EGRESS))
    lower = partial(backend().lower, owner=owner(wanted))
    live = [manifest for table in wanted.routing().tables for manifest in lower(table)]
    lifted = backend().lift(live, wanted.tag)
    assert [manifest for table in lifted.tables for manifest in lower(table)] == live
    assert lifted.outside.keys() == wanted.routing().outside.keys()
    assert lifted.egress.keys() == {Name("demo", f"{host}-egress") for host in (API, SANDBOX)}
    assert lifted.entries.keys() == wanted.routing().entries.keys()


def test_status_names_the_version_behind_each_share():
    for external in ("{tls: SIMPLE}", EGRESS):
        (found,) = groups(group(external=external, more="weights: {prod: 3, gray: 1}"))
        (pay,) = (one for one in found.model.services if one.name == "pay")
        shown = lanes(pay, found.spec.service("pay"), found.model.routing())
        shares = {one.name: {share.version: share.percent for share in one.shares} for one in shown}
        assert shares[None] == {"prod": 75, "gray": 25}
        assert shares["gray"] == {"gray": 100}


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data())
def test_fuzz_a_host_is_known_before_its_routes_and_until_after_them(data):
    """Whatever of a step proxies have: a host that a route leads to has its ServiceEntry and its DestinationRule."""
    before, after = (data.draw(outside_specs().map(compiled).filter(bool)) for _ in range(2))
    (live, _), (wanted, made) = before, after
    steps = plan(live, wanted, fast=data.draw(st.booleans()), **hints(made))
    moments = [live, *steps.states(live)]
    for one, other in pairwise(moments):
        for state in (one, other):
            for host in sorted(led_to(state)):
                for kind in ("ServiceEntry", "DestinationRule"):
                    assert Key(kind, "demo", host) in one, (host, kind)
                    assert Key(kind, "demo", host) in other, (host, kind)
    assert moments[-1] == wanted


def led_to(state):
    """The hosts outside the mesh to which routes lead."""
    routes = [route for name, one in state.items() if name.kind == "VirtualService" for route in one["spec"]["http"]]
    hosts = {to["destination"]["host"] for route in routes for to in route.get("route", ())}
    return {host for host in hosts if not host.endswith(".svc.cluster.local")}
