"""Whatever happens in whatever order, to any rollout: what may never be."""

from datetime import timedelta
from typing import Any

import hypothesis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rollout_world import SIZES, Run, retired, rollout, routes, scaled, work

from meshconfig.rollout import automatic, events
from meshconfig.rollout.actions import Analyse, ChangeKind, GroupChange, Retire, Route, Scale, TakeUp, Wait
from meshconfig.rollout.analysis import Answer, Reading
from meshconfig.rollout.log import LogKind
from meshconfig.rollout.machine import allows, resume, step
from meshconfig.rollout.state import Phase, Stage, State

END_IT = [events.Abort, events.Rollback, events.Supersede]
PEOPLE = [*(events.Approve, events.Resume) * 5, *(events.Pause,) * 2, *END_IT]
BACK = (Stage.ROUTES_BACK, Stage.PODS_BACK, Stage.ABORTED, Stage.ROLLED_BACK)

GATES = {"pause": {"pause": {}}, "timed": {"pause": {"for": "1m"}}, "analysis": {"analysis": {"for": "1m"}}}


@st.composite
def plans(draw):
    """Steps of any kind in any order that is legal."""
    steps: list[Any] = []
    weight = 0
    for kind in draw(st.lists(st.sampled_from(["weight", "pause", "timed", "analysis", "auto"]), max_size=5)):
        if kind == "weight":
            weight = draw(st.integers(weight, 100))
            replicas = draw(st.sampled_from([None, "25%", 3]))
            steps.append({"weight": weight} | ({"replicas": replicas} if replicas else {}))
        elif kind == "auto" and weight < 90:
            steps.append({"auto": {"from": weight, "to": 90, "add": draw(st.integers(20, 60)), "every": "1m"}})
            weight = 90
        elif kind != "auto":
            steps.append(
                {"pause": {"pause": {}}, "timed": {"pause": {"for": "1m"}}}.get(kind, {"analysis": {"for": "1m"}})
            )
    more = {"onFail": draw(st.sampled_from(["rollback", "hold"])), "keepOld": draw(st.sampled_from([None, "5m"]))}
    return rollout([*steps, {"weight": 100}], **more)


