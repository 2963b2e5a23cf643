"""The command line as a user meets it: exit codes, one line for a mistake, files written, JSON for programs."""

import errno
import io
import json
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "examples" / "cat-mouse" / "graylane.yaml"


def test_render_writes_documents_or_a_file_for_each(graylane, tmp_path):
    code, out, _ = graylane("render", "-f", SPEC)
    assert code == 0
    documents = list(yaml.safe_load_all(out))
    assert [document["kind"] for document in documents].count("VirtualService") == 3

    code, out, err = graylane("render", "-f", SPEC, "-o", tmp_path / "mesh")
    assert (code, out) == (0, "")
    assert "6 written, 0 unchanged, 0 removed" in err
    files = {file.name: yaml.safe_load(file.read_text()) for file in (tmp_path / "mesh").iterdir()}
    assert files["demo.virtualservice.mouse-svc.yaml"] in documents
    assert len(files) == len(documents)


def test_the_older_api_is_written_on_request(graylane):
    _, out, _ = graylane("render", "-f", SPEC, "--istio-api", "v1beta1")
    assert {document["apiVersion"] for document in yaml.safe_load_all(out)} == {"networking.istio.io/v1beta1"}


def test_a_sidecar_hears_only_of_what_its_namespace_calls(graylane):
    _, out, _ = graylane("render", "-f", ROOT / "tests" / "golden" / "namespaces" / "in.yaml", "--sidecar")
    sidecars = {one["metadata"]["namespace"]: one for one in yaml.safe_load_all(out) if one["kind"] == "Sidecar"}
    assert sidecars["demo"]["spec"]["egress"] == [
        {"hosts": ["demo/api.example.org", "shop/far-svc.shop.svc.cluster.local", "istio-system/*"]}
    ]
    assert sidecars["shop"]["spec"]["egress"] == [{"hosts": ["istio-system/*"]}]


