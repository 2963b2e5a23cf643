"""YAML as people have it: read as kubectl reads it, left out with a note, or refused with its reason and line."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from meshconfig.edit.rewrite import rewrite
from meshconfig.errors import InputError
from meshconfig.load import load, parse

SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat, port: 80, versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}}
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: cat, namespace: demo}\nspec: {ports: [{port: 80}]}\n"
FOREIGN = {
    "ci.yml": "on: push\njobs: {test: {runs-on: x}}\n",
    "values.yaml": "replicas: 2\n",
    "kustomization.yaml": "resources: [a.yaml]\n",
    "Chart.yaml": "apiVersion: v2\nname: pets\nversion: 0.1.0\n",
    "stack.yaml": "Resources: {A: !Ref B, C: !Sub 'x'}\n",
    "twice.yaml": "a: 1\na: 2\n",
    "list.yaml": "- hosts: all\n",
    "text.yaml": "hello\n",
    "package.json": '{"name": "x"}\n',
    "ports.yaml": "9000: a\n? [1, 2]\n: b\n",
}


def values(text):
    return [document.value for document in parse(text, "in.yaml")]


ADDRESS = st.from_regex(r"[0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,3}::", fullmatch=True) | st.sampled_from(
    ["2001:db8::", "fe80::", "a::b", "10.0.0.1", "cat.demo", "x:y", "1:2:"]
)


class TestFlowColons:
    """libyaml refuses `[2001:db8::]`; kubectl, kustomize and istioctl read it."""

    @given(st.lists(ADDRESS, min_size=1, max_size=4), st.sampled_from([", ", ",", ",  "]))
    @settings(max_examples=200)
    def test_an_address_in_a_flow_sequence_is_a_string(self, addresses, comma):
        addresses = [f"z{one}" if one[0].isdigit() and one.count(":") == 1 else one for one in addresses]
        text = f"kind: A\nspec: {{addresses: [{comma.join(addresses)}], more: [a]}}\n"
        if any(one[0].isdigit() and ":" not in one.replace("::", "") for one in addresses):
            addresses = [yaml.safe_load(one) if ":" not in one else one for one in addresses]
        assert values(text) == [{"kind": "A", "spec": {"addresses": addresses, "more": ["a"]}}]

    def test_all_else_in_the_text_stays_as_it_is(self):
        rest = 'kind: A\na: "b:]"\nc: |\n  d:] e::,\nf: {"g":[1], h: {i: j}}\nk: l:,m\n# n:]\n'
        (found,) = values(f"{rest}o: [2001:db8::, p]\n")
        (expected,) = values(f'{rest}o: ["2001:db8::", p]\n')
        assert found == expected

    def test_lines_stay_right_after_it(self):
        text = "kind: A\nx: [a::]\nspec:\n  here: 1\n"
        (document,) = parse(text, "in.yaml")
        assert document.locate(("spec", "here")).line == 4

    def test_what_is_wrong_behind_it_has_its_own_line(self):
        with pytest.raises(InputError, match=r"^in.yaml:4: not YAML: "):
            parse("kind: A\nx: [a::]\ny: [b\nz: 1\n", "in.yaml")

    def test_a_file_with_one_is_edited(self):
        text = "kind: A\nx: [a::, b]  # why\n---\nkind: B\ny: 1\n"
        assert rewrite(text, "in.yaml", [{"kind": "A", "x": ["a::", "b"]}, {"kind": "B", "y": 2}]) == text.replace(
            "y: 1", "y: 2"
        )


@pytest.mark.parametrize(
    ("key", "found"),
    [("9000", "9000"), ("0x10", "16"), ("1.10", "1.1"), ("1e3", "1e3"), ("3.0", "3"), ("on", "true"), ("No", "false")]
    + [("2020-01-01", "2020-01-01"), ("-1", "-1"), ("'7'", "7")],
)
def test_a_key_of_a_manifest_that_is_no_string_becomes_one(key, found):
    assert values(f"kind: ConfigMap\ndata: {{{key}: a}}\n") == [{"kind": "ConfigMap", "data": {found: "a"}}]


@pytest.mark.parametrize("key", ["9000", "1.10", "on", "2020-01-01", "~"])
@pytest.mark.parametrize(
    "head", ["apiVersion: graylane/v1\nkind: LaneGroup", "kind: LaneGroup", "apiVersion: graylane/v1"]
)
def test_a_key_of_a_spec_has_to_be_a_string_as_1_10_would_become_1_1(key, head):
    with pytest.raises(InputError, match=f"in.yaml:.: spec: the key {key} is not a string; quote it"):
        parse(f"{head}\nspec:\n  {key}: a\n", "in.yaml")


@pytest.mark.parametrize("key", ["~", "[a, b]", "{a: b}"])
def test_a_key_that_kubectl_refuses_is_refused(key):
    with pytest.raises(InputError, match="is not a string"):
        parse(f"kind: ConfigMap\ndata:\n  ? {key}\n  : a\n", "in.yaml")


class TestForeignDocuments:
    @pytest.fixture
    def folder(self, tmp_path):
        (tmp_path / "graylane.yaml").write_text(SPEC)
        for name, text in FOREIGN.items():
            (tmp_path / name).write_text(text)
        (tmp_path / "z-service.yaml").write_text(SERVICE)
        return tmp_path

    def test_they_are_left_out_by_render_with_one_note(self, graylane, folder):
        alone = graylane("render", "-f", folder / "graylane.yaml")
        code, out, err = graylane("render", "-f", folder)
        assert (code, out) == alone[:2]
        count = len(FOREIGN) + 1
        assert err.startswith(f"note: {count} documents skipped, no spec of graylane: {folder}/Chart.yaml, ")
        assert err.endswith(f" and {count - 3} more files\n")
        assert err.count("\n") == 1

    def test_lint_checks_the_manifests_beside_them(self, graylane, folder):
        code, out, err = graylane("lint", "-f", folder, "--output", "json")
        assert (code, err.count("note: ")) == (0, 1)
        assert f"note: {len(FOREIGN)} documents skipped, no Kubernetes resource and no spec: " in err
        assert {one["file"] for one in json.loads(out)["findings"]} == {str(folder / "z-service.yaml")}

    @pytest.mark.parametrize(
        "command", ["graph", "diff", "replicas cat --total 2", "lane add blue", "explain --host x"]
    )
    def test_every_command_that_reads_specs_reads_such_a_folder(self, graylane, folder, monkeypatch, command):
        monkeypatch.setenv("KUBECONFIG", str(folder / "none"))
        _, _, err = graylane(*command.split(), "-f", folder)
        skipped = len(FOREIGN) + (not command.startswith("explain"))  # which reads manifests too
        assert f"note: {skipped} documents skipped, " in err
        assert "kind" not in err.replace("no document has a kind", "")

    @pytest.mark.parametrize("name", FOREIGN)
    def test_alone_one_is_an_error(self, graylane, folder, name):
        code, out, err = graylane("lint", "-f", folder / name)
        assert (code, out) == (2, "")
        assert err.startswith(f"{folder / name}: nothing to read here: ")
        code, out, err = graylane("render", "-f", folder / name)
        assert (code, out) == (2, "")
        assert err == f"{folder / name}: no document of kind LaneGroup here, but documents without a kind\n"

    def test_an_error_says_what_is_there_in_place_of_a_spec(self, graylane, folder):
        code, _, err = graylane("render", folder / "z-service.yaml")
        assert (code, err) == (2, f"{folder}/z-service.yaml: no document of kind LaneGroup here, but Service\n")

    def test_a_spec_without_a_kind_is_told_what_to_write(self, graylane, folder):
        file = folder / "z-service.yaml"
        file.write_text(SPEC.replace("kind: LaneGroup\n", "").replace("apiVersion: graylane/v1\n", ""))
        code, _, err = graylane("render", file)
        kinds = "Lane or LaneGroup or LocalMesh or Rollout or RouteTest"
        assert (code, err) == (2, f"{file}:1: kind: this field is required: {kinds}\n")

    def test_the_rollout_of_another_controller_is_not_taken_for_ours(self, graylane, folder):
        argo = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: cat}\nspec: {replicas: 1}\n"
        (folder / "z-service.yaml").write_text(argo)
        assert graylane("render", "-f", folder)[0] == 0
        assert graylane("lint", "-f", folder)[0] == 0
        code, _, err = graylane("rollout", "start", "-f", folder / "z-service.yaml")
        assert (code, "no document of kind Rollout" in err) == (2, True)

    def test_a_field_called_items_does_not_make_a_list(self, graylane, folder):
        (folder / "z-service.yaml").write_text(
            "apiVersion: a/v1\nkind: Menu\nmetadata: {name: a}\nitems: [tea, {b: c}]\n"
        )
        assert graylane("lint", "-f", folder)[0] == 0


class TestFolders:
    @pytest.fixture
    def nested(self, tmp_path):
        for name in ("a/b/c", ".git/x", "empty"):
            (tmp_path / name).mkdir(parents=True)
        (tmp_path / "graylane.yaml").write_text(SPEC)
        (tmp_path / "a/b/service.yaml").write_text(SERVICE)
        (tmp_path / "a/b/c/more.yaml").write_text(SPEC.replace("pets", "more").replace("cat", "dog"))
        (tmp_path / ".git/x/hidden.yaml").write_text("\tno YAML")
        return tmp_path

    def test_folders_below_are_named_where_they_are_not_read(self, graylane, nested):
        _, out, err = graylane("render", "-f", nested)
        assert "name: dog\n" not in out
        assert err == f"note: the folders below {nested} were not read, such as {nested}/a/b; -R reads them\n"
        _, _, err = graylane("lint", "-f", nested)
        assert err.startswith(f"note: the folders below {nested} were not read, such as {nested}/a/b; -R reads them\n")

    @pytest.mark.parametrize("option", ["-R", "--recursive"])
    def test_with_R_they_are_read(self, graylane, nested, option):  # noqa: N802  the option's name
        code, out, err = graylane("render", option, "-f", nested)
        assert (code, "name: dog\n" in out, "name: cat\n" in out) == (0, True, True)
        assert err == f"note: 1 document skipped, no spec of graylane: {nested}/a/b/service.yaml\n"

    def test_a_folder_that_has_files_in_folders_alone(self, graylane, nested):
        code, _, err = graylane("render", "-f", nested / "a")
        message = f"no *.yaml file in this directory; -R reads the folders below, such as {nested}/a/b"
        assert (code, err) == (2, f"{nested}/a: {message}\n")
        assert graylane("render", "-R", nested / "a")[0] == 0

    def test_a_folder_without_any(self, graylane, nested):
        for options in (["-R"], []):
            code, _, err = graylane("render", "-f", nested / "empty", *options)
            assert (code, err) == (2, f"{nested}/empty: no *.yaml file in this directory\n")


class TestEmptyInput:
    @pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n---\n", "~\n"])
    @pytest.mark.parametrize("command", ["render", "lint", "graph", "lane add x", "rollout start"])
    def test_it_is_said_to_be_empty(self, graylane, tmp_path, text, command):
        file = tmp_path / "in.yaml"
        file.write_text(text)
        code, out, err = graylane(*command.split(), "-f", file)
        assert (code, out, err) == (2, "", f"{file}: is empty: there is no YAML document in it\n")

    def test_a_list_of_nothing_is_no_empty_input(self, graylane, tmp_path):
        """`kubectl get` prints it where a namespace has no such resource."""
        (tmp_path / "in.yaml").write_text("apiVersion: v1\nkind: List\nitems: []\n")
        assert graylane("lint", tmp_path / "in.yaml")[0] == 0

    @pytest.mark.parametrize("kinds", [["List"], ["List", "List"], ["List", "VirtualServiceList"], ["List"] * 4])
    def test_lists_in_lists_are_opened_as_kubectl_does(self, graylane, tmp_path, kinds):
        """`kubectl get … -o json`, put together with others by hand."""
        route = {"route": [{"destination": {"host": "cat", "subset": "nowhere"}, "wieght": 1}]}
        found: dict[str, Any] = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "cat"},
            "spec": {"hosts": ["cat"], "http": [route]},
        }
        for kind in reversed(kinds):
            found = {"apiVersion": "v1", "kind": kind, "items": [{"kind": "ConfigMap", "apiVersion": "v1"}, found]}
        file = tmp_path / "in.yaml"
        file.write_text(yaml.safe_dump(found, sort_keys=False))
        line = file.read_text()[: file.read_text().index("wieght")].count("\n") + 1
        code, out, _ = graylane("lint", file)
        assert code == 1
        assert f"{file}:{line}: error GL701: spec.http[0].route[0].wieght" in out
        assert "Istio has no kind" not in out


HELM = (
    "a template and not YAML yet, because of {shown}: render it first, such as: helm template CHART | graylane … -f -"
)


@pytest.mark.parametrize(
    ("text", "line", "shown"),
    [
        ("metadata: {name: a, namespace: {{ .Release.Namespace }}}", 3, "{{ .Release.Namespace }}"),
        ("spec:\n  port: {{ .Values.port }}", 4, "{{ .Values.port }}"),
        ("{{- if .Values.on }}\nspec: {}\n{{- end }}", 3, "{{- if .Values.on }}"),
        ('metadata: {name: "{{ a }}"}\nspec:\n  - {{ .b }}', 5, "{{ .b }}"),
        ("{% if a %}\nspec: {}\n{% endif %}", 3, "{% if a %}"),
        ("spec:\n{{ toYaml .Values.spec | indent 2 }}", 4, "{{ toYaml .Values.spec | indent 2 }}"),
    ],
)
@pytest.mark.parametrize("head", ["apiVersion: graylane/v1\nkind: LaneGroup\n", "apiVersion: v1\nkind: Service\n"])
def test_a_template_is_named_as_one(head, text, line, shown):
    with pytest.raises(InputError) as caught:
        parse(f"{head}{text}\n", "in.yaml")
    assert str(caught.value) == f"in.yaml:{line}: {HELM.format(shown=shown)}"


def test_a_template_in_quotes_or_a_comment_is_none():
    text = 'kind: A\n# {{ a }}\nb: "{{ c }}"\n'
    assert values(text) == [{"kind": "A", "b": "{{ c }}"}]
    with pytest.raises(InputError, match=r"^in.yaml:5: not YAML"):
        parse(f"{text}d: [\n", "in.yaml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("spec:\n\thost: a\n", 3),
        ("spec:\n  a: b\n\tc: d\n", 4),
        ("spec:\n  a:\n  \tb: c\n", 4),
        ("spec: [\n\ta,\n\tb\n\n", None),
        ("\tspec: a\n", 2),
    ],
)
def test_a_tab_is_named_as_one(text, line):
    with pytest.raises(InputError) as caught:
        parse(f"kind: A\n{text}", "in.yaml")
    said = str(caught.value)
    if line is not None:
        assert said == f"in.yaml:{line}: a tab indents this line: YAML takes spaces only"


@pytest.mark.slow
def test_lines_of_a_long_file_are_right_at_its_end(tmp_path):
    file = tmp_path / "long.yaml"
    one = "---\nkind: CustomResourceDefinition\nspec:\n" + "".join(f"  a{n}: [b, {{c: d}}]\n" for n in range(500))
    file.write_text(one * 20 + "---\nkind: LaneGroup\nspec:\n  here: 1\n")
    last = load([str(file)])[-1]
    assert last.locate(("spec", "here")).line == 20 * 503 + 4


PATCH = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat}
spec: {http: [{$patch: replace}]}
"""
KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [service.yaml]
patches:
- path: below/one.yaml
- {patch: "[]", target: {kind: Service}}
patchesStrategicMerge: [two.yaml, "kind: Service"]
patchesJson6902:
- {path: ./three.yaml, target: {kind: Service, name: cat}}
"""


@pytest.mark.parametrize("head", [KUSTOMIZATION, KUSTOMIZATION.split("\n", 2)[2]])
def test_a_patch_of_kustomize_is_no_resource_unless_it_is_named_itself(tmp_path, head):
    (tmp_path / "below").mkdir()
    (tmp_path / "kustomization.yaml").write_text(head)
    (tmp_path / "service.yaml").write_text(SERVICE)
    for name in ("below/one", "two", "three"):
        (tmp_path / f"{name}.yaml").write_text(PATCH)
    (tmp_path / "other.yaml").write_text(PATCH)
    read = load([str(tmp_path), str(tmp_path / "below")])
    assert {document.kind for document in read if not document.foreign} <= {
        "Kustomization",
        "Service",
        "VirtualService",
    }
    assert [document.file for document in read if document.kind == "VirtualService"] == [str(tmp_path / "other.yaml")]
    (named,) = load([str(tmp_path / "two.yaml")])
    assert named.kind == "VirtualService"
