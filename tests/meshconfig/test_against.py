"""`graylane plan --against` and `graylane diff --against`: earlier files in place of a cluster."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from fake_api import api_server
from hypothesis import given, settings
from hypothesis import strategies as st
from random_specs import specs

from meshconfig.cli.markdown import comment, escaped
from meshconfig.errors import InputError
from meshconfig.explain.preview import Side, preview
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.printable import escape_line
from meshconfig.render import render

ROOT = Path(__file__).parents[2]
SPEC = (ROOT / "examples" / "cat-mouse" / "graylane.yaml").read_text()
GRAY_MOUSE = "        gray: {labels: {env: gray}, workload: mouse-dp-gray}\n"
WITHOUT = SPEC.replace(GRAY_MOUSE, "")
OTHER = SPEC.replace("name: pets", "name: others").replace("cat-svc", "c").replace("mouse-svc", "m")
OTHER = OTHER.replace("cat.example.com", "c.example.com")
CHANGED = "| cat.example.com/ | env: gray | cat/gray → mouse/gray | cat/gray → mouse/prod |"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("graylane.yaml").write_text(WITHOUT)
    Path("old.yaml").write_text(SPEC)
    return tmp_path


def git(*arguments):
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "a"}
    variables = {**os.environ, **identity, "GIT_COMMITTER_EMAIL": "a@b.c", "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", *arguments], check=True, capture_output=True, env=variables)


@pytest.fixture
def repository(here):
    """A repository with the earlier spec in its one commit, and the later spec beside it."""
    git("init", "-q", "-b", "main")
    Path("old.yaml").unlink()
    Path("graylane.yaml").write_text(SPEC)
    Path("specs").mkdir()
    Path("specs/pets.yaml").write_text(SPEC)
    Path("specs/note.txt").write_text("no YAML")
    Path("specs/link.yaml").symlink_to("a: [")  # a link is not read
    git("add", "-A")
    git("commit", "-qm", "before")
    Path("graylane.yaml").write_text(WITHOUT)
    Path("specs/pets.yaml").write_text(WITHOUT)
    return here


class TestPlan:
    def test_steps_without_a_cluster(self, graylane, monkeypatch):
        monkeypatch.setenv("KUBECONFIG", "/nowhere")
        code, out, err = graylane("plan", "--against", "old.yaml")
        assert code == 0
        assert out.startswith("group demo/pets: change in 2 steps\n")
        assert err == (
            "compared with old.yaml and no cluster: it is assumed that a cluster has exactly this, that no change is "
            "under way, and that new versions have ready Pods\n"
        )

    def test_it_plans_as_for_a_cluster_that_has_the_earlier_spec(self, graylane, here, monkeypatch):
        offline = json.loads(graylane("plan", "--against", "old.yaml", "--output", "json")[1])
        with api_server() as api:
            monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(here)))
            (old,) = groups(parse(SPEC, "old.yaml"))
            api.put(*render([old.model]))
            (live,) = json.loads(graylane("plan", "--output", "json")[1])
            code, out, _ = graylane("diff", "--output", "markdown")
        assert [{**one, "steps": []} for one in offline] == [{**live, "steps": []}]
        assert [one["writes"] for one in offline[0]["steps"]] == [one["writes"] for one in live["steps"]]
        assert (code, CHANGED in out) == (1, True)
        assert "no cluster" not in out

    def test_nothing_differs(self, graylane):
        code, out, _ = graylane("plan", "old.yaml", "--against", "old.yaml")
        assert (code, out) == (0, "group demo/pets: no change\n")

    def test_a_group_is_new_or_gone(self, graylane):
        Path("both.yaml").write_text(f"{SPEC}---\n{OTHER}")
        _, out, _ = graylane("plan", "both.yaml", "--against", "old.yaml")
        assert "group demo/pets: no change" in out
        assert "group demo/others: change in 3 steps" in out
        _, out, err = graylane("plan", "old.yaml", "--against", "both.yaml")
        assert out == "group demo/pets: no change\n"
        assert "group demo/others is in both.yaml alone: apply leaves it; graylane delete removes it" in err
        _, out, _ = graylane("plan", "old.yaml", "--against", "both.yaml", "--output", "markdown")
        assert "- group demo/others is in both.yaml alone" in out


class TestDiff:
    @pytest.mark.parametrize("output", ["text", "json", "markdown"])
    def test_its_exit_status_is_the_answer(self, graylane, output):
        assert graylane("diff", "--against", "old.yaml", "--output", output)[0] == 1
        assert graylane("diff", "old.yaml", "--against", "old.yaml", "--output", output)[0] == 0
        assert graylane("diff", "--against", "none.yaml", "--output", output)[0] == 2

    def test_the_differing_fields(self, graylane):
        _, out, _ = graylane("diff", "--against", "old.yaml", "--output", "json")
        assert [(one["kind"], one["name"], one["change"]) for one in json.loads(out)] == [
            ("DestinationRule", "mouse-svc", "changed"),
            ("VirtualService", "mouse-svc", "changed"),
        ]
        _, out, err = graylane("diff", "--against", "old.yaml")
        assert "-  - name: gray" in out
        assert err.endswith("2 resources differ\n")

    def test_a_rendered_directory(self, graylane):
        assert graylane("render", "old.yaml", "-o", "mesh", "--sidecar")[0] == 0
        code, out, _ = graylane("diff", "--against", "mesh", "--output", "json")
        assert (code, [one["name"] for one in json.loads(out)]) == (1, ["mouse-svc", "mouse-svc"])
        assert graylane("diff", "old.yaml", "--against", "mesh")[:2] == (0, "")
        assert graylane("render", "old.yaml", "-o", "beta", "--istio-api", "v1beta1")[0] == 0
        assert graylane("diff", "old.yaml", "--against", "beta")[:2] == (0, "")
        _, out, _ = graylane("plan", "--against", "mesh", "--output", "markdown")
        assert CHANGED in out

    def test_a_rendered_list_and_two_groups(self, graylane):
        two = [one for text in (SPEC, OTHER) for one in render([groups(parse(text, "x"))[0].model])]
        Path("list.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": two}))
        assert graylane("diff", "old.yaml", "--against", "list.yaml")[:2] == (0, "")
        _, _, err = graylane("diff", "old.yaml", "--against", "list.yaml")
        assert "group others is in list.yaml alone" in err

    def test_groups_of_one_name_in_two_namespaces(self, graylane):
        second = OTHER.replace("name: others", "name: pets").replace("namespace: demo", "namespace: second")
        Path("both.yaml").write_text(f"{SPEC}---\n{second}")
        assert graylane("render", "both.yaml", "-o", "mesh")[0] == 0
        assert graylane("diff", "both.yaml", "--against", "mesh")[:2] == (0, "")
        assert graylane("diff", "both.yaml", "--against", "both.yaml")[:2] == (0, "")

    def test_a_name_that_is_nobody_s_is_not_taken(self, graylane):
        made = render([groups(parse(SPEC, "x"))[0].model])
        foreign = [{**one, "metadata": {**one["metadata"], "labels": {}}} for one in made]
        Path("foreign.yaml").write_text(yaml.safe_dump_all(foreign))
        code, out, err = graylane("diff", "--against", "foreign.yaml")
        assert (code, out) == (2, "")
        assert "VirtualService demo/cat-svc is there already and is nobody's" in err


@pytest.mark.parametrize(
    ("old", "text", "said"),
    [
        ("none.yaml", None, "none.yaml: no such file"),
        ("bad.yaml", "a: [", "bad.yaml:2: not YAML"),
        ("bad.yaml", "a: 1\n", "bad.yaml: no spec and no resource here"),
        ("bad.yaml", WITHOUT.replace("lanes:", "lnes:"), "bad.yaml:8: spec.lnes: unknown field; did you mean lanes?"),
        (
            "bad.yaml",
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec: {http: 1}\n",
            "bad.yaml:4: spec.http: takes a list, not 1",
        ),
    ],
)
@pytest.mark.parametrize("command", ["plan", "diff"])
def test_what_cannot_be_compared_with_is_told(graylane, command, old, text, said):
    if text is not None:
        Path(old).write_text(text)
    code, out, err = graylane(command, "--against", old)
    assert (code, out) == (2, "")
    assert said in err


def test_a_context_is_for_a_cluster(graylane):
    assert graylane("plan", "--against", "old.yaml", "--context", "x")[0] == 2


class TestGit:
    def test_the_same_file_at_a_revision(self, graylane, repository):
        for revision in ("main", "HEAD", "main~0", "refs/heads/main"):
            code, out, _ = graylane("plan", "--against", f"git:{revision}", "--output", "markdown")
            assert (code, CHANGED in out) == (0, True)
        assert graylane("diff", "--against", "git:main")[0] == 1
        git("commit", "-qam", "after")
        assert graylane("diff", "--against", "git:main")[0] == 0
        assert graylane("diff", "--against", "git:main~1")[0] == 1

    def test_from_a_folder_below(self, graylane, repository, monkeypatch):
        monkeypatch.chdir(repository / "specs")
        assert graylane("diff", "../graylane.yaml", "--against", "git:main")[0] == 1
        assert graylane("diff", "pets.yaml", "--against", "git:main")[0] == 1
        assert graylane("diff", "pets.yaml", "--against", "git:main:specs/pets.yaml")[0] == 1
        assert graylane("diff", "pets.yaml", "--against", "git:main:./pets.yaml")[0] == 1
        monkeypatch.chdir(repository.parent)
        assert graylane("diff", repository / "graylane.yaml", "--against", "git:main")[0] == 1

    def test_a_directory(self, graylane, repository):
        for old in ("git:main", "git:main:specs", "git:main:specs/", "git:main:./specs"):
            assert graylane("diff", "specs", "--against", old)[0] == 1
        Path("specs/others.yaml").write_text(OTHER)
        _, out, _ = graylane("plan", "specs", "--against", "git:main")
        assert "group demo/others: change in 3 steps" in out

    def test_the_whole_repository(self, graylane, repository):
        code, _, err = graylane("diff", ".", "--against", "git:main")
        assert (code, "the folders below" in err) == (1, True)
        assert graylane("diff", "graylane.yaml", "--against", "git:main:.")[0] == 1

    def test_a_file_that_is_new_since(self, graylane, repository):
        Path("others.yaml").write_text(OTHER)
        code, out, err = graylane("plan", "graylane.yaml", "others.yaml", "--against", "git:main")
        assert (code, "others.yaml is new since main" in err) == (0, True)
        assert "group demo/others: change in 3 steps" in out
        assert graylane("plan", "others.yaml", "--against", "git:main") == (
            2,
            "",
            "main:others.yaml: no such file in revision main\n",
        )

    def test_a_name_with_blanks_and_magic(self, graylane, repository):
        name = ":(top)späß *.yaml"
        Path(name).write_text(SPEC)
        git("add", "-A")
        git("commit", "-qm", "more")
        Path(name).write_text(WITHOUT)
        assert graylane("diff", f"./{name}", "--against", "git:main")[0] == 1

    def test_errors_name_the_file_of_the_revision(self, graylane, repository):
        Path("graylane.yaml").write_text(SPEC.replace("lanes:", "lnes:"))
        git("commit", "-qam", "wrong")
        Path("graylane.yaml").write_text(SPEC)
        code, _, err = graylane("diff", "--against", "git:main")
        assert (code, err) == (2, "main:graylane.yaml:8: spec.lnes: unknown field; did you mean lanes?\n")

    @pytest.mark.parametrize(
        ("old", "said"),
        [
            ("git:", "takes git:REVISION or git:REVISION:PATH, such as git:main, not 'git:'"),
            ("git::a", "takes git:REVISION or git:REVISION:PATH, such as git:main, not 'git::a'"),
            ("git:--help", "takes git:REVISION or git:REVISION:PATH, such as git:main, not 'git:--help'"),
            ("git:a b", "takes git:REVISION or git:REVISION:PATH, such as git:main, not 'git:a b'"),
            (
                "git:nowhere",
                "there is no revision nowhere here; a shallow clone, as in CI, lacks it until it is fetched",
            ),
            ("git:main:specs/link.yaml", "main:specs/link.yaml: no such file in revision main"),
            ("git:main:none.yaml", "main:none.yaml: no such file in revision main"),
            ("git:main:../x.yaml", "is in no Git repository"),
        ],
    )
    def test_what_is_not_there_is_told(self, graylane, repository, old, said):
        code, out, err = graylane("plan", "--against", old)
        assert (code, out) == (2, "")
        assert said in err
        assert len(err.splitlines()) == 1

    def test_without_a_repository_without_git_and_standard_input(self, graylane, here, monkeypatch):
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(here.parent))
        code, _, err = graylane("plan", "--against", "git:main")
        assert (code, err) == (2, f"--against: {here} is in no Git repository\n")
        monkeypatch.setenv("PATH", "/nowhere")
        assert graylane("plan", "--against", "git:main")[2] == "--against: git is not installed, or not on PATH\n"

    def test_nothing_of_the_repository_is_run(self, graylane, repository):
        """A pull request may come from anybody: no filter, textconv or hook of its files is started."""
        Path(".gitattributes").write_text("*.yaml diff=evil filter=evil\n")
        git("config", "diff.evil.textconv", "touch pwned; cat")
        git("config", "filter.evil.smudge", "touch pwned; cat")
        git("config", "core.fsmonitor", "touch pwned")
        assert graylane("diff", "--against", "git:main")[0] == 1
        assert not Path("pwned").exists()


class TestMarkdown:
    def test_who_answers_before_and_after_and_the_steps(self, graylane):
        _, out, _ = graylane("plan", "--against", "old.yaml", "--output", "markdown")
        lines = out.splitlines()
        assert lines[0] == "<!-- graylane plan -->"
        assert lines[1] == "### demo/pets: change in 2 steps"
        assert "**1 of 3** kinds of requests are answered in another way." in lines
        assert CHANGED in lines
        assert lines.index("<details><summary>2 steps</summary>") < lines.index("</details>")
        assert lines[-1].startswith("- compared with old.yaml and no cluster")

    def test_the_differences_are_folded(self, graylane):
        _, out, _ = graylane("diff", "--against", "old.yaml", "--output", "markdown")
        assert "### demo/pets: 2 resources differ" in out
        assert out.count("```diff\n") == out.count("\n```\n") == 2
        assert out.count("<details>") == out.count("</details>") == 2

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("cat-svc.demo", "cat-svc.demo"),
            ("*.example.com", r"\*.example.com"),
            ("a|b", r"a\|b"),
            ("<b>&", "&lt;b>&amp;"),
            ("@team #12", r"&#64;team \#12"),
            ("[a](http://b)", r"\[a\](http&#58;//b)"),
            ("`a` ~~b~~ c\\d", r"\`a\` \~\~b\~\~ c\\d"),
            ("www.evil.example", "www&#46;evil.example"),
            ("- a", r"\- a"),
            ("12. a", r"12\. a"),
            ("a\nb\t c", "a b c"),
        ],
    )
    def test_names_are_shown_as_they_are(self, text, shown):
        assert escaped(text) == shown

    @given(st.text())
    def test_no_text_leaves_its_cell(self, text):
        found = escaped(text)
        assert not re.search(r"[\n\r<@]|(?<!\\)(\\\\)*\|", found)
        undone = (
            found.replace("&#46;", ".")
            .replace("&#58;", ":")
            .replace("&#64;", "@")
            .replace("&lt;", "<")
            .replace("&amp;", "&")
        )
        assert re.sub(r"\\(.)", r"\1", undone) == escape_line(re.sub(r"\s+", " ", text).strip())

    def test_a_comment_is_no_longer_than_github_takes(self):
        section = "### a\n\n<details><summary>x</summary>\n\n```diff\n" + "+line\n" * 20_000 + "```\n\n</details>\n"
        text = comment("diff", [section], ["a note"])
        assert 50_000 < len(text) <= 60_000
        assert text.endswith("```\n\n</details>\n\nThe rest is too long for a comment.\n\n- a note\n")


def answers(before, after):
    (old,), (new,) = groups(parse(before, "old.yaml")), groups(parse(after, "new.yaml"))
    sides = [
        Side(both, render([one.model]), one.model.routing()) for both, one in (([new, old], old), ([old, new], new))
    ]
    return preview(*sides)


class TestPreview:
    """Who answers what, computed from both sides' resources."""

    def test_several_callees_are_a_tree(self):
        spec = (ROOT / "examples" / "bookinfo" / "graylane-1-all-v2.yaml").read_text()
        after = (ROOT / "examples" / "bookinfo" / "graylane-2-v2-v3.yaml").read_text()
        rows = {one.place: (one.requests, one.before, one.after) for one in answers(spec, after).rows}
        assert rows["bookinfo.example.com/productpage"] == (
            ("no tag",),
            "productpage/v1 → (details/v1, reviews/v2 → ratings/v1)",
            "productpage/v1 → (details/v1, (90 % reviews/v2 → ratings/v1; 10 % reviews/v3 → ratings/v1))",
        )
        assert len(rows) == 5

    def test_an_admit_by_a_cookie_and_a_split(self):
        spec = (ROOT / "examples" / "entry-split" / "graylane.yaml").read_text()
        found = answers(spec, spec.replace("split: {gray: 10, prod: 90}", "split: {gray: 20, prod: 80}"))
        (row,) = found.rows
        assert row.requests == ("env: prod", "env: gray", "no tag")
        assert row.after == "20 % cat/gray → mouse/gray; 80 % cat/prod → mouse/prod"
        assert found.total == 4
        rows = {one.requests: one for one in answers(spec, spec.replace('beta: "1"', 'alpha: "a.b"')).rows}
        assert rows.keys() == {("cookie: beta=1",), ("cookie: alpha=a.b",)}
        assert rows["cookie: alpha=a.b",].after == "cat/gray → mouse/gray"

    def test_a_browser_s_ways_into_a_lane(self):
        spec = (ROOT / "examples" / "doors" / "graylane.yaml").read_text()
        found = answers(spec, spec.replace("        gray: {labels: {env: gray}}\n", ""))
        rows = {(one.place, label): (one.before, one.after) for one in found.rows for label in one.requests}
        gray = ("cat/gray → mouse/prod", "cat/prod → mouse/prod")
        assert rows["shop.example.com/", "env: gray"] == rows["shop.example.com/", "cookie: lane=gray"] == gray
        assert rows["gray.shop.example.com/", "no tag"] == gray
        (row,) = answers(spec, spec.replace("links: /.lane", "links: /.way")).rows[:1]
        assert row.place in ("shop.example.com/.way/gray", "shop.example.com/.lane/gray")

    def test_what_is_not_tried_is_told(self):
        spec = (ROOT / "examples" / "user-header" / "graylane.yaml").read_text()
        found = answers(spec, spec.replace("{exact: testuser}", '{regex: "test.*"}'))
        assert [one for one in found.untried if "rule 1 of reviews.example.com" in one]
        assert found.rows == ()  # the one that is known by the earlier rule meets the later one too

    def test_a_gateway_of_others_and_https(self):
        entry = "      gateway: {selector: {istio: ingressgateway}, port: 80}\n"
        for gateway in ("{use: istio-system/shop}", "{selector: {a: b}, tls: {mode: SIMPLE, credentialName: c}}"):
            before = SPEC.replace(entry, f"      gateway: {gateway}\n")
            after = WITHOUT.replace(entry, f"      gateway: {gateway}\n")
            (row,) = answers(before, after).rows
            assert (row.before, row.after) == ("cat/gray → mouse/gray", "cat/gray → mouse/prod")

    def test_services_that_call_in_a_circle_end(self):
        circle = SPEC.replace(
            "      port: 9001\n      versions", "      port: 9001\n      calls: [cat]\n      versions"
        )
        assert "calls: [cat]" in circle
        assert answers(circle, circle).rows == ()
        (row,) = answers(circle, circle.replace(GRAY_MOUSE, "")).rows
        assert row.before == "cat/gray → mouse/gray"

    @pytest.mark.slow
    @given(specs(), specs())
    @settings(max_examples=40)
    def test_equal_specs_answer_equally_and_a_change_back_is_its_mirror(self, one, other):
        one, other = (yaml.safe_dump({**each, "metadata": {"name": "a", "namespace": "demo"}}) for each in (one, other))
        try:
            there, back, same = answers(one, other), answers(other, one), answers(one, one)
        except InputError:
            return
        assert (same.rows, same.changed) == ((), 0)
        assert same.total
        assert there.changed == back.changed
        assert {(row.before, row.after) for row in there.rows} == {(row.after, row.before) for row in back.rows}
