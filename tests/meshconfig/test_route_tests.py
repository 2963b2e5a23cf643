"""`graylane test` as a user meets it: cases over specs and over anybody's manifests, and its reports."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from fake_api import api_server
from hypothesis import given, settings
from hypothesis import strategies as st
from istio_world import deployment, gateway, in_mesh, manifest, says, service, target, to, virtual_service
from random_specs import asked, specs
from route_cases import GRAY, MESH, OUTSIDE, ROOT, SPEC, case, written_as

from meshconfig.errors import InputError
from meshconfig.explain import Names, given_by
from meshconfig.load import parse
from meshconfig.printable import escape_line
from meshconfig.route_tests import cases, check, resolve
from meshconfig.simulate import Destination, DirectResponse, Failure, Redirect, simulate
from meshconfig.simulate.request import Request


@pytest.fixture
def tested(graylane, tmp_path):
    """Check cases against manifests, or the spec of the example; gives (exit code, standard output, standard error)."""

    def run(given, *written, arguments=()):
        source = given if isinstance(given, Path) else tmp_path / "given.yaml"
        if not isinstance(given, Path):
            source.write_text(yaml.safe_dump_all(given))
        (tmp_path / "tests.yaml").write_text(yaml.safe_dump(written_as(*written), sort_keys=False))
        return graylane("test", "-f", source, "-t", tmp_path / "tests.yaml", *arguments)

    return run


def pairs():
    """Each file with tests of the examples, and the spec that it is about."""
    for file in sorted(ROOT.glob("examples/*/tests*.yaml")):
        yield pytest.param(file.with_name(file.name.replace("tests", "graylane", 1)), file, id=str(file.parent.name))


@pytest.mark.parametrize(("spec", "file"), list(pairs()))
def test_the_examples_pass_their_own_tests(graylane, spec, file):
    code, out, err = graylane("test", "-f", spec, "-t", file)
    assert code == 0, out + err
    assert re.fullmatch(r"[1-9]\d* passed", out.splitlines()[-1])


def test_every_example_has_tests_for_each_spec():
    specs = set(ROOT.glob("examples/*/graylane*.yaml"))
    assert specs
    assert specs == {pair.values[0] for pair in pairs()}


GRAY_CAT = {"headers": {"env": "gray"}}


@pytest.mark.parametrize(
    "expect",
    [
        {"service": "cat"},
        {"service": "cat-svc"},
        {"service": "cat-svc.demo.svc.cluster.local"},
        {"version": "gray"},
        {"service": "cat", "version": "gray", "headers": {"env": "gray", "x-other": None}},
        {"chain": ["cat/gray", "mouse/gray"]},
        {"chain": ["cat / gray", "mouse / gray"]},
        {"chain": ["cat", "mouse/gray"], "service": "cat", "version": "gray"},
        {"shares": {"gray": 100}},
        {"shares": {"gray": 100.0}, "service": "cat"},
        {"shares": {"cat/gray": 100, "prod": 0}},
        {"headers": {"baggage": "env=gray"}},
    ],
)
def test_what_is_so_passes(tested, expect):
    code, out, err = tested(SPEC, case(expect, **GRAY_CAT))
    assert (code, out, err) == (0, "✓ it\n1 passed\n", "")


def test_a_lane_that_falls_back_at_run_time_is_its_version(tested):
    spec = ROOT / "tests" / "golden" / "runtime-fallback" / "in.yaml"
    for version in ("gray", "gray-or-prod"):  # the subset of both has the second name
        code, out, err = tested(
            spec, case({"version": version, "service": "cat"}, "cat", **{"from": "cat"}, **GRAY_CAT)
        )
        assert code == 0, out + err


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"service": "mouse"}, "expected mouse; got cat/gray"),
        ({"version": "prod"}, "expected version prod; got cat/gray"),
        ({"service": "cat", "version": "prod"}, "expected cat/prod; got cat/gray"),
        (
            {"chain": ["cat/gray", "mouse/prod"]},
            "expected the chain cat/gray → mouse/prod; got cat/gray → mouse/gray",
        ),
        ({"chain": ["mouse"]}, "expected the chain mouse; got cat/gray"),
        ({"status": 404}, "expected status 404; got cat/gray: its status is the service's own, which only --send sees"),
        ({"redirect": "https://a.org/"}, "expected a redirect to https://a.org/; got cat/gray"),
        ({"shares": {"gray": 90, "prod": 10}}, "expected 90 % for version gray; got 100 %"),
        ({"shares": {"mouse/gray": 100}}, "expected 100 % for mouse/gray; got 0 %"),
        ({"shares": {"mouse/gray": 100}}, "got 100 % for cat/gray, which is not expected"),
        ({"headers": {"env": "prod"}}, "expected env: prod; cat/gray sees env: gray"),
        ({"headers": {"env": None}}, "expected no env; cat/gray sees env: gray"),
        ({"headers": {"x-user": "a"}}, "expected x-user: a; x-user is absent"),
    ],
)
def test_what_is_not_so_fails_with_what_explain_says(tested, expect, said):
    code, out, _ = tested(SPEC, case(expect, **GRAY_CAT))
    assert code == 1
    lines = [line.strip() for line in out.splitlines()]
    assert said in lines
    assert re.fullmatch(r"✗ it   \(.*tests\.yaml:5\)", lines[0])
    assert "yes gray         takes it" in lines
    assert lines[-1] == "1 failed"


def test_a_chain_that_splits_is_told_with_its_shares(tested):
    spec = ROOT / "examples" / "entry-split" / "graylane.yaml"
    code, out, _ = tested(spec, case({"chain": ["cat/prod", "mouse/prod"]}))
    assert code == 1
    said = "expected the chain cat/prod → mouse/prod; got cat/gray → mouse/gray for 10 % of the requests"
    assert [line.strip() for line in out.splitlines() if line.strip().startswith("expected")] == [said]


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"service": "cot"}, "expect.service: there is no service cot; did you mean cat?"),
        ({"service": "cat", "version": "grey"}, "expect.version: there is no version grey of cat; did you mean gray?"),
        ({"version": "grey"}, "expect.version: there is no version grey; did you mean gray?"),
        ({"chain": ["cat/gray", "mose/prod"]}, "expect.chain[1]: there is no service mose; did you mean mouse?"),
        ({"chain": ["cat/grey"]}, "expect.chain[0]: there is no version grey of cat; did you mean gray?"),
        ({"shares": {"grey": 100}}, "expect.shares.grey: there is no version grey; did you mean gray?"),
        ({"shares": {"cot/gray": 100}}, "there is no service cot; did you mean cat?"),
        ({"headers": {"env": "grey"}}, "expect.headers.env: there is no lane grey; did you mean gray?"),
        ({}, "expect: takes at least one of service, version, chain, status, redirect, shares, headers"),
        ({"servce": "cat"}, "expect.servce: unknown field; did you mean service?"),
        ({"chain": ["cat/gray/x"]}, "takes SERVICE/VERSION, or SERVICE for any version"),
        ({"shares": {"gray": 90}}, "expect: the shares sum to 90 and not to 100 percent"),
        ({"shares": {"gray": "100"}}, "expect.shares.gray: takes a number of percent from 0 to 100"),
        ({"shares": {"gray": 100}, "version": "gray"}, "expect: takes one of shares and version"),
        ({"redirect": "/cart"}, "takes the whole URL, such as https://shop.example.com/cart"),
        ({"redirect": "http://a/", "status": 404}, "expect: a redirect has a status from 300 to 399, not 404"),
        ({"redirect": "http://a/", "service": "cat"}, "a proxy that redirects sends nothing on"),
        ({"status": 42}, "expect.status: should be greater than or equal to 100"),
        ({"service": "cat", "chain": ["mouse"]}, "the chain begins with another service or version"),
    ],
)
def test_an_expectation_that_cannot_be_is_told_with_its_line(tested, expect, said):
    code, out, err = tested(SPEC, case(expect))
    assert (code, out) == (2, "")
    assert re.match(r".*tests\.yaml:\d+: spec\.cases\[0\]\.", err)
    assert said.lower() in err.lower()
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"host": "a b"}, "request.host: 'a b' is no host"),
        ({"host": "http://a.org/x", "path": "/y"}, "request.path: is /y, and host has /x: give one"),
        ({"host": "a.org:81", "port": 82}, "request.port: is 82, and host has port 81: give one"),
        ({"host": "mouse", "from": "cot"}, "request.from: there is no service cot; did you mean cat?"),
        ({"host": "cat.example.com", "gateway": "demo/x"}, "request.gateway: there is no Gateway demo/x"),
        ({"host": "mouse", "from": "cat", "gateway": "x"}, "gateway: takes a request from outside; from is for one"),
        ({"host": "cat.example.com", "headers": {"Host": "a"}}, "request: headers takes no host"),
        ({"host": "cat.example.com", "headers": {"a b": "c"}}, "request.headers.a b: 'a b' is not allowed here"),
        ({"host": "cat.example.com", "headers": {"a": 1}}, "request.headers.a[0]: takes a string, not 1; quote it"),
        ({"host": "cat.example.com", "scheme": "ftp"}, "request.scheme: takes 'http' or 'https', not 'ftp'"),
    ],
)
def test_a_request_that_cannot_be_is_told_with_its_line(tested, request_, said):
    code, out, err = tested(SPEC, {"name": "it", "request": request_, "expect": {"service": "cat"}})
    assert (code, out) == (2, "")
    assert re.match(r".*tests\.yaml:\d+: spec\.cases\[0\]\.request", err)
    assert said in err


def test_all_that_is_wrong_is_told_at_once(tested):
    wrong = case({"service": "cot", "version": "grey"}, name="one"), case({"service": "mose"}, name="two")
    _, _, err = tested(SPEC, *wrong)
    assert len(err.splitlines()) == 3


def test_a_name_is_given_once(tested):
    code, _, err = tested(SPEC, case({"service": "cat"}), case({"service": "cat"}))
    assert code == 2
    assert re.fullmatch(r".*tests\.yaml:\d+: spec\.cases\[1\]\.name: a case in line 5 has the name 'it' too\n", err)


class TestManifests:
    """Names of Services, subsets and labels, of whatever origin."""

    @pytest.mark.parametrize("name", ["cat", "cat.demo", "cat.demo.svc.cluster.local"])
    def test_a_service_is_named_in_every_way(self, tested, name):
        expect = {"service": name, "version": "gray", "chain": [f"{name}/gray"]}
        assert tested(OUTSIDE, case(expect, "shop.example.com", **GRAY_CAT))[0] == 0
        assert tested(OUTSIDE, case({"service": name, "version": "prod"}, "shop.example.com"))[0] == 0

    def test_without_a_subset_the_pods_label_is_the_version(self, tested):
        world = (service(), deployment("cat", "x", version="v7"))
        assert tested(world, case({"service": "cat", "version": "v7"}, "cat"))[0] == 0
        code, _, err = tested(world, case({"service": "cat", "version": "v8"}, "cat"))
        assert (code, "there is no version v8 of cat; there is v7" in err) == (2, True)

    def test_pods_of_two_versions_are_no_version(self, tested):
        world = (service(), deployment("cat", "x", version="v7"), deployment("cat", "y", version="v8"))
        code, out, _ = tested(world, case({"service": "cat", "version": "v7"}, "cat"))
        assert code == 1
        assert "expected cat/v7; got cat/v7|v8: the route names no subset, so that any of these Pods may answer" in out

    def test_a_virtual_service_alone_has_the_subsets_that_it_names(self, tested):
        alone = in_mesh("cat", to("gray", GRAY), to("prod"))
        assert tested([alone], case({"service": "cat", "version": "gray"}, "cat", **GRAY_CAT))[0] == 0
        code, _, err = tested([alone], case({"service": "cat", "version": "blue"}, "cat"))
        assert (code, "there is no version blue of cat; there is gray, prod" in err) == (2, True)

    def test_a_delegate(self, tested):
        root = virtual_service("shop", {"match": [{"uri": {"prefix": "/"}}], "delegate": {"name": "team"}})
        team = manifest("VirtualService", "team", {"http": [to("gray", GRAY), to("prod")]})
        world = (*MESH, gateway(), root, team)
        assert tested(world, case({"service": "cat", "version": "gray"}, "shop.example.com", **GRAY_CAT))[0] == 0
        code, out, _ = tested(world, case({"version": "gray"}, "shop.example.com"))
        assert (code, "VirtualService demo/shop" in out) == (1, True)

    def test_shares_of_weights_of_several_services_and_a_fault(self, tested):
        parts = [target("prod", "cat", 3), target("", "mouse", 1)]
        fault = {"abort": {"httpStatus": 503, "percentage": {"value": 20}}}
        world = (*MESH, service("mouse"), gateway(), virtual_service("shop", {"route": parts, "fault": fault}))
        shares = {"cat/prod": 60, "503": 20}
        code, out, _ = tested(world, case({"shares": {**shares, "cat/gray": 20}}, "shop.example.com"))
        assert (code, "got 20 % for mouse, which is not expected" in out) == (1, True)
        faulty = (*MESH, gateway(), virtual_service("shop", {"route": [target("prod")], "fault": fault}))
        assert tested(faulty, case({"shares": {"prod": 80, "503": 20}, "service": "cat"}, "shop.example.com"))[0] == 0

    def test_a_third_is_written_with_the_digits_that_one_likes(self, tested):
        parts = [target("prod", weight=1), target("gray", weight=2)]
        world = (*MESH, gateway(), virtual_service("shop", {"route": parts}))
        for good in ({"prod": 33.3, "gray": 66.7}, {"prod": 33.33, "gray": 66.67}):
            assert tested(world, case({"shares": good}, "shop.example.com"))[0] == 0
        for bad in ({"prod": 33, "gray": 67}, {"prod": 33.4, "gray": 66.6}):
            assert tested(world, case({"shares": bad}, "shop.example.com"))[0] == 1

    def test_what_a_proxy_answers_by_itself(self, tested):
        moved = {"redirect": {"uri": "/new", "redirectCode": 308}, "match": [{"uri": {"prefix": "/old"}}]}
        world = (*MESH, gateway(), virtual_service("shop", moved, says(418, {"uri": {"prefix": "/tea"}})))
        host = "shop.example.com"
        new = "http://shop.example.com/new"
        good = [
            case({"redirect": new}, host, path="/old", name="a"),
            case({"redirect": new, "status": 308}, host, path="/old", name="b"),
            case({"status": 308}, host, path="/old", name="c"),
            case({"status": 418}, host, path="/tea", name="d"),
            case({"status": 404}, host, path="/nothing", name="e"),
        ]
        assert tested(world, *good)[0] == 0
        bad = [
            case({"redirect": f"{new}er"}, host, path="/old", name="a"),
            case({"redirect": new, "status": 301}, host, path="/old", name="b"),
            case({"status": 200}, host, path="/tea", name="d"),
            case({"service": "cat"}, host, path="/tea", name="e"),
            case({"headers": {"a": "b"}}, host, path="/tea", name="f"),
        ]
        assert tested(world, *bad)[1].splitlines()[-1] == "5 failed"

    def test_a_name_in_two_namespaces_has_to_be_said_whole(self, tested):
        world = (*OUTSIDE, service(namespace="other"))
        code, _, err = tested(world, case({"service": "cat"}, "shop.example.com"))
        assert (code, "expect.service: cat is in the namespaces demo, other: write cat.demo" in err) == (2, True)
        assert tested(world, case({"service": "cat.demo"}, "shop.example.com"))[0] == 0
        assert tested(world, case({"service": "cat"}, "shop.example.com"), arguments=("-n", "demo"))[0] == 0

    def test_what_is_not_decided_fails_with_the_reason(self, tested):
        unknown = manifest("EnvoyFilter", "lua", {"configPatches": [{"applyTo": "HTTP_FILTER"}]})
        world = (*OUTSIDE, {**unknown, "metadata": {"name": "lua", "namespace": "istio-system"}})
        good = case({"service": "cat", "version": "prod"}, "shop.example.com")
        code, out, _ = tested(world, good)
        assert (code, "    not decided: " in out) == (1, True)
        code, out, _ = tested(world, good, arguments=("--allow-undecided",))
        assert (code, "    note: not decided: " in out) == (0, True)
        labelled = in_mesh("cat", to("gray", {"sourceLabels": {"a": "b"}}), to("prod"))
        bad = case({"service": "cat"}, "cat.demo:9001", **{"from": "other/"})
        code, out, _ = tested((*MESH[:2], labelled), bad, arguments=("--allow-undecided",))
        assert (code, "not decided: " in out) == (1, True)


NAMES = ["plain", 'a < b & "c"', "späß → 😀", "a\x1bb"]


def test_json_and_junit_say_what_the_text_says(tested):
    written = [case({"service": "cat" if index % 2 else "mouse"}, name=name) for index, name in enumerate(NAMES[:3])]
    written.append(case({"service": "cat", "status": 200}, name="noted"))
    code, text, _ = tested(SPEC, *written)
    assert code == 1
    code, out, _ = tested(SPEC, *written, arguments=("--output", "json"))
    told = json.loads(out)
    assert (code, told["passed"], told["failed"]) == (1, 2, 2)
    assert [one["name"] for one in told["cases"]] == [*NAMES[:3], "noted"]
    for one in told["cases"]:
        assert f"{'✓' if one['result'] == 'passed' else '✗'} {one['name']}" in text
        assert one["file"].endswith("tests.yaml")
        assert all(line in text for line in (*one["failures"], *one["notes"], *one["explanation"]))
        assert bool(one["explanation"]) == bool(one["failures"])
    code, out, _ = tested(SPEC, *written, arguments=("--output", "junit"))
    assert code == 1
    root = junit_of(out)
    found = root.findall("testsuite/testcase")
    assert [one.get("name") for one in found] == [*NAMES[:3], "noted"]
    assert [one.get("line") for one in found] == [str(one["line"]) for one in told["cases"]]
    assert [one.find("failure") is None for one in found] == [False, True, False, True]
    failure = found[0].find("failure")
    assert failure.get("message") == "expected mouse; got cat/prod"
    assert "GET cat.example.com/" in failure.text
    assert found[3].findtext("system-out") == (
        "status 200 was not compared: its status is the service's own, which only --send sees"
    )


ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped"},
    "testsuite": {"name", "file", "tests", "failures", "errors", "skipped"},
    "testcase": {"name", "classname", "file", "line"},
    "failure": {"message", "type"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["testcase"],
    "testcase": ["failure", "system-out"],
    "failure": [],
    "system-out": [],
}


def junit_of(text):
    """The root of a JUnit file, after a look at what CI systems rely on: elements, attributes, order and counts."""
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ET.fromstring(text.encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        children = [one.tag for one in element]
        assert children == sorted(children, key=CHILDREN[element.tag].index)
        if "tests" in element.attrib:
            assert int(element.get("tests")) == len(list(element.iter("testcase")))
            assert int(element.get("failures")) == len(list(element.iter("failure")))
    return root


@given(st.text(min_size=1).filter(lambda text: text.strip() and not re.search(r"[\r\n]", text)))
@settings(max_examples=40)
def test_a_junit_file_can_be_read_whatever_a_case_is_called(name):
    from meshconfig.route_tests import Result, junit

    document = parse(yaml.safe_dump(written_as(case({"service": "cat"}, name="x"))), "t.yaml")
    (one,) = cases(document)
    renamed = type(one)(one.case.model_copy(update={"name": name}), one.suite, None, 0, one.document)
    root = junit_of(junit([Result(renamed, (name,), (name,), (name,))]))
    shown = escape_line(name)
    assert " ".join(root.find("testsuite/testcase").get("name").split()) == " ".join(shown.split())


def test_on_a_terminal_it_is_in_colour_and_says_the_same(tested, monkeypatch):
    plain = tested(SPEC, case({"service": "mouse"}))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    code, coloured, err = tested(SPEC, case({"service": "mouse"}))
    assert "\x1b[" in coloured
    assert (code, re.sub(r"\x1b\[[0-9;]*m", "", coloured), err) == plain


def test_a_cluster(graylane, tmp_path, monkeypatch):
    (tmp_path / "tests.yaml").write_text(
        yaml.safe_dump(written_as(case({"service": "cat", "version": "gray"}, "shop.example.com", **GRAY_CAT)))
    )
    with api_server() as api:
        api.put(*OUTSIDE[:3], *OUTSIDE[4:])
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        code, out, err = graylane("test", "--live", "-n", "demo", "-t", tmp_path / "tests.yaml")
        assert (code, out) == (0, "✓ it\n1 passed\n"), err
        assert {method for method, _ in api.seen} == {"GET"}
        api.put(virtual_service("shop", to("prod")))
        assert graylane("test", "--live", "-A", "-t", tmp_path / "tests.yaml")[0] == 1
        changed = tmp_path / "new.yaml"
        changed.write_text(yaml.safe_dump(virtual_service("shop", to("gray", GRAY), to("prod"))))
        assert graylane("test", "--live", "-n", "demo", "-f", changed, "-t", tmp_path / "tests.yaml")[0] == 0


def joined(headers):
    """A header that is sent more than once is expected with all its values."""
    return {name: ", ".join(value for key, value in headers if key == name) for name, _ in headers}


def expectation(outcome):
    """What is to be written for one outcome."""
    match outcome:
        case Destination():
            return {"service": outcome.host, "version": outcome.subset, "headers": joined(outcome.headers)}
        case Redirect():
            return {"redirect": outcome.location, "status": outcome.status}
        case DirectResponse() | Failure():
            return {"status": outcome.status}
    return None


@pytest.mark.slow
@given(st.data())
@settings(max_examples=60)
def test_what_explain_says_passes_and_anything_else_fails(data):
    value = data.draw(specs())
    (document,) = parse(yaml.safe_dump(value), "graylane.yaml")
    try:
        names = Names(given_by([document], ["graylane.yaml"], "default"))
    except InputError:
        return
    host, method, path, headers = data.draw(asked())
    made = Request(host, path, method, headers, "*")
    decision = simulate(names.given.index, made)
    if decision.undecided or not (good := expectation(decision.shares[0].outcome)) or len(decision.shares) > 1:
        return
    sent = {name: [value for key, value in headers if key == name] for name, _ in headers}
    request = {"host": host, "path": path, "method": method, "headers": sent}
    written = [
        {"name": name, "request": request, "expect": expect} for name, expect in (("good", good), ("bad", wrong(good)))
    ]
    found = [check(names, one) for one in resolve(names, cases(parse(yaml.safe_dump(written_as(*written)), "t")), None)]
    assert found[0].failures == ()
    assert found[1].failures


def wrong(good):
    if "version" in good:
        return {"status": 404}
    return {"status": 598}
