"""The CI files of examples/previews: their steps, run as they are, against an API server and a forge on loopback."""

import re
from pathlib import Path

import pytest
import yaml
from ci_files import EXAMPLE, Failed, github, gitlab, run
from fake_api import api_server
from fake_controller import controller
from forge import forge

from meshconfig.cluster import conditions
from meshconfig.groups import read

EVENT = {"event.number": "42", "event.pull_request.head.sha": "abc1", "token": "a-token"}
GITLAB = {"CI_MERGE_REQUEST_IID": "42", "CI_COMMIT_SHA": "abc1"}
MARK = "<!-- graylane preview lane -->"


def ready(one, seen):
    if seen["metadata"].get("deletionTimestamp"):
        one.let_go(seen)
        return
    said = conditions.ready("Routed", "at every proxy")
    link = f"http://pets.example.com/.lane/{seen['metadata']['name']}"
    one.status(seen, said, phase="Ready", link=link, expires="2099-01-01T08:00:00Z")


@pytest.fixture
def api(tmp_path, monkeypatch):
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        (group,) = read([str(EXAMPLE / "graylane.yaml")])
        api.put({**group.document, "kind": "LaneGroup"})
        with controller(api, ready, "lanes"):
            yield api


@pytest.fixture
def hub():
    with forge() as one:
        yield one


@pytest.mark.slow
def test_a_pull_request_of_github_gets_its_lane_and_a_comment_and_when_it_is_closed_the_lane_ends(api, hub, tmp_path):
    hub.comments = {number: f"people said {number}" for number in range(1, 121)}  # more than one page
    run(github("create", EVENT), tmp_path, **hub.github)
    lane = api.get("lanes", "pr-42")
    assert lane["spec"]["versions"]["cat"] == {
        "from": "prod",
        "image": "registry.example.com/pets/cat:abc1",
        "env": {"PREVIEW": "1"},
    }
    text = hub.comments[121]
    assert text.startswith(MARK)
    assert "**<http://pets.example.com/.lane/pr-42>**" in text
    assert "curl -H 'env: pr-42' http://pets.example.com/" in text
    assert "| cat | `registry.example.com/pets/cat:abc1` |" in text
    run(github("delete", EVENT), tmp_path)
    assert api.get("lanes", "pr-42") is None


@pytest.mark.slow
def test_the_next_push_moves_the_lane_and_replaces_the_comment(api, hub, tmp_path):
    run(github("create", EVENT), tmp_path, **hub.github)
    run(github("create", {**EVENT, "event.pull_request.head.sha": "abc2"}), tmp_path, **hub.github)
    assert api.get("lanes", "pr-42")["spec"]["versions"]["cat"]["image"].endswith(":abc2")
    assert list(hub.comments) == [1]
    assert "cat:abc2" in hub.comments[1]


@pytest.mark.slow
def test_a_merge_request_of_gitlab_gets_the_same(api, hub, tmp_path):
    for commit in ("abc1", "abc2"):
        run(gitlab("preview", {**GITLAB, "CI_COMMIT_SHA": commit}), tmp_path, **hub.gitlab)
    assert api.get("lanes", "mr-42")["spec"]["versions"]["cat"]["image"].endswith(":abc2")
    assert list(hub.comments) == [1]
    assert "/.lane/mr-42" in hub.comments[1]
    run(gitlab("end preview", GITLAB), tmp_path)
    assert api.get("lanes", "mr-42") is None


@pytest.mark.slow
def test_a_comment_that_is_refused_or_lacks_a_variable_fails_in_one_line(api, hub, tmp_path):
    steps = list(github("create", EVENT))
    run(steps[:1], tmp_path)
    hub.refuse = 403
    with pytest.raises(Failed, match=r"comment.py: http\S+: 403 Forbidden\n$"):
        run(steps[1:], tmp_path, **hub.github)
    given = {name: text for name, text in hub.github.items() if name != "GITHUB_REPOSITORY"}
    with pytest.raises(Failed, match=r"comment.py: the variable GITHUB_REPOSITORY is missing\n$"):
        run(steps[1:], tmp_path, **given)


@pytest.mark.parametrize("name", ["github.yaml", "gitlab.yaml"])
def test_every_file_that_a_step_names_is_there(name):
    text = (EXAMPLE / "ci" / name).read_text()
    assert yaml.safe_load(text)
    named = re.findall(r"(?:sh|python3) (ci/\S+)", text)
    assert named
    assert all((EXAMPLE / one).is_file() for one in named)


def test_no_step_has_a_text_of_the_pull_request_in_its_command():
    """A branch's name or a title in `run` would be run: docs.github.com, security hardening of Actions."""
    flow = yaml.safe_load((EXAMPLE / "ci" / "github.yaml").read_text())
    runs = [step["run"] for job in flow["jobs"].values() for step in job["steps"] if "run" in step]
    assert runs
    assert not [one for one in runs if "${{" in one]


def test_the_lane_of_the_example_is_one_of_its_group():
    lane = yaml.safe_load(Path(EXAMPLE / "lane.yaml").read_text())["spec"]
    (group,) = read([str(EXAMPLE / "graylane.yaml")])
    assert lane["group"] == group.spec.metadata.name
    for service, version in lane["versions"].items():
        assert version["from"] in group.spec.spec.services[service].versions
