"""What the commands that talk to a cluster share: their options, connecting, and showing a change as it goes on."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.status import Status
from rich.text import Text

from meshconfig import groups
from meshconfig.cli.common import needs, stderr

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cluster.barrier import Progress, Verification
    from meshconfig.cluster.change import ChangeResult, Choices, Prepared, Refusal, Wanted, Watcher
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.plan import Step
    from meshconfig.cluster.preflight import Finding

Context = Annotated[
    str | None,
    typer.Option("--context", metavar="NAME", help="A context of the kubeconfig; else its current one."),
]
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="The group's namespace.")]
GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="A group's name.", show_default=False)]
Istiod = Annotated[
    str | None,
    typer.Option("--istiod", metavar="URL", help="istiod's debug pages; else through the API server, by port-forward."),
]
Fast = Annotated[
    bool, typer.Option("--fast", help="Without the consistent change: a request may meet old and new routing.")
]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take over fields that other managers own.")]
BreakLock = Annotated[bool, typer.Option("--break-lock", help="Take over the lock of one who does not run any more.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long one barrier may take.")]
Drain = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="How long what is in flight has to end, at least.")
]
Wait = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="A barrier's length where istiod cannot be read.")]


def connect(context: str | None) -> "Client":
    """A client of the cluster.

    Raises:
        GraylaneError: there is none, or the package is not installed.
    """
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # each new try; the last one's failure is an error
    with needs("mesh"):
        from meshconfig.cluster.client import Client
    return Client.connect(context)


def wanted(files: Sequence[str], *, gone: bool = False) -> "list[Wanted]":
    """The groups in files, as they should become.

    Raises:
        InputError: what keeps them from being used.
    """
    from meshconfig.cluster.change import Wanted

    found = [group.spec for group in groups.read(files)]
    action = "delete" if gone else "apply"
    return [Wanted(one.metadata.name, one.metadata.namespace, one, action, gone) for one in found]


class ProgressPrinter:
    """A change on standard error: a line for each step, on a terminal with what it is just doing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._steps = 0
        self._wrote = 0
        self._notes: list[str] = []

    def watcher(self) -> "Watcher":
        from meshconfig.cluster.change import Events, Watcher

        events = Events(step=self.step, wrote=self.wrote, barrier=self.barrier, drain=self.drain, ended=self.ended)
        return Watcher(self.planned, self.warned, self.adopting, self.waiting, events)

    def planned(self, prepared: "Prepared") -> None:
        """Once for each time the cluster is read; the steps are counted, and what is risked is said once."""
        self._steps = len(prepared.plan.steps)
        for note in (*prepared.plan.reasons, *(f"risk: {risk}" for risk in prepared.plan.risks)):
            if note not in self._notes:
                self._notes.append(note)
                self._line(note, "yellow" if note.startswith("risk") else "dim")

    def warned(self, findings: "Sequence[Finding]") -> None:
        for finding in findings:
            self._line(str(finding), "yellow")

    def adopting(self, refusals: "Sequence[Refusal]") -> None:
        for refusal in refusals:
            self._line(f"taking over {refusal}", "yellow")

    def waiting(self, what: str) -> None:
        self._line(what, "yellow")

    def step(self, number: int, step: "Step") -> None:
        self._wrote = 0
        self._title = f"step {number + 1}/{self._steps}  {step.title}"
        if self._console.is_terminal:
            self._status = self._console.status(Text(f"{self._title} …"))
            self._status.start()

    def wrote(self, done: int, total: int) -> None:
        self._wrote = done
        self._now(f"{done}/{total} written")

    def barrier(self, progress: "Progress") -> None:
        waiting = f", waiting for {', '.join(progress.waiting_for[:2])}" if progress.waiting_for else ""
        self._now(f"{progress.acknowledged}/{progress.proxies} proxies have it{waiting}")

    def drain(self, seconds: float) -> None:
        self._now(f"{seconds:g} s for what is in flight")

    def ended(self, number: int, verdict: "Verification | None", seconds: float) -> None:
        self.stop()
        barrier = f", barrier {verdict}" if verdict else ""
        self._line(f"{self._title}: {self._wrote} written{barrier} ({seconds:.1f} s)")

    def stop(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    def _now(self, what: str) -> None:
        if self._status:
            self._status.update(Text(f"{self._title}: {what}"))

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style))


def carry_out(client: "Client", one: "Wanted", choices: "Choices") -> "ChangeResult":
    """One group's change, shown on standard error."""
    from meshconfig.cluster import change

    shown = ProgressPrinter(stderr())
    try:
        return change.carry_out(client, one, choices, shown.watcher())
    finally:
        shown.stop()


def as_json(outcome: "ChangeResult", *, dry_run: bool = False) -> dict[str, Any]:
    """{"group", "namespace", "changed", "revision", "barriers", "seconds", "calls", "dryRun"}"""
    wanted = outcome.prepared.wanted
    return {
        "group": wanted.group,
        "namespace": wanted.namespace,
        "changed": [one.as_json() for one in outcome.prepared.differences],
        "revision": outcome.revision,
        "barriers": outcome.verdict.value if outcome.verdict else None,
        "seconds": round(outcome.seconds, 3),
        "calls": outcome.calls,
        "dryRun": dry_run,
    }


def summary(outcome: "ChangeResult", *, dry_run: bool = False) -> str:
    """What was done to one group, a line for each resource and one for all."""
    wanted = outcome.prepared.wanted
    name = f"group {wanted.namespace}/{wanted.group}"
    lines = [str(one) for one in outcome.prepared.differences]
    if outcome.revision is None and not (lines and dry_run):
        return f"{name}: no change"
    if dry_run:
        return "\n".join([*lines, f"{name}: dry run, nothing was written"])
    end = f"{name}: revision {outcome.revision} in {outcome.seconds:.1f} s, {outcome.calls} API calls"
    return "\n".join([*lines, f"{end}, barriers {outcome.verdict}"])
