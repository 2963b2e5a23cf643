"""What has become of a change of a group, as a command prints it: made in the mesh, or by the group's object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from meshconfig.cluster.change import ChangeResult
    from meshconfig.cluster.diff import ResourceDiff
    from meshconfig.cluster.lanegroups import GroupObject
    from meshconfig.cluster.objects import Key


class Outcome(Protocol):
    """The result for one group."""

    def summary(self) -> list[str]:
        """A line for each changed resource, then a line for the group."""

    def as_json(self) -> dict[str, Any]:
        """{"group", "namespace", "changed", "revision", "barriers", "seconds", "calls", "dryRun", "generation"}"""


@dataclass(frozen=True, slots=True)
class MeshOutcome:
    """A change that this command has made itself."""

    result: "ChangeResult"
    dry_run: bool = False

    def summary(self) -> list[str]:
        outcome, wanted = self.result, self.result.prepared.wanted
        name = f"group {wanted.namespace}/{wanted.group}"
        lines = [str(one) for one in outcome.prepared.differences]
        if outcome.revision is None and not (lines and self.dry_run):
            return [f"{name}: no change"]
        if self.dry_run:
            return [*lines, f"{name}: dry run, nothing was written"]
        end = f"{name}: revision {outcome.revision} in {outcome.seconds:.1f} s, {outcome.calls} API calls"
        return [*lines, f"{end}, barriers {outcome.verdict}"]

    def as_json(self) -> dict[str, Any]:
        outcome, wanted = self.result, self.result.prepared.wanted
        return {
            "group": wanted.group,
            "namespace": wanted.namespace,
            "changed": [one.as_json() for one in outcome.prepared.differences],
            "revision": outcome.revision,
            "barriers": outcome.verdict.value if outcome.verdict else None,
            "seconds": round(outcome.seconds, 3),
            "calls": outcome.calls,
            "phases": {phase.value: round(seconds, 3) for phase, seconds in outcome.phases.items()},
            "dryRun": self.dry_run,
            "generation": None,
        }


@dataclass(frozen=True, slots=True)
class ObjectOutcome:
    """A change that the controller makes, of a group that has an object in the cluster.

    Parameters:
        differences: of the object.
        after: the object as it was seen last; None if it has gone.
        mesh: what this command has done or planned itself in the mesh.
        seconds: from the first write to the end.
    """

    key: "Key"
    differences: "Sequence[ResourceDiff]"
    after: "GroupObject | None"
    seconds: float
    calls: int
    mesh: MeshOutcome | None = None
    dry_run: bool = False

    def summary(self) -> list[str]:
        lines = [str(one) for one in self.differences]
        name = f"group {self.key.namespace}/{self.key.name}"
        if self.mesh:
            planned = [str(one) for one in self.mesh.result.prepared.differences] if self.dry_run else []
            end = [] if self.dry_run else self.mesh.summary()
            lines += [*planned, *end]
        if self.dry_run:
            return [*lines, f"{name}: {'dry run, nothing was written' if lines else 'no change'}"]
        if self.after is None:
            return [*lines, f"{name}: deleted in {self.seconds:.1f} s"]
        return [*lines, f"{name}: {self._ready(self.after)}"]

    def _ready(self, after: "GroupObject") -> str:
        revision = f", revision {after.revision}" if after.revision else ""
        said = str(after.condition("Ready").get("message") or "")
        if not self.differences:
            return f"no change; generation {after.generation} is ready{revision}"
        end = f": {said}" if said else ""
        return f"generation {after.generation} is ready{revision}, in {self.seconds:.1f} s{end}"

    def as_json(self) -> dict[str, Any]:
        mesh = self.mesh.as_json() if self.mesh else {}
        return {
            "group": self.key.name,
            "namespace": self.key.namespace,
            "changed": [*(one.as_json() for one in self.differences), *mesh.get("changed", ())],
            "revision": mesh.get("revision") or (self.after.revision if self.after else None),
            "barriers": mesh.get("barriers"),
            "seconds": round(self.seconds, 3),
            "calls": self.calls,
            "phases": mesh.get("phases"),
            "dryRun": self.dry_run,
            "generation": self.after.generation if self.after else None,
        }
