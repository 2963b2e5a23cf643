"""`graylane rollout`: start, watch and decide on rollouts, which replace a version step by step."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from meshconfig.cli import rollout_decide, rollout_migrate, rollout_run
from meshconfig.cli.cluster import Context, Namespace, connect
from meshconfig.cli.common import (
    Files,
    Output,
    OutputFormat,
    answering_by_exit_status,
    needs,
    read_documents,
    stderr,
    stdout,
)
from meshconfig.cli.rollout_decide import By, Name, Note
from meshconfig.cli.rollout_files import Written, rollouts
from meshconfig.cli.rollout_show import RolloutView, Row, name, row, shown, table
from meshconfig.cli.watch import View, follow
from meshconfig.errors import ClusterError, GraylaneError, InputError
from meshconfig.groups import GROUP, check_kind, groups
from meshconfig.load import Document
from meshconfig.printable import say, say_json
from meshconfig.rollout.actions import changed_by
from meshconfig.rollout.state import Phase, State
from meshconfig.rollout.status import status as as_json
from meshconfig.spec import LaneGroup

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cluster.client import Client
    from meshconfig.rollout.begin import Started

LATEST = 8  # entries of the log that --watch shows on a screen
BAD = (Phase.DEGRADED, Phase.ABORTED, Phase.ROLLED_BACK)
LISTED = ("name", "group", "phase", "stage", "step", "steps", "weights", "since", "why")
LINE = 2_000  # bytes that a line of the table takes in memory

app = typer.Typer(
    help="Move services from an old to a new version step by step, with pauses and metrics.", no_args_is_help=True
)


@app.callback()
def group_() -> None:
    """Move services from an old to a new version step by step, with pauses and metrics.

    A rollout is an object of the cluster: everybody with access can watch it and decide, and `graylane controller`
    drives it.
    """


@app.command("start")
def start(
    file: Files,
    by: By = None,
    note: Note = "",
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Start the rollouts in files. Their LaneGroups must be applied already.

    If the files also contain the LaneGroup, it must equal the applied one. A running rollout of the same services is
    superseded: it goes back first. `graylane controller` then carries the new rollout out.

    Examples:

        graylane rollout start -f cat-v2.yaml

        graylane rollout start -f cat-v2.yaml --by eva --note "ticket 4711"
    """
    found = _written(read_documents(file), file)
    client = connect(context)
    with needs("mesh"):
        from meshconfig.cluster.lease import operator
        from meshconfig.rollout import begin
    begin.must_be_served(client, found[0].rollout.metadata.namespace)
    for one in found:
        if one.group is not None:
            _as_applied(client, one, one.group)
    done = []
    for one in found:
        started = begin.start(client, one.rollout, one.document, who=by or operator(), note=note)
        if output is Output.TEXT:
            _tell(client, started)
        done.append({**as_json(started.record.state), "superseded": list(started.superseded)})
    if output is Output.JSON:
        say_json(done)


def _written(documents: Sequence[Document], sources: Sequence[str]) -> list[Written]:
    for document in (one for one in documents if one.own):
        check_kind(document)
    known = groups(documents) if any(document.kind == GROUP for document in documents) else []
    found = rollouts(documents, known)
    if not found:
        raise InputError.at(", ".join(sources), "no document of kind Rollout in these files")
    return found


def _as_applied(client: "Client", one: Written, group: LaneGroup) -> None:
    """Check that the LaneGroup in the files equals the one from which the rollout will begin.

    A rollout begins from the applied group, or from the group from which a superseded rollout began. It would ignore
    whatever else the file says.

    Raises:
        InputError: the group in the files differs.
    """
    from meshconfig.cluster.revision import digest, document
    from meshconfig.rollout import begin, store

    namespace, called = group.metadata.namespace, group.metadata.name
    active = store.records(client, namespace, group=called, active=True, wrong=_unreadable)
    base = next((other.base for other in active if other.base), None) or begin.applied(client, namespace, called).group
    if digest(document(base)) != digest(document(group)):
        said = f"group {namespace}/{called} in the files differs from the applied one"
        hint = "run graylane apply first, or remove it from the files"
        raise InputError([one.document.problem(("spec", "group"), f"{said}: {hint}")])


