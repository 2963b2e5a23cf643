"""Plans as files: `before.yaml` and `after.yaml` are specs (or live resources), `steps.yaml` is what leads from one to
the other. `make golden` rewrites the steps; read the diff before you commit it.

A case whose name ends in `-fast` is planned with `--fast`; `-unsettled`: it is not known how the last change ended.
"""

import os

import pytest
import yaml
from golden_plans import CASES, GOLDEN, planned, read

from meshconfig.backend import Owner, backend
from meshconfig.cluster.objects import state
from meshconfig.cluster.plan import depths, plan
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.render import to_yaml


def text(made) -> str:
    head = {"consistent": made.consistent, "reasons": [*made.reasons], "risks": [*made.risks]}
    return to_yaml([head, *map(shown, made.steps)])


def shown(step):
    subsets = [f"{one.host}:{one.port} {one.name} {dict(one.labels)}" for one in step.new_subsets]
    return {
        "step": step.title,
        "why": step.why,
        "barrier": step.barrier,
        "drain": step.drain,
        "newSubsets": subsets,
        "waves": [list(wave) for wave in step.waves],
        "deletes": [str(name) for name in step.deletes],
    }


def test_there_are_plans_to_compare():
    assert len(CASES) >= 25


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_planned_as_it_was(case: str):
    golden = GOLDEN / case / "steps.yaml"
    found = text(planned(case)[1])
    if os.environ.get("GRAYLANE_GOLDEN") == "rewrite":
        golden.write_text(found)
    assert golden.read_text() == found


@pytest.mark.parametrize("case", CASES)
def test_its_steps_end_at_what_is_wanted(case: str):
    live, made = planned(case)
    states = made.states(state(live))
    _, wanted = read(case, "after")
    assert (states[-1] if states else state(live)) == state(wanted)
    assert bool(states) == (state(live) != state(wanted))


def test_a_table_that_needs_fewer_resources_than_before_deletes_the_others():
    """A backend may lower one table to several resources: HTTPRoutes hold sixteen rules each."""
    (group,) = groups(parse((GOLDEN / "lane-comes" / "after.yaml").read_text(), "after.yaml"))
    few, _ = read("lane-comes", "before")

    def lower(table):
        (whole,) = backend().lower(table, Owner("pets", "env"))
        if whole["kind"] != "VirtualService":
            return [whole]
        routes = whole["spec"].pop("http")
        return [
            {**whole, "metadata": {**whole["metadata"], "name": f"{table.name.name}-{number}"}, "route": route}
            for number, route in enumerate(routes)
        ]

    many = group.model.routing()
    made = plan(many, few.routing(), lower=lower, tag="env", baseline="prod", depth=depths(few), settled=True)
    there = state(manifest for table in many.tables for manifest in lower(table))
    assert made.states(there)[-1] == state(manifest for table in few.routing().tables for manifest in lower(table))
    assert [name.name for step in made.steps for name in step.deletes if name.name.startswith("mouse")]
    assert yaml.safe_load(to_yaml([{"steps": len(made.steps)}]))["steps"] > 1
