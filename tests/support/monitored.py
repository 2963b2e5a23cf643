"""A controller's real metrics after a bad day: each alert of the chart has a reason in them."""

from prometheus_client.exposition import generate_latest
from rollout_world import Run

from meshconfig.cluster.previews import PreviewObject
from meshconfig.controller.metrics import GroupMetrics
from meshconfig.controller.previews import PreviewMetrics
from meshconfig.rollout.analysis import Answer, Reading
from meshconfig.rollout.events import Approve
from meshconfig.rollout.overview import Overview
from meshconfig.rollout.runner.metrics import Delivery, Metrics, Tried
from meshconfig.rollout.state import Stage, State

WELL, FAILED, STALLED = ("demo", "pets"), ("demo", "shop"), ("demo", "bank")
SLOW = 90.0  # seconds of a barrier


class BadDay:
    def __init__(self) -> None:
        self.metrics, self.calls = Metrics(), 0
        self.groups = GroupMetrics(self.metrics.registry, lambda: self.calls)
        self.previews = PreviewMetrics(self.metrics.registry)
        self.metrics.leading(True)
        self.rollouts = [
            judged(Answer.NO_DATA, Stage.NO_DATA, "no-data"),
            judged(Answer.FAIL, Stage.ROUTES_BACK, "bad"),
        ]
        self.metrics.states([Overview.of(one) for one in self.rollouts])

    def goes_on(self) -> None:
        """Everything happens once more, so that each counter rises between two looks at it."""
        self.calls += 10
        self.groups.ready(WELL, True)
        self.groups.applied(WELL, SLOW)
        self.groups.barrier(SLOW)
        self.groups.step(SLOW)
        self.groups.drifted(WELL)
        self.groups.failed(FAILED)
        self.groups.failed(STALLED, stalled=True)
        for phase in ("Ready", "Failed"):
            self.previews.see(preview(phase))
            self.previews.ready(preview(phase), SLOW)
        for state in self.rollouts:
            self.metrics.transition(state, state.log[-1])
        for answer in Answer:
            self.metrics.measured(Reading(metric="success", service="cat", answer=answer))
        for outcome in Delivery:
            self.metrics.delivery(outcome)
        for what in Tried:
            self.metrics.failed(what)

    def page(self) -> str:
        return generate_latest(self.metrics.registry).decode()


def preview(phase: str) -> PreviewObject:
    metadata = {"namespace": "demo", "name": f"pr-{phase.lower()}", "creationTimestamp": "2026-01-01T12:00:00Z"}
    return PreviewObject({"kind": "Lane", "metadata": metadata, "spec": {"group": "pets"}, "status": {"phase": phase}})


def judged(answer: Answer, end: Stage, name: str) -> State:
    """A rollout whose analysis has had this answer until it was held, or went back."""
    run = Run().until(Stage.APPROVAL)
    run.send(Approve("eva")).until(Stage.ANALYSE)
    for _ in range(50):
        if run.state.stage is end:
            break
        run.measure(answer)
    assert run.state.stage is end
    metadata = run.state.rollout.metadata.model_copy(update={"name": name})
    return run.state.model_copy(update={"rollout": run.state.rollout.model_copy(update={"metadata": metadata})})