def _tell(client: "Client", started: "Started") -> None:
    state = started.record.state
    metadata, steps = state.rollout.metadata, len(state.rollout.spec.steps)
    say(f"{name(state)}: {state.phase}, {steps} step{'s' if steps > 1 else ''}{_undriven(client, metadata.namespace)}")
    for other in started.superseded:
        say(f"rollout {metadata.namespace}/{other} is superseded: it rolls back first")


def _undriven(client: "Client", namespace: str) -> str:
    """What to do where no controller drives rollouts; empty where one does, or nobody knows."""
    from meshconfig.rollout import drivers

    return "" if drivers.is_driven(client, namespace) else f"; {drivers.hint(namespace)}"


@app.command("status")
@answering_by_exit_status()
def status(
    rollout: Name,
    namespace: Namespace = "default",
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh every 2 seconds, until the rollout ends or Ctrl-C.")
    ] = False,
    context: Context = None,
    output: OutputFormat = Output.TEXT,
) -> None:
    """Show a rollout: its phase and reason, steps, weights, Pods, measured metrics, and who did what.

    Exit status: 0 while it proceeds or if it succeeded, 1 if it stopped after a failure or is rolled back, 2 for every
    error, such as no cluster. In a pipe, --watch prints one block per change, with --output json one line.

    Examples:

        graylane rollout status cat-v2 -n demo

        graylane rollout status cat-v2 -n demo --watch

        graylane rollout status cat-v2 -n demo --output json
    """
    client = connect(context)
    seen = _look(client, namespace, rollout)
    last = LATEST if watch else None

    def text(one: RolloutView, error: str) -> RenderableType:
        return shown(one, datetime.now(UTC), error, last=last)

    view = View(text, lambda one: as_json(one.state), lambda one: one.state.phase.final)
    if watch:
        seen = follow(seen, lambda: _look(client, namespace, rollout), view, output)
    else:
        view.print(seen, output)
    sys.exit(1 if seen.state.phase in BAD else 0)


def _look(client: "Client", namespace: str, rollout: str) -> RolloutView:
    """Read the rollout: one API call; a second one after it has succeeded, or where nothing has moved for a while."""
    from meshconfig.rollout import drivers, store

    record = store.known(client, namespace, rollout)
    said = str(record.stored.condition("Ready").get("message") or "")
    hint = ""
    if drivers.is_late(record, datetime.now(UTC)) and not drivers.is_driven(client, namespace):
        hint = drivers.hint(namespace)
    revision = None if record.state.lanegroup else _revision(client, record.state)
    return RolloutView(record.state, revision, said, hint)


def _revision(client: "Client", state: State) -> int | None:
    """The revision that a succeeded rollout has made of a group that has no LaneGroup object, if it is the current."""
    from meshconfig.cluster import history

    if state.phase is not Phase.SUCCEEDED:
        return None
    with suppress(ClusterError):  # only a hint depends on it
        metadata = state.rollout.metadata
        last = history.last_succeeded(history.revisions(client, metadata.namespace, state.rollout.spec.group))
        if last and changed_by(last.action, metadata.name):
            return last.number
    return None


@app.command("list")
def list_(namespace: Namespace = "default", context: Context = None, output: OutputFormat = Output.TEXT) -> None:
    """List the rollouts of a namespace, including those that have ended; the newest is the last.

    Examples:

        graylane rollout list -n demo
    """
    client = connect(context)
    with needs("mesh"):
        from meshconfig.rollout import begin, store

    def take(state: State) -> tuple[int, tuple[Row, dict[str, Any]]]:
        values = as_json(state)
        listed = {key: values[key] for key in LISTED}
        return len(json.dumps(listed)) + LINE, (row(state), listed)

    found = store.newest(client, namespace, take)
    for error in found.unreadable:
        _unreadable(error)
    if count := found.kept.omitted:
        say(f"graylane: {count} older rollouts are left out: all of them are too many for one list", error=True)
    if output is Output.JSON:
        say_json([listed for _, listed in found.kept.items])
    elif found.kept.items:
        stdout().print(table([line for line, _ in found.kept.items]))
    else:
        begin.must_be_served(client, namespace)
        stderr().print(f"namespace {namespace} has no rollouts")


def _unreadable(error: GraylaneError) -> None:
    say(*error.lines, error=True)


rollout_decide.register(app)
rollout_migrate.register(app)
rollout_run.register(app)
