"""The golden pairs of plans, planned by the command line and without a cluster: `offline.txt` and `offline.md`.

`make golden` rewrites them; read the diff before you commit it.
"""

import json
import os

import pytest
import yaml
from golden_plans import CASES, GOLDEN

OFFLINE = [case for case in CASES if case != "delete-group"]  # its files have no spec after the change


@pytest.fixture
def plan(graylane, monkeypatch):
    """Plan a golden pair; gives (exit code, standard output, standard error)."""

    def run(case, *arguments, command="plan"):
        monkeypatch.chdir(GOLDEN / case)
        fast = ["--fast"] if case.endswith("-fast") and command == "plan" else []
        return graylane(command, "-f", "after.yaml", "--against", "before.yaml", *fast, *arguments)

    return run


@pytest.mark.parametrize("case", OFFLINE)
@pytest.mark.parametrize(("output", "ending"), [("text", "txt"), ("markdown", "md")])
def test_a_change_is_planned_offline_as_it_was(plan, case, output, ending):
    code, out, err = plan(case, "--output", output)
    said = out if output == "markdown" else err
    assert (code, "compared with before.yaml and no cluster: " in said.splitlines()[-1]) == (0, True)
    golden = GOLDEN / case / f"offline.{ending}"
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        golden.write_text(out)
    assert golden.read_text() == out


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in OFFLINE if not case.endswith("-unsettled")])
def test_its_steps_are_those_of_the_plan_for_a_cluster(plan, case):
    """An offline plan takes the last change for complete, so that only cases of others differ."""
    head, *steps = yaml.safe_load_all((GOLDEN / case / "steps.yaml").read_text())
    (made,) = json.loads(plan(case, "--output", "json")[1])
    assert made["consistent"] == head["consistent"]
    assert made["risks"] == head["risks"]
    for name in ("title", "why", "barrier", "drain", "deletes"):
        assert [one[name] for one in made["steps"]] == [one["step" if name == "title" else name] for one in steps]
    written = [[one["metadata"]["name"] for wave in step["waves"] for one in wave] for step in steps]
    assert [[name.rpartition("/")[2] for name in one["writes"]] for one in made["steps"]] == written


@pytest.mark.slow
@pytest.mark.parametrize("case", OFFLINE)
def test_a_diff_is_empty_where_the_plan_is(plan, case):
    (made,) = json.loads(plan(case, "--output", "json")[1])
    code, out, _ = plan(case, "--output", "json", command="diff")
    touched = {name for step in made["steps"] for name in (*step["writes"], *step["deletes"])}
    assert code == bool(json.loads(out))
    assert {f"{one['kind']} {one['namespace']}/{one['name']}" for one in json.loads(out)} <= touched
    assert bool(code) == bool([step for step in made["steps"] if step["writes"] or step["deletes"]])


def test_a_group_that_is_gone_has_no_plan(plan):
    code, out, err = plan("delete-group")
    assert (code, out, err) == (2, "", "after.yaml: is empty: there is no YAML document in it\n")
