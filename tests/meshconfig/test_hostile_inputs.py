"""Route tests, imported manifests, and what a change is compared with: no command prints what a reader would obey."""

import copy
import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from hostile_runs import harmless, has, places, put
from hostile_text import MARKUP, RUNNER, TERMINAL, hostile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
SPEC = yaml.safe_load((ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text())
CONSUMERS = {"orders": {"topic": "orders", "versions": {"prod": "orders", "gray": "orders.gray"}}}
TESTS = yaml.safe_load("""\
apiVersion: graylane.dev/v1
kind: RouteTest
metadata: {name: pets, namespace: demo}
spec:
  cases:
    - name: gray
      request: {host: cat.example.com, path: /sayHello, headers: {env: gray}, method: GET}
      expect: {service: cat, version: gray, chain: [cat/gray, mouse/prod]}
    - name: redirected
      request: {host: "http://cat.example.com/old", from: cat, gateway: demo/cat}
      expect: {redirect: "https://x/new", status: 301, shares: {prod: 90, "503": 10}, headers: {env: null, b: c}}
""")
MANIFESTS = list(
    yaml.safe_load_all("""\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: demo}
spec:
  hosts: [cat]
  http:
    - name: gray
      match: [{headers: {env: {exact: gray}}, uri: {prefix: /a}}]
      route: [{destination: {host: cat, subset: v2, port: {number: 80}}}]
    - route: [{destination: {host: cat, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cat, namespace: demo}
spec: {host: cat, subsets: [{name: v1, labels: {v: v1}}, {name: v2, labels: {v: v2}}]}
---
apiVersion: v1
kind: Service
metadata: {name: cat, namespace: demo}
spec: {selector: {app: cat}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cat, namespace: demo}
spec: {template: {metadata: {labels: {app: cat, v: v1}}, spec: {containers: [{name: a, image: b}]}}}
""")
)
PULL_REQUEST = ("<script>x</script>", "@team", "`x`", "a|b", "[x](https://evil.example)", "![x](y)", "www.evil.example",
                "https://evil.example", "<!-- x", "</details>", "#12", "```", "&lt;b&gt;", "<img src=x>")  # fmt: skip
texts = hostile | st.sampled_from(PULL_REQUEST)
IN_PLACE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("graylane.yaml").write_text(json.dumps({**SPEC, "spec": {**SPEC["spec"], "consumers": CONSUMERS}}))
    Path("tests.yaml").write_text(json.dumps(TESTS))
    return tmp_path


def changed(documents, data):
    every = [(number, path) for number, one in enumerate(documents) for path in places(one)]
    found = list(copy.deepcopy(documents))
    for number, path in data.draw(st.lists(st.sampled_from(every), min_size=1, max_size=2)):
        if has(found[number], path):
            found[number] = put(found[number], path, data.draw(texts))
    return "---\n".join(json.dumps(one) + "\n" for one in found)


@given(data=st.data())
@IN_PLACE
def test_whatever_stands_in_a_route_test(here, data):
    Path("tests.yaml").write_text(changed([TESTS], data))
    output = data.draw(st.sampled_from(["text", "json", "junit"]))
    _, out, _ = harmless("test", "-f", "graylane.yaml", "-t", "tests.yaml", "--output", output)
    if out and output == "junit":
        assert ElementTree.fromstring(out).tag == "testsuites"
    if out and output == "json":
        json.loads(out)


@pytest.mark.slow
@given(data=st.data())
@IN_PLACE
def test_whatever_stands_in_what_is_imported(here, data):
    Path("in.yaml").write_text(changed(MANIFESTS, data))
    command = data.draw(st.sampled_from([("import",), ("import", "-o", "out.yaml", "--force"), ("init", "--force")]))
    harmless(*command, "-f", "in.yaml")


@given(data=st.data())
@IN_PLACE
def test_whatever_stands_in_what_a_change_is_compared_with(here, data):
    whole = {**SPEC, "spec": {**SPEC["spec"], "consumers": CONSUMERS}}
    Path("new.yaml").write_text(changed([whole], data))
    sides = data.draw(st.permutations(["new.yaml", "graylane.yaml"]))
    command = data.draw(st.sampled_from(["plan", "diff"]))
    _, out, _ = harmless(command, "-f", sides[0], "--against", sides[1], "--output", "markdown")
    _obeys(out)


@pytest.mark.slow
@pytest.mark.parametrize("text", PULL_REQUEST)
@pytest.mark.parametrize("command", ["plan", "diff"])
def test_a_comment_shows_values_as_they_are(here, command, text):
    """A rule's header value and an entry's rewrite may be any text, and are shown in the table and in the steps."""
    new = copy.deepcopy(SPEC)
    new["spec"]["services"]["cat"]["rules"] = [{"match": {"headers": {"x": text}}, "weights": {"gray": 1}}]
    Path("new.yaml").write_text(json.dumps(new))
    _, out, _ = harmless(command, "-f", "new.yaml", "--against", "graylane.yaml", "--output", "markdown")
    assert "x: " in out
    _obeys(out)
    table = out.partition("<details>")[0]
    assert "@" not in table
    assert "www." not in table
    assert "://" not in table


@pytest.mark.slow
@pytest.mark.parametrize("text", [*TERMINAL, *RUNNER, *MARKUP, *PULL_REQUEST])
@pytest.mark.parametrize("output", ["junit", "json", "text"])
def test_a_case_is_reported_whatever_its_name_is(here, text, output):
    if "\udc80" in text:
        return
    tests = copy.deepcopy(TESTS)
    tests["spec"]["cases"] = [{**tests["spec"]["cases"][0], "name": f"a{text}", "expect": {"service": "mouse"}}]
    Path("tests.yaml").write_text(json.dumps(tests))
    code, out, err = harmless("test", "-f", "graylane.yaml", "-t", "tests.yaml", "--output", output)
    assert code == 1 if out else code == 2, err
    if out and output == "junit":
        (case,) = ElementTree.fromstring(out).iter("testcase")
        assert case.get("name", "").startswith("a")


def _obeys(comment):
    """Markdown brings no HTML but graylane's own, no link, no image and no code that a name has made."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(comment)
    leaves = [leaf for token in tokens for leaf in (token, *(token.children or ()))]
    assert not {leaf.type for leaf in leaves} & {"link_open", "image", "code_inline"}
    for leaf in leaves:
        if leaf.type in ("html_block", "html_inline"):
            known = ("<!-- graylane ", "<details><summary>", "</summary>", "</details>", "<br>", "-->")
            rest = leaf.content
            for one in known:
                rest = rest.replace(one, "")
            assert "<" not in rest, leaf.content


WORDS = [
    ("test", "-f", "graylane.yaml", "-t", "{}"),
    ("test", "-f", "graylane.yaml", "-t", "tests.yaml", "--case", "{}"),
    ("test", "-f", "graylane.yaml", "-t", "tests.yaml", "--send", "{}"),
    ("import", "-f", "in.yaml", "--group", "{}"),
    ("import", "-f", "in.yaml", "--tag", "{}"),
    ("import", "-f", "in.yaml", "-n", "{}", "-o", "{}"),
    ("init", "-f", "in.yaml", "--group", "{}", "-o", "{}"),
    ("links", "-f", "{}"),
    ("explain", "-f", "graylane.yaml", "--topic", "{}"),
    ("explain", "-f", "graylane.yaml", "--topic", "orders", "--lane", "{}"),
    ("plan", "-f", "graylane.yaml", "--against", "{}", "--output", "markdown"),
    ("plan", "-f", "graylane.yaml", "--against", "git:{}"),
    ("diff", "-f", "graylane.yaml", "--against", "git:HEAD:{}", "--output", "markdown"),
]


@given(st.sampled_from(WORDS), texts.filter(lambda text: "\0" not in text and "/" not in text))
@example(WORDS[8], "a\r\n::error::x\x1b[2J")
@example(WORDS[11], "--upload-pack=touch x")
@example(WORDS[11], "-x")
@IN_PLACE
def test_whatever_stands_in_an_argument(here, words, text):
    Path("in.yaml").write_text("---\n".join(json.dumps(one) + "\n" for one in MANIFESTS))
    harmless(*(word.replace("{}", text) for word in words))


@pytest.mark.parametrize("name", [*TERMINAL, *RUNNER, *MARKUP, *PULL_REQUEST])
def test_whatever_a_file_with_tests_is_called(here, monkeypatch, name):
    if "\0" in name:
        return
    folder = here / "named"
    folder.mkdir()
    (folder / f"{name.replace('/', '')}.yaml").write_text(json.dumps(TESTS).replace('"gray"', '"grey"'))
    for output in ("text", "json", "junit"):
        harmless("test", "-f", "graylane.yaml", "-t", "named", "--output", output)


def git(*arguments):
    who = {f"GIT_{role}_{what}": "a@b.c" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    variables = {**os.environ, **who, "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", *arguments], check=True, capture_output=True, env=variables)


def test_a_file_of_a_revision_is_read_within_the_bounds(here):
    git("init", "-q")
    Path("large.yaml").write_bytes(b"# x\n" * (17 << 20))
    Path("laughs.yaml").write_text(_laughs())
    Path("deep.yaml").write_text("a: " + "[" * 5000 + "]" * 5000)
    git("add", "-A")
    git("commit", "-qm", "x")
    for name, line, said in [
        ("large.yaml", 16777217, "has more than 64 MiB"),
        ("laughs.yaml", 8, "its aliases stand for more than"),
        ("deep.yaml", 1, "nested too deeply"),
    ]:
        code, out, err = harmless("plan", "-f", "graylane.yaml", "--against", f"git:HEAD:{name}")
        assert (code, out) == (2, "")
        assert err.startswith(f"HEAD:{name}:{line}: ") or name == "laughs.yaml"
        assert said in err
        assert len(err.splitlines()) == 1


def _laughs():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]" for number in range(1, 9)]
    return "\n".join(lines) + "\n"
