"""Rollouts: where each stands, what was measured, and the decisions about it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import UnreadableError
from meshconfig.console import chart
from meshconfig.console.acts import note
from meshconfig.console.faults import ChangedError, MissingError
from meshconfig.console.live import stream
from meshconfig.console.refs import GroupRef
from meshconfig.console.registry import GROUP, Page, get, ref_of, write
from meshconfig.console.security.entrance import source_of, visit
from meshconfig.console.sources.cluster import ClusterSource
from meshconfig.console.view import at, page, part, reader
from meshconfig.console.words import Words
from meshconfig.rollout import events, store
from meshconfig.rollout.described import described
from meshconfig.rollout.machine import allows
from meshconfig.rollout.state import State
from meshconfig.rollout.status import status

EVERY = 2.0  # seconds between two looks
ENTRIES = 60  # of the log, the newest first
LONGEST_NOTE = 1000  # characters
DECISIONS: Mapping[str, type[events.Decision]] = {
    events.word(one): one for one in (events.Approve, events.Pause, events.Resume, events.Abort, events.Rollback)
}
GRAVE = ("abort", "rollback")


def _list(request: Request) -> Response:
    ref = ref_of(request)
    wrong: list[UnreadableError] = []
    found = store.records(_client(request), ref.namespace, group=ref.name, wrong=wrong.append)
    states = [one.state for one in reversed(found)]
    return page(request, "rollouts.html", ref=ref, states=states, wrong=[str(one) for one in wrong])


def _one(request: Request) -> Response:
    ref = ref_of(request)
    return page(request, "rollout.html", ref=ref, **_view(request, ref))


def _live(request: Request) -> Response:
    ref = ref_of(request)

    def look() -> dict[str, str]:
        # Two parts, so that a note that is being typed stays while figures change.
        values = _view(request, ref)
        return {
            name: part(request, f"rollout_{file}.html", ref=ref, **values)
            for name, file in (("rollout", "live"), ("decide", "decide"))
        }

    return stream(request, look, every=EVERY)


def _decide(request: Request) -> Response:
    """Applies a decision to the rollout that the person has seen."""
    ref, name = ref_of(request), request.path_params["name"]
    form = visit(request).form
    kind = DECISIONS.get(form.get("decision", ""))
    if kind is None:
        raise MissingError("there is no such decision")
    said = note(form, LONGEST_NOTE)
    _state(request, ref)

    def unchanged(state: State) -> None:
        if mark_of(state) != form.get("mark", ""):
            raise ChangedError(f"rollout {ref.namespace}/{name} is no longer where you saw it: {_last(state)}")

    who = source_of(request).person or "console"
    store.say(_client(request), ref.namespace, name, kind(who, said), unchanged)
    return RedirectResponse(_own(request), 303)


def _own(request: Request) -> str:
    return at(ref_of(request), "rollouts", request.path_params["name"])


def mark_of(state: State) -> str:
    """Changes with each stage that a rollout enters."""
    return f"{state.generation}.{state.turn}"


def _last(state: State) -> str:
    entry = state.log[-1] if state.log else None
    return f"{entry.who}, {entry.action}, now {state.stage}" if entry else str(state.stage)


def _client(request: Request) -> Client:
    """The person's own client: a mesh on this machine has no rollouts."""
    source = source_of(request)
    if not isinstance(source, ClusterSource):
        raise MissingError("a mesh on this machine has no rollouts")
    return source.client


def _state(request: Request, ref: GroupRef) -> State:
    name = request.path_params["name"]
    found = store.read(_client(request), ref.namespace, name)
    if found is None or found.group != ref.name:
        raise MissingError(f"group {ref} has no rollout {name}")
    return found.state


def _view(request: Request, ref: GroupRef) -> dict[str, Any]:
    state, now, words = _state(request, ref), datetime.now(UTC), reader(request).words
    shown = status(state)
    return {
        "state": state,
        "mark": mark_of(state),
        "steps": [described(one) for one in state.rollout.spec.steps],
        "weights": shown["weights"],
        "pods": shown["pods"],
        "until": datetime.fromisoformat(shown["until"]) if shown["until"] else None,
        "weight_chart": _weights(state, now, words),
        "metrics": list(_metrics(state, words)),
        "log": list(reversed(state.log))[:ENTRIES],
        "allowed": {name: allows(state, event) for name, event in DECISIONS.items()},
        "grave": GRAVE,
        "longest_note": LONGEST_NOTE,
    }


def _weights(state: State, now: datetime, words: Words) -> Markup:
    points = [(one.at.timestamp(), float(one.weight)) for one in state.log]
    end = (state.log[-1].at if state.phase.final and state.log else now).timestamp()
    return chart.steps(points, end, words("rollouts.weight_chart", weight=state.applied))


def _metrics(state: State, words: Words) -> Iterator[dict[str, Any]]:
    analysis = state.rollout.spec.analysis
    limits = {one.name: one for one in analysis.metrics} if analysis else {}
    for key, tally in state.tallies.items():
        if (last := tally.last) is None:
            continue
        metric = limits.get(last.metric)
        low, high = (metric.min, metric.max) if metric else (None, None)
        yield {
            "name": key,
            "answer": last.answer.value,
            "why": last.why,
            "failed": tally.failed,
            "low": low,
            "high": high,
            "chart": chart.values(tally.recent, low, high, words("rollouts.metric_chart", name=key, why=last.why)),
        }


ONE = f"{GROUP}/rollouts/{{name}}"
PAGE = Page(
    "rollouts",
    50,
    [get(f"{GROUP}/rollouts", _list), get(ONE, _one), get(f"{ONE}/live", _live), write(ONE, _decide, _own)],
    local=False,
)