class Rollouts(RuleBasedStateMachine):
    @initialize(plan=plans())
    def begin(self, plan):
        self.run = Run(plan)
        self.before = self.run.state
        self.cleared = set()  # steps whose pause was approved or over, or whose analysis passed
        self.met = GroupChange(ChangeKind.BACK)  # what the proxies have
        self.pods = {}

    @property
    def state(self):
        return self.run.state

    def send(self, event):
        self.before, text = self.state, self.state.to_json()
        self.run.send(event)
        # The state machine is a pure function, of a stored state as well.
        assert step(State.from_json(text), event, self.run.now) == (self.state, self.run.actions)
        assert self.before.to_json() == text
        self._cleared(event)

    def _cleared(self, event):
        step_done = self.before.stage in (Stage.APPROVAL, Stage.WAIT, Stage.ANALYSE, Stage.NO_DATA, Stage.BAD_METRICS)
        if self.before.current is None or not step_done:
            return
        waited = isinstance(event, events.Elapsed) and self.run.now >= self.before.clock + timedelta(minutes=1)
        passed = isinstance(event, events.Measured) and all(reading.answer is Answer.PASS for reading in event.readings)
        if isinstance(event, events.Approve) or waited or (passed and self.before.stage is Stage.ANALYSE):
            self.cleared.add(self.before.step)

    @rule(kind=st.sampled_from(PEOPLE))
    def somebody_decides(self, kind):
        if allows(self.state, kind):
            self.send(kind("eva"))

    @rule()
    @precondition(lambda self: self.state.stage is Stage.PENDING)
    def a_runner_begins(self):
        self.send(events.Start(self.state.turn, sizes=SIZES))

    @rule(times=st.integers(1, 6))
    def all_goes_well(self, times):
        for _ in range(times):
            self._work([Answer.PASS] * 3, wait=True)

    @rule(answers=st.lists(st.sampled_from(list(Answer)), min_size=3, max_size=3), wait=st.booleans())
    def a_runner_works(self, answers, wait):
        self._work(answers, wait)

    def _work(self, answers, wait):
        """The first thing that is asked for is done, and reported."""
        turn = self.state.turn
        for action in work(self.run.actions)[:1]:
            match action:
                case TakeUp():
                    self.send(events.Start(turn, sizes=SIZES))
                case Scale(versions):
                    for one in versions:
                        there = self.pods.get((one.service, one.version), 0)
                        self.pods[one.service, one.version] = max(one.replicas, there if one.at_least else 0)
                    self.send(events.PodsReady(turn))
                case Route(change):
                    self.met = change
                    self.send(events.Routed(turn))
                case Retire():
                    self.send(events.OldRetired(turn))
                case Wait(until):
                    self.run.now = max(self.run.now, until) if wait else self.run.now
                    self.send(events.Elapsed(turn))
                case Analyse(asks):
                    self.run.now = max(self.run.now, action.at) if wait else self.run.now
                    readings = [
                        Reading(metric=ask.metric, service=ask.service, answer=answer)
                        for ask, answer in zip(asks, answers, strict=False)
                    ]
                    self.send(events.Measured(turn, readings=tuple(readings)))

    @rule(kind=st.sampled_from([events.PodsFailed, events.ApplyFailed]), really=st.integers(0, 4))
    def something_fails(self, kind, really):
        if not really and allows(self.state, kind):
            self.send(kind(self.state.turn, why="broken"))

    @rule()
    def the_runner_is_killed(self):
        """Another takes up what was stored, and is asked for the same."""
        stored = State.from_json(self.state.to_json())
        again = resume(stored)
        assert again == (self.state, self.run.actions)
        self.run.state, self.run.actions = again

    @rule(kind=st.sampled_from([events.PodsReady, events.Routed, events.Elapsed, events.OldRetired]))
    def an_old_report_comes_late(self, kind):
        assert step(self.state, kind(self.state.turn - 1), self.run.now)[0] == self.state

    @rule(seconds=st.integers(1, 400))
    def time_goes_by(self, seconds):
        self.run.after(seconds)

    @invariant()
    def nothing_goes_on_that_was_not_cleared(self):
        spec = self.state.rollout.spec
        gates = [number for number, one in enumerate(spec.steps) if one.pause or one.analysis or one.auto]
        if self.state.stage not in BACK:
            assert set(gates[: sum(gate < self.state.step for gate in gates)]) <= self.cleared

    @invariant()
    def weights_move_along_the_steps(self):
        spec = self.state.rollout.spec
        legal = [0]
        for one in spec.steps:
            legal += automatic.rungs(one.auto) if one.auto else [one.weight] if one.weight is not None else []
        assert self.state.weight in legal
        if self.state.weight < self.before.weight:
            auto = self.state.current.auto if self.state.current else None
            back = self.state.stage is Stage.ROUTES_BACK and self.state.weight == 0
            assert back or (auto and self.state.rung == self.before.rung - 1)

    @invariant()
    def metrics_or_a_person_raise_the_weight_of_auto(self):
        if self.state.rung > self.before.rung and self.state.step == self.before.step:
            assert self.state.log[-1].action.kind in (LogKind.ANALYSIS_PASSED, LogKind.APPROVE)

    @invariant()
    def no_data_neither_promotes_nor_goes_back(self):
        entry = self.state.log[-1]
        if entry.action.kind is LogKind.NO_DATA:
            assert (self.state.phase, self.state.weight) == (Phase.PAUSED, self.before.weight)
            assert self.state.step == self.before.step

    @invariant()
    def an_abort_is_possible_until_the_end_and_begins_with_routes(self):
        stage = self.state.stage
        if self.state.phase.final or stage is Stage.RETIRE:
            return
        after, asked = step(self.state, events.Abort("eva"), self.run.now)
        if stage is not Stage.PODS_BACK:
            assert after.stage is Stage.ROUTES_BACK
            assert routes(work(asked)) == [(0, "back")]
            assert len(work(asked)) == 1

    @invariant()
    def the_end_is_the_end(self):
        if self.before.phase.final:
            assert self.state == self.before
        if self.state.phase.final:
            assert work(self.run.actions) == ()
            done = self.state.phase is Phase.SUCCEEDED
            assert self.met == GroupChange(ChangeKind.TAKE_OVER, 100) if done else self.met.weight == 0

    @invariant()
    def requests_never_go_to_pods_that_are_not_there(self):
        for action in self.run.actions:
            if isinstance(action, Route) and action.change.weight:
                assert all(self.pods[name, "v2"] >= 1 for name in self.state.rollout.spec.services)
        if self.met.weight < 100:
            assert all(count >= 1 for (_, version), count in self.pods.items() if version == "v1")

    @invariant()
    def all_services_move_together(self):
        services = set(self.state.rollout.spec.services)
        assert {service for service, *_ in scaled(self.run.actions)} in (set(), services)
        assert {service for service, _ in retired(self.run.actions)} in (set(), services)

    @invariant()
    def what_was_changed_is_put_back(self):
        if self.state.phase in (Phase.ABORTED, Phase.ROLLED_BACK) and self.pods:
            wanted = {(name, version): count for name, each in SIZES.items() for version, count in each.items()}
            assert self.pods == {one: wanted[one] for one in self.pods}

    def teardown(self):
        hypothesis.event(f"ends {self.state.phase}, {self.state.stage}")


Rollouts.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRollouts = Rollouts.TestCase
