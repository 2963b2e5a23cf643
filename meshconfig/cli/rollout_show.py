"""A rollout as text: its phase, steps, versions, measured metrics and log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType

from meshconfig.cli.console import Table, Text
from meshconfig.cli.history import when
from meshconfig.duration import written
from meshconfig.rollout.analysis import Answer
from meshconfig.rollout.automatic import rungs
from meshconfig.rollout.described import described, standing_of, step_of
from meshconfig.rollout.state import Phase, State
from meshconfig.rollout.status import status
from meshconfig.spec.rollout import RolloutStep

STYLES = {
    Phase.PENDING: "cyan",
    Phase.PROGRESSING: "cyan",
    Phase.PAUSED: "yellow",
    Phase.DEGRADED: "red",
    Phase.SUCCEEDED: "green",
    Phase.ABORTED: "red",
    Phase.ROLLED_BACK: "red",
}
ANSWERS = {Answer.PASS: "green", Answer.FAIL: "red", Answer.NO_DATA: "yellow"}
DONE, HERE, STOPPED = Text("✓", "green"), Text("→", "bold"), Text("✗", "red")


@dataclass(frozen=True, slots=True)
class RolloutView:
    """What was read of a rollout.

    Parameters:
        revision: the group's current one, where that is the rollout's last one and there is no LaneGroup object.
        said: the message of its condition Ready.
        hint: what to do where nobody drives it.
    """

    state: State
    revision: int | None = None
    said: str = ""
    hint: str = ""


def shown(seen: RolloutView, now: datetime, error: str = "", *, last: int | None = None) -> RenderableType:
    """Everything about a rollout.

    Parameters:
        error: the reason why the latest reading failed, or empty.
        last: the number of log entries to show; None shows all.
    """
    state = seen.state
    parts: list[RenderableType] = [*_head(seen), *([Text(error, "red")] if error else [])]
    parts += ["", _steps(state), "", _versions(state)]
    if state.tallies:
        parts += ["", _metrics(state)]
    parts += ["", *_log(state, last), *_end(seen)]
    if (left := _left(state, now)) is not None:
        parts.insert(2, left)
    return Group(*parts)


def line(state: State) -> str:
    """`rollout demo/cat-v2: Paused, awaiting approval, step 2 of 5`."""
    return f"{name(state)}: {standing_of(state)}{step_of(state)}"


def name(state: State) -> str:
    return f"rollout {state.rollout.metadata.namespace}/{state.name}"


Row = tuple[RenderableType, ...]


def table(rows: Sequence[Row]) -> Table:
    """A table with one line per rollout."""
    found = Table(box=None, pad_edge=False)
    for column in ("rollout", "group", "phase", "stage", "step"):
        found.add_column(column)
    found.add_column("weight", justify="right")
    found.add_column("since")
    for row in rows:
        found.add_row(*row)
    return found


def row(state: State) -> Row:
    """A rollout's line in `table`."""
    steps = state.rollout.spec.steps
    step = f"{min(state.step + 1, len(steps))}/{len(steps)}"
    phase = Text(state.phase, STYLES[state.phase])
    return state.name, state.rollout.spec.group, phase, state.stage, step, f"{state.applied} %", when(state.since)


def _head(seen: RolloutView) -> Iterator[Text]:
    state = seen.state
    yield Text.assemble(
        (name(state), "bold"),
        "   ",
        (standing_of(state), STYLES[state.phase]),
        f"{step_of(state)}   since {when(state.since)}",
    )
    spec = state.rollout.spec
    moves = ", ".join(f"{service} {move.from_} → {move.to}" for service, move in spec.services.items())
    yield Text(f"group {spec.group}: {moves}" + (f", split at {spec.entry}" if spec.entry else ""))
    if state.why:
        yield Text(state.why, "red" if state.phase is Phase.DEGRADED else "")
    if state.obstacle:
        yield Text(state.obstacle.message, "red" if state.obstacle.stalls else "yellow")
    if seen.hint:
        yield Text(seen.hint, "yellow")


def _left(state: State, now: datetime) -> Text | None:
    until = status(state)["until"]
    if until is None:
        return None
    end = datetime.fromisoformat(until)
    seconds = max(0, round((end - now).total_seconds()))
    return Text(f"until {when(end)}, {written(seconds)} left")


def _steps(state: State) -> Table:
    found = Table(box=None, show_header=False, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    found.add_column()
    found.add_column(justify="right")
    found.add_column()
    for number, step in enumerate(state.rollout.spec.steps):
        here = number == state.step and state.phase is not Phase.PENDING
        words = described(step) + (_rung(state, step) if here else "")
        style = "bold" if here else "" if number < state.step else "dim"
        found.add_row(_mark(state, number, here=here), str(number + 1), Text(words, style))
    return found


def _mark(state: State, number: int, *, here: bool) -> Text:
    if here:
        back = state.phase.final or state.stage.going_back
        return STOPPED if back else HERE
    return DONE if number < state.step else Text(" ")


def _rung(state: State, step: RolloutStep) -> str:
    return f" (at {rungs(step.auto)[state.rung]} %)" if step.auto else ""


def _versions(state: State) -> Table:
    found = Table(box=None, pad_edge=False)
    found.add_column("service")
    found.add_column("version")
    found.add_column("untagged", justify="right")
    found.add_column("Pods wanted", justify="right")
    for service, weights in status(state)["weights"].items():
        for version, weight in weights.items():
            found.add_row(service, version, f"{weight} %", _wanted(state, service, version))
    return found


def _wanted(state: State, service: str, version: str) -> str:
    if state.old_retired and version == state.rollout.spec.services[service].from_:
        return "retired"
    return str(state.pods.get(service, {}).get(version, ""))


def _metrics(state: State) -> Table:
    found = Table(box=None, pad_edge=False)
    for column in ("metric", "last", ""):
        found.add_column(column)
    for key, tally in state.tallies.items():
        if tally.last:
            said = f"{tally.failed} failed" if tally.failed else ""
            answer = Text(tally.last.answer, ANSWERS[tally.last.answer])
            found.add_row(key, answer, Text(", ".join(part for part in (tally.last.why, said) if part)))
    return found


def _log(state: State, last: int | None) -> Iterator[RenderableType]:
    entries = state.log if last is None else state.log[-last:]
    if earlier := len(state.log) - len(entries):
        yield Text(f"{earlier} earlier entries of the log", "dim")
    found = Table(box=None, pad_edge=False)
    for column in ("when", "who", "action"):
        found.add_column(column)
    found.add_column("weight", justify="right")
    found.add_column("then")
    found.add_column("why")
    for one in entries:
        phase = Text(one.stage, STYLES[one.phase])
        found.add_row(when(one.at), Text(one.who), Text(str(one.action)), f"{one.weight} %", phase, Text(one.why))
    yield found


def _end(seen: RolloutView) -> Iterator[RenderableType]:
    """A hint after a success: the spec in the user's file still names the old versions."""
    if seen.state.phase is Phase.SUCCEEDED and seen.state.lanegroup and seen.said:
        yield Text(f"\n{seen.said}")
    if seen.state.phase is Phase.SUCCEEDED and seen.revision is not None:
        spec, namespace = seen.state.rollout.spec, seen.state.rollout.metadata.namespace
        command = f"graylane history {spec.group} -n {namespace} --show {seen.revision} > graylane.yaml"
        yield Text(
            f"\nthe rollout changed the group's spec; the spec in your file is older. To print the new one: {command}"
        )
