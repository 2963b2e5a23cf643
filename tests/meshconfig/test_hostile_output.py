"""Whatever files, clusters, people and upstreams bring: no command prints what a terminal or a CI runner would obey."""

import copy
import json
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from fake_api import RefusedError
from hostile_runs import harmless, has, places, put, run
from hostile_text import RUNNER, TERMINAL, harm, hostile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from rollout_world import GROUP, rollout
from runner_world import AT_ONCE, DOCUMENT, cluster, mesh

from meshconfig.cli.background import tell
from meshconfig.cluster.events import About
from meshconfig.cluster.objects import Key
from meshconfig.errors import ApiError
from meshconfig.rollout import begin, store
from meshconfig.rollout.events import Abort, Approve
from meshconfig.rollout.machine import step
from meshconfig.rollout.runner.kube_events import event
from meshconfig.rollout.state import Stage

__all__ = ["cluster", "mesh"]

ROOT = Path(__file__).parents[2]
IN_PLACE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
WORST = "a\r\n::error::x\x1b[2J\u202e\x9b##[error]y ##vso[z]"


MANIFESTS = list(
    yaml.safe_load_all("""\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: demo, labels: {a: b}, annotations: {c: d}}
spec:
  hosts: [cat, cat.example.com]
  gateways: [mesh, demo/front]
  http:
    - name: one
      match: [{headers: {x-env: {regex: "(?<=a)b"}}, uri: {prefix: /a}, sourceLabels: {app: web}}]
      rewrite: {uri: /}
      route: [{destination: {host: mouse, subset: gray, port: {number: 9001}}, weight: 50}]
    - route: [{destination: {host: mouse, subset: prod}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: mouse, namespace: demo}
spec: {host: mouse, subsets: [{name: prod, labels: {env: prod}}, {name: V2, labels: {env: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: demo}
spec:
  selector: {istio: ingressgateway}
  servers: [{hosts: [cat.example.com], port: {name: http, number: 80, protocol: HTTP}}]
---
apiVersion: v1
kind: Service
metadata: {name: mouse, namespace: demo}
spec: {selector: {app: mouse}, ports: [{name: web, port: 9001, protocol: TCP}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: mouse, namespace: demo}
spec: {template: {metadata: {labels: {app: mouse, env: prod}}, spec: {containers: [{name: a, image: b}]}}}
---
apiVersion: graylane/v1
kind: Rollout
metadata: {name: cat-v2, namespace: demo}
spec: {group: pets, services: {cat: {from: v1, to: v2}}, steps: [{weight: 100}], notify: [{url: "http://a"}]}
""")
)
SPECS = list(yaml.safe_load_all((ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text()))
EXPLAIN = ("explain", "--host", "cat.example.com", "--header", "env:gray")
READERS = [
    ("lint",),
    ("lint", "--output", "sarif"),
    ("lint", "--output", "json"),
    EXPLAIN,
    (*EXPLAIN, "--output", "json"),
    ("render",),
    ("graph",),
    ("graph", "--output", "mermaid"),
    ("replicas", "cat", "--total", "3"),
    ("schema",),
    ("links",),
]


@pytest.mark.parametrize("documents", [MANIFESTS, SPECS], ids=["manifests", "spec"])
@given(data=st.data())
@settings(max_examples=60)
def test_whatever_stands_in_a_file(documents, data):
    every = [(number, path) for number, one in enumerate(documents) for path in places(one)]
    changed = list(documents)
    for number, path in data.draw(st.lists(st.sampled_from(every), min_size=1, max_size=2)):
        text = data.draw(hostile)
        if has(changed[number], path):
            changed[number] = put(changed[number], path, text)
    command = data.draw(st.sampled_from(READERS))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "in.json"
        # JSON, because YAML cannot express each of these; what it refuses is one line.
        file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": changed}))
        if documents is SPECS:
            file.write_text("---\n".join(json.dumps(one) + "\n" for one in changed))
        harmless(*command, *(("-f", file) if command != ("schema",) else ()))


@given(st.sampled_from([(n, path) for n, one in enumerate(MANIFESTS) for path in places(one)]), hostile)
@settings(max_examples=60)
def test_github_gets_one_command_for_each_finding_and_none_of_a_file(place, text):
    number, path = place
    changed = [put(one, path, text) if at == number else one for at, one in enumerate(MANIFESTS)]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "in.json"
        file.write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": changed}))
        _, out, err = run("lint", "--output", "github", "-f", file)
        _, found, _ = run("lint", "--output", "json", "-f", file)
    assert not harm(err)
    lines = out.splitlines()
    assert len(lines) == len(json.loads(found)["findings"] if found else [])
    for line in lines:
        assert line.startswith(("::error file=", "::warning file=", "::notice file="))
        assert not harm(line[1:])


WORDS = [
    ("lint", "-f", "{}"),
    ("lint", "--ignore", "{}"),
    ("lint", "--explain", "{}"),
    ("lint", "--output", "{}"),
    ("lint", "--{}"),
    ("{}",),
    ("rollout", "{}"),
    ("explain", "-f", "in.yaml", "--host", "{}"),
    ("explain", "-f", "in.yaml", "--host", "cat", "--path", "{}", "--header", "{}"),
    ("explain", "-f", "in.yaml", "--host", "cat", "--header", "x:{}", "--method", "{}"),
    ("explain", "-f", "in.yaml", "--host", "cat.example.com", "--header", "env:{}", "--chain", "cat,{}"),
    ("explain", "-f", "in.yaml", "--from", "{}", "--host", "mouse"),
    ("replicas", "-f", "in.yaml", "{}", "--total", "3"),
    ("replicas", "-f", "in.yaml", "cat", "--total", "{}"),
    ("lane", "add", "{}", "-f", "in.yaml"),
    ("lane", "add", "x{}", "-f", "in.yaml", "--dry-run"),
    ("version", "add", "cat", "{}", "-f", "in.yaml", "--from", "{}"),
    ("render", "-f", "in.yaml", "-o", "{}"),
    ("graph", "-f", "in.yaml", "--output", "{}"),
]


@given(st.sampled_from(WORDS), hostile.filter(lambda text: "\0" not in text))
@example(WORDS[3], WORST)
@example(WORDS[5], WORST)
@example(("lane", "add", "{}", "-f", "in.yaml"), "\udc80")
@IN_PLACE
def test_whatever_stands_in_an_argument(monkeypatch, words, text):
    with TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        Path("in.yaml").write_text((ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text())
        harmless(*(word.replace("{}", text) for word in words))
        monkeypatch.chdir("/")


def test_whatever_a_file_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text().replace("port: 9001", "port: x")
    for number, name in enumerate([*TERMINAL, *RUNNER]):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        if "\0" in name:
            continue
        (folder / f"{name.replace('/', '')}.yaml").write_text(text)
        for command in ("lint", "render", "lint --output github"):
            assert harmless(*command.split(), "-f", ".")[0] == 2


HERE = ("cat-v2", "-n", "demo")
PETS = ("pets", "-n", "demo")


class TestACluster:
    @pytest.mark.slow
    @pytest.mark.parametrize("text", [*TERMINAL, *RUNNER, WORST])
    def test_stored_notes(self, mesh, text):
        text = text.replace("\udc80", "?")
        mesh.start(rollout([{"weight": 10}, {"pause": {}}, {"weight": 100}], keepOld=None))
        mesh.run(until=lambda state: state.stage is Stage.APPROVAL)
        for words in (("approve", *HERE, "--note", text, "--by", text), ("abort", *HERE, "--note", text)):
            harmless("rollout", *words)
        for shown in (("status", *HERE), ("list", "-n", "demo"), ("status", *HERE, "--output", "json")):
            harmless("rollout", *shown)

    @pytest.mark.slow
    @pytest.mark.parametrize("field", ["who", "host", "action", "message", "outcome", "started", "ended", "process"])
    @pytest.mark.parametrize("text", [WORST, "[/x]", "[link=http://x]y[/link]"])
    def test_stored_revisions(self, mesh, field, text):
        found = copy.deepcopy(mesh.api.get("configmaps", "graylane-pets-r1"))
        found["data"][field] = text
        mesh.api.put(found)
        for words in (("history", *PETS), ("status", *PETS), ("rollback", *PETS, "--to", "1", "--dry-run")):
            harmless(*words)

    def test_markup_is_text(self, mesh):
        found = copy.deepcopy(mesh.api.get("configmaps", "graylane-pets-r1"))
        found["data"]["who"] = "[link=http://x]y[/link]"
        mesh.api.put(found)
        assert "[link=http://x]y[/link]" in harmless("history", *PETS)[1]

    @pytest.mark.slow
    @pytest.mark.parametrize("text", [*TERMINAL, *RUNNER, WORST])
    def test_answers_of_the_api_server(self, mesh, text, tmp_path):
        file = tmp_path / "graylane.yaml"
        file.write_text(GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v2"))
        text = text.replace("\udc80", "?")

        def refuse(method, *rest):
            if method == "PATCH":
                raise RefusedError(403, text, text)

        mesh.api.before.append(refuse)
        code, _, err = harmless("apply", "-f", file, *AT_ONCE)
        assert code == 1
        assert "graylane: " in err

    def test_names_and_labels_of_others(self, mesh, tmp_path):
        for number, text in enumerate([*TERMINAL, *RUNNER]):
            pod = {
                "kind": "Pod",
                "metadata": {"name": f"p{number}{text}", "namespace": "demo", "labels": {"v": text, "app": text}},
                "status": {
                    "phase": text,
                    "containerStatuses": [{"name": text, "state": {"waiting": {"reason": text}}}],
                },
            }
            mesh.api.put(pod)
        for words in (("status", *PETS), ("history", *PETS), ("explain", "--live", "-n", "demo", "--host", "cat-svc")):
            harmless(*words)

    @given(hostile)
    @IN_PLACE
    def test_events_metrics_and_the_controller_s_log(self, mesh, text):
        text = text.encode(errors="replace").decode()
        mesh.api.objects.pop(("rollouts", "demo", "cat-v2"), None)
        begin.start(mesh.client, rollout([{"weight": 100}], keepOld=None), DOCUMENT, who=text, note=text)
        record = store.known(mesh.client, "demo", "cat-v2")
        after = step(record.state, Abort(text, text), store.now()).state
        for entry in after.log:
            made = event(record, entry, About(Key("Deployment", "demo", "cat-v2"), "uid"))
            assert not harm(made["message"])
            assert "\n" not in made["message"]
            mesh.metrics.transition(after, entry)
        assert not harm(generate_latest(mesh.metrics.registry).decode())
        with redirect_stderr(StringIO()) as said:
            tell(f"cat-v2: abort by {text}: {text}")
        line = said.getvalue()
        assert line.count("\n") == 1
        assert not harm(line)


@given(hostile)
def test_an_error_of_the_api_server_is_one_line(text):
    assert "\n" not in str(ApiError(422, text, text))
    assert not harm(str(ApiError(422, "", text)))


def test_an_approval_is_what_it_was():
    assert Approve("eva", "a\nb").note == "a\nb"  # what is stored is exact: only what is shown is escaped