def test_an_ingress_leads_each_host_to_the_gateways_service(graylane):
    _, out, _ = graylane("render", "-f", SPEC, "--ingress", "--ingress-service", "edge/gateway")
    (ingress,) = [one for one in yaml.safe_load_all(out) if one["kind"] == "Ingress"]
    assert ingress["metadata"]["namespace"] == "edge"
    (rule,) = ingress["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert (rule["host"], backend) == ("cat.example.com", {"name": "gateway", "port": {"number": 80}})


def test_an_ingress_before_a_gateway_that_ends_tls_is_refused(graylane):
    code, _, err = graylane("render", "-f", ROOT / "tests" / "golden" / "tls-gateway" / "in.yaml", "--ingress")
    assert code == 2
    assert err.startswith("--ingress: the entry ")
    assert "ends TLS at the gateway" in err


def test_two_groups_that_make_the_same_resource_are_refused(graylane, tmp_path):
    (tmp_path / "a.yaml").write_text(SPEC.read_text())
    (tmp_path / "b.yaml").write_text(SPEC.read_text().replace("name: pets", "name: pets2"))
    code, out, err = graylane("render", "-f", tmp_path)
    assert (code, out) == (2, "")
    assert "groups pets and pets2 both make the DestinationRule demo/cat-svc" in err


def test_a_lane_s_version_may_follow_an_equals_sign(graylane):
    split = ROOT / "examples" / "entry-split" / "graylane.yaml"
    spaced = graylane("replicas", "-f", split, "cat", "--total", "10", "--gray", "prod")
    assert graylane("replicas", "-f", split, "cat", "--total", "10", "--gray=prod") == spaced
    assert spaced[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["render", "-f", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["render", "-f", ROOT / "tests"], "no *.yaml file in this directory"),
        (["explain", "-f", SPEC, "--host", "x", "--from", "cot"], "there is no service cot; did you mean cat?"),
        (["explain", "-f", SPEC, "--host", "x", "--header", "env"], "--header: takes NAME:VALUE"),
        (
            ["explain", "-f", SPEC, "--host", "x", "--chain", "cat,mose"],
            "there is no service mose; did you mean mouse?",
        ),
        (["replicas", "-f", SPEC, "cot", "--total", "3"], "there is no service cot; did you mean cat?"),
        (
            ["replicas", "-f", SPEC, "cat", "--total", "3", "--grey", "v1"],
            "unknown option --grey; did you mean --gray?",
        ),
        (["replicas", "-f", SPEC, "cat", "--total", "3", "--gray", "v1"], "--gray: there is no version 'v1'"),
        (
            ["replicas", "-f", SPEC, "cat", "--total", "3", "--gray"],
            "--gray: there is no version ''; there is gray, prod",
        ),
        (
            ["render", "-f", SPEC, "--ingress", "--ingress-service", "x"],
            "--ingress-service: has the form NAMESPACE/NAME",
        ),
        (
            ["render", "-f", SPEC, "--ingress", "--ingress-service", "x/"],
            "--ingress-service: has the form NAMESPACE/NAME",
        ),
        (["explain", "-f", SPEC, "--host", "http://[x"], "--host: 'http://[x' is no host"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(graylane, arguments, said):
    code, out, err = graylane(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_spec_is_read_from_standard_input(graylane, monkeypatch):
    given = io.BytesIO(SPEC.read_bytes().replace(b"port: 9001", b"port: x", 1))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given, "utf-8"))
    code, _, err = graylane("render", "-f", "-")
    assert (code, err) == (2, "-:14: spec.services.cat.port: takes a whole number, not 'x'\n")


def test_standard_input_that_is_not_utf_8_is_told_in_any_locale(graylane, monkeypatch):
    # As Python opens it where the locale is C.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: b\nc: \xff\n"), "utf-8", "surrogateescape"))
    assert graylane("render", "-f", "-") == (2, "", "-:2: not UTF-8 text\n")


def test_a_terminal_without_arrows_gets_their_numbers(graylane, monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, "ascii"))
    assert graylane("explain", "-f", SPEC, "--host", "cat.example.com")[0] == 0
    sys.stdout.flush()
    assert b"\\u2192 cat / prod" in printed.getvalue()


def test_a_full_disk_is_one_line(graylane, monkeypatch):
    class Full(io.StringIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    code, _, err = graylane("render", "-f", SPEC)
    assert (code, err) == (2, "graylane: No space left on device\n")


def test_explain_exits_1_where_no_version_answers(graylane):
    assert graylane("explain", "-f", SPEC, "--host", "nobody.example.com")[0] == 1
    assert graylane("explain", "-f", SPEC, "--host", "cat.example.com")[0] == 0


def test_explain_as_json(graylane):
    _, out, _ = graylane("explain", "-f", SPEC, "--host", "cat.example.com", "-H", "env:gray", "--output", "json")
    decision = json.loads(out)
    assert decision["route"]["name"] == "gray"
    assert decision["shares"][0]["outcome"]["subset"] == "gray"


def test_the_schema_takes_every_example_and_refuses_a_typing_error(graylane):
    schema = json.loads(graylane("schema")[1])
    validator = jsonschema.Draft202012Validator(schema)
    files = sorted(ROOT.glob("examples/*/*.yaml"))
    assert len(files) > 8
    for file in files:
        for document in yaml.safe_load_all(file.read_text()):
            validator.validate(document)
    wrong = yaml.safe_load(SPEC.read_text())
    wrong["spec"]["services"]["cat"]["prot"] = 1
    assert not validator.is_valid(wrong)


def test_a_chain_names_the_service_that_loses_the_tag_and_what_to_set(graylane, tmp_path):
    spec = tmp_path / "graylane.yaml"
    text = Path(SPEC).read_text()
    asked = ["explain", "-f", spec, "--host", "cat.example.com", "-H", "env:gray", "--chain", "cat,mouse"]
    spec.write_text(text.replace("calls: [mouse]", "calls: [mouse]\n      carries: baggage"))
    _, out, _ = graylane(*asked)
    assert out.splitlines()[-1].strip().startswith("cat loses the tag: it sends baggage alone")
    assert "tag.baggage: true" in out.splitlines()[-1]
    _, out, _ = graylane(*asked, "--output", "json")
    (way,) = json.loads(out)
    assert way["lost"][0].startswith("cat loses the tag")
    assert [one["subset"] for one in way["outcomes"]] == ["gray", "prod"]
    spec.write_text(text)
    _, out, _ = graylane(*asked)
    assert "loses" not in out


def test_a_chain_that_is_not_met_says_so(graylane):
    _, out, _ = graylane("explain", "-f", SPEC, "--host", "cat.example.com", "--chain", "mouse,cat")
    assert out.splitlines()[-1] == "   100 % cat / prod   it never comes to cat"


class TestFiles:
    """`-f FILE`, FILE without `-f`, and graylane.yaml in the current folder."""

    @pytest.fixture
    def here(self, tmp_path, monkeypatch):
        """A current folder with the example's spec as graylane.yaml."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
        (tmp_path / "graylane.yaml").write_text(Path(SPEC).read_text())
        return tmp_path

    @pytest.mark.parametrize(
        "words",
        [
            "render",
            "lint",
            "graph",
            "explain --host cat.example.com",
            "replicas cat --total 3",
            "diff",
            "plan",
            "apply",
            "lane add blue --dry-run",
            "version takeover cat gray --dry-run",
            "version weights cat gray=1 prod=2 --dry-run",
        ],
    )
    def test_a_file_is_named_in_three_ways(self, graylane, here, words):
        answers = [graylane(*words.split(), *more) for more in (["-f", "graylane.yaml"], ["graylane.yaml"], [])]
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][1] or "no cluster" in answers[0][2] or "nothing found" in answers[0][2]

    def test_files_of_both_forms_are_read(self, graylane, here):
        other = here / "other.yaml"
        other.write_text(Path(SPEC).read_text().replace("name: pets, namespace: demo", "name: two, namespace: x"))
        _, out, _ = graylane("render", "graylane.yaml", other)
        assert out == graylane("render", "-f", "graylane.yaml", other)[1]
        assert len(out) > len(graylane("render")[1])

    def test_without_any_file_it_says_what_to_name(self, graylane, here):
        (here / "graylane.yaml").unlink()
        for command in ("render", "lint", "apply", "graph"):
            code, out, err = graylane(command)
            assert (code, out) == (2, "")
            assert err.startswith("FILE: is missing, and there is no graylane.yaml in the current folder: name a file")

    def test_delete_takes_no_file_by_default(self, graylane, here):
        code, _, err = graylane("delete")
        assert (code, err) == (2, "FILE: is missing: name a file, a folder, or - for standard input\n")

    def test_a_lane_s_version_is_not_taken_for_a_file(self, graylane, here):
        (here / "gray").write_text("")
        assert graylane("replicas", "cat", "--total", "4", "--prod", "gray")[0] == 0


@pytest.mark.parametrize("command", ["lint", "render"])
@pytest.mark.parametrize("header", ["env", "x-lane"])
def test_another_header_is_named_with_the_setting_that_services_need(graylane, tmp_path, command, header):
    file = tmp_path / "spec.yaml"
    file.write_text(Path(SPEC).read_text().replace("header: env", f"header: {header}"))
    _, out, err = graylane(command, file)
    said = "note: demo/pets: the tag's header is x-lane, so set PROPAGATION_REMOTE_FIELDS=x-lane in each service"
    assert (said in err) == (header == "x-lane")
    assert "note: " not in out
