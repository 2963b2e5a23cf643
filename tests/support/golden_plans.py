"""The plans of tests/golden/plan, read and planned."""

from functools import partial
from pathlib import Path

from meshconfig.backend import backend
from meshconfig.cluster.plan import called, depths, plan
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.model import RoutingState
from meshconfig.render import owner, render

GOLDEN = Path(__file__).parents[1] / "golden" / "plan"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/after.yaml"))


def read(case: str, name: str):
    """The one group in a file, or the manifests in it."""
    path = GOLDEN / case / f"{name}.yaml"
    documents = parse(path.read_text(), str(path))
    if not documents or documents[0].kind != "LaneGroup":
        return None, [document.value for document in documents]
    (group,) = groups(documents)
    return group.model, render([group.model])


def planned(case: str):
    before, live = read(case, "before")
    after, _ = read(case, "after")
    model = after or before
    return live, plan(
        backend().lift(live, model.tag),
        after.routing() if after else RoutingState(),
        lower=partial(backend().lower, owner=owner(model)),
        tag=model.tag,
        baseline=model.baseline,
        depth=depths(model),
        called=called(model),
        fast=case.endswith("-fast"),
        settled=not case.endswith("-unsettled"),
    )
