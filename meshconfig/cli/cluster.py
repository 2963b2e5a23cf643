"""What the commands that use a cluster share: options, the connection, and the display of a change in progress."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from meshconfig.cli import completion
from meshconfig.cli.activity import Activity
from meshconfig.cli.common import needs, stderr
from meshconfig.cli.console import Console

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cluster.barrier import Progress, Verification
    from meshconfig.cluster.change import ChangeResult, Choices, Prepared, Refusal, Wanted, Watcher
    from meshconfig.cluster.client import Client
    from meshconfig.cluster.plan import Step
    from meshconfig.cluster.preflight import Finding
    from meshconfig.groups import Group

Context = Annotated[
    str | None,
    typer.Option("--context", metavar="NAME", help="Context in the kubeconfig. Default: its current context."),
]
Namespace = Annotated[
    str,
    typer.Option(
        "-n",
        "--namespace",
        help="Namespace of the LaneGroup or Rollout.",
        autocompletion=completion.namespaces,
    ),
]
GroupName = Annotated[
    str,
    typer.Argument(metavar="GROUP", help="Name of a LaneGroup.", show_default=False, autocompletion=completion.groups),
]
Istiod = Annotated[
    str | None,
    typer.Option(
        "--istiod", metavar="URL", help="URL of istiod's debug pages. Default: a port-forward through the API server."
    ),
]
Fast = Annotated[
    bool,
    typer.Option(
        "--fast", help="Skip the consistent change: fewer steps, but one request may meet both old and new routes."
    ),
]
Adopt = Annotated[
    bool,
    typer.Option(
        "--adopt",
        help="Take over fields and resources that others own, and replace those that route the group's hosts.",
    ),
]
BreakLock = Annotated[
    bool, typer.Option("--break-lock", help="Take over the group's lock from a process that has stopped running.")
]
AllowNamespace = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-namespace",
        metavar="NAME",
        help="Another namespace that revisions and rollouts in the cluster may change. Default: the group's own alone.",
        show_default=False,
    ),
]
Timeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0, help="Maximum seconds to wait, in each step, until all proxies have acknowledged it."
    ),
]
Drain = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="Minimum seconds to let running requests finish.")]
Wait = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="Seconds to wait after each step if istiod cannot be read.")
]


def connect(context: str | None) -> "Client":
    """A client for the cluster of a kubeconfig context.

    Raises:
        GraylaneError: no cluster is configured, or the Kubernetes package is not installed.
    """
    # urllib3 warns on each retry. The client raises an error if the last one fails, so the warnings are noise.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    with needs("mesh"):
        from meshconfig.cluster.client import Client
    return Client.connect(context)


def wanted(group: "Group", *, gone: bool = False) -> "Wanted":
    """The desired state of a group.

    Parameters:
        gone: its resources are to be deleted.
    """
    from meshconfig.cluster.change import Wanted

    namespace, name = group.key
    return Wanted(name, namespace, group.spec, "delete" if gone else "apply", gone, locate=group.locate)


class ProgressPrinter:
    """Prints a change's progress on standard error: a line for each step, on a terminal also its current action."""

    def __init__(self, console: Console) -> None:
        self._activity = Activity(console)
        self._line = self._activity.line
        self._title = ""
        self._steps = 0
        self._wrote = 0
        self._notes: list[str] = []
        self._doubts: Sequence[str] = ()

    def watcher(self) -> "Watcher":
        from meshconfig.cluster.change import Events, Watcher

        events = Events(step=self.step, wrote=self.wrote, barrier=self.barrier, drain=self.drain, ended=self.ended)
        return Watcher(self.planned, self.warned, self.adopting, self.waiting, events=events, noted=self.noted)

    def planned(self, prepared: "Prepared") -> None:
        """Called after each reading of the cluster, as a change may be planned again; each note is printed once."""
        self._steps = len(prepared.plan.steps)
        for note in (*prepared.plan.reasons, *(f"risk: {risk}" for risk in prepared.plan.risks)):
            if note not in self._notes:
                self._notes.append(note)
                self._line(note, "yellow" if note.startswith("risk") else "dim")

    def warned(self, findings: "Sequence[Finding]") -> None:
        for finding in findings:
            for line in finding.lines:
                self._line(line, "yellow")

    def adopting(self, refusals: "Sequence[Refusal]") -> None:
        for refusal in refusals:
            for line in refusal.lines:
                self._line(f"taking over {refusal.key}: {line}", "yellow")

    def waiting(self, what: str) -> None:
        self._line(what, "yellow")

    def noted(self, note: str) -> None:
        self._line(note, "yellow")

    def step(self, number: int, step: "Step") -> None:
        self._wrote, self._doubts = 0, ()
        self._title = f"step {number + 1}/{self._steps}  {step.title}"
        self._activity.begin(self._title)

    def wrote(self, done: int, total: int) -> None:
        self._wrote = done
        self._activity.now(f"{done}/{total} written")

    def barrier(self, progress: "Progress") -> None:
        waiting = f", waiting for {', '.join(progress.waiting_for[:2])}" if progress.waiting_for else ""
        self._activity.now(f"{progress.acknowledged}/{progress.proxies} proxies have it{waiting}")
        self._doubts = progress.doubts

    def drain(self, seconds: float) -> None:
        self._activity.now(f"{seconds:g} s for running requests to finish")

    def ended(self, number: int, verdict: "Verification | None", seconds: float) -> None:
        self.stop()
        barrier = f", barrier {verdict}" if verdict else ""
        self._line(f"{self._title}: {self._wrote} written{barrier} ({seconds:.1f} s)")
        for doubt in self._doubts if verdict else ():
            self._line(f"  {doubt}", "yellow")

    def stop(self) -> None:
        self._activity.end()


def carry_out(
    client: "Client", one: "Wanted", choices: "Choices", *, begin: Callable[[], None] = lambda: None
) -> "ChangeResult":
    """Carry out the change of one group and print its progress on standard error.

    Parameters:
        begin: called after all checks, before the first route is written. If it raises, none is.
    """
    from meshconfig.cluster import change

    shown = ProgressPrinter(stderr())
    try:
        return change.carry_out(client, one, choices, replace(shown.watcher(), begin=begin))
    finally:
        shown.stop()
