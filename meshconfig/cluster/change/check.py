"""Checks before the first write: a dry run on the API server, and lint on the state after every step."""

from collections.abc import Sequence
from dataclasses import dataclass

from meshconfig.backend.kinds import ISTIO, KINDS
from meshconfig.cluster.change.prepare import Prepared
from meshconfig.cluster.client import Client
from meshconfig.cluster.fields import other_managers
from meshconfig.cluster.objects import Key, Manifest, State, key
from meshconfig.errors import ApiError, ClusterError, Conflict
from meshconfig.istio import Resources
from meshconfig.lint import Finding, Index, Level, lint

# During an adoption, two DestinationRules of a host have the same subsets for a while: istiod takes those of the older.
SUBSET_TWICE = "GL303"
OF_ISTIO = frozenset(kind.name for kind in KINDS.values() if kind.api == ISTIO)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A write that the server would refuse. `conflict`: because another manager owns fields."""

    key: Key
    lines: tuple[str, ...]
    conflict: bool

    def __str__(self) -> str:
        return "\n".join(f"{self.key}: {line}" for line in self.lines)


class UnsafeStateError(ClusterError):
    """Lint reports an error for a state between steps, but not for the first or last one: a bug in the planner."""


def check_server(client: Client, prepared: Prepared, *, everything: bool = False) -> list[Refusal]:
    """Send every write to the server with `dryRun: All`, which validates it and stores nothing.

    Parameters:
        everything: also check new resources. Other managers cannot own fields of these, so only `--dry-run` asks.
    """
    first: dict[Key, Manifest] = {}
    last: dict[Key, Manifest] = {}
    for step in prepared.plan.steps:
        for wave in step.waves:
            for manifest in wave:
                first.setdefault(key(manifest), manifest)
                last[key(manifest)] = manifest
    asked = [
        manifest
        for manifest in (*first.values(), *(one for name, one in last.items() if one != first[name]))
        if everything or key(manifest) in prepared.live.raw
    ]
    found = client.map_concurrently(lambda manifest: _refusal(client, manifest, prepared.live.raw), asked)
    return list({refusal.key: refusal for refusal in found if refusal}.values())


def _refusal(client: Client, manifest: Manifest, raw: State) -> Refusal | None:
    name = key(manifest)
    try:
        client.apply(manifest, dry_run=True)
    except Conflict as error:
        return Refusal(name, tuple(conflict_line(raw.get(name), *cause) for cause in error.causes), conflict=True)
    except ApiError as error:
        if error.status in (400, 422, 500):  # the statuses with which servers and admission webhooks reject a manifest
            return Refusal(name, (error.message,), conflict=False)
        raise
    return None


def conflict_line(live: Manifest | None, field: str, said: str) -> str:
    """`.spec.http belongs to kubectl-edit since 2026-01-01T00:00:00Z`."""
    for one in other_managers(live) if live else ():
        if f'"{one.manager}"' in said:
            return f"{field} belongs to {one.manager} since {one.time}"
    return f"{field}: {said}"


def check_states(prepared: Prepared) -> None:
    """Check that lint reports no error between two steps that it does not report for the first or last state.

    Raises:
        UnsafeStateError: it does, so the plan is wrong and nothing is written.
    """
    states = prepared.plan.states(prepared.live.state)
    known: set[Sequence[str]] | None = None
    for step, after in zip(prepared.plan.steps, states[:-1], strict=False):
        found = [one for one in _errors_of(after, prepared) if not (prepared.adopts and one.code == SUBSET_TWICE)]
        # Lint takes a second for thousands of resources. A good plan's states have no errors, so that those of its two
        # ends are rarely asked for.
        if found and known is None:
            known = {_same(finding) for end in (prepared.live.state, prepared.resources) for finding in errors(end)}
        if new := [finding for finding in found if _same(finding) not in (known or ())]:
            raise UnsafeStateError(f"nothing was changed: after the step {step.title!r}, {new[0]}")


def _errors_of(state: State, prepared: Prepared) -> list[Finding]:
    """The errors of a state on the way. While a group moves, each backend's resources count by themselves."""
    if not prepared.moves:
        return errors(state)
    istio = {name: one for name, one in state.items() if name.kind in OF_ISTIO}
    others = {name: one for name, one in state.items() if name not in istio}
    # What a host outside the mesh has, a ServiceEntry and a DestinationRule of its name, is of both backends.
    outside = {(name.namespace, name.name) for name in istio if name.kind == "ServiceEntry"}
    both = {
        name: one
        for name, one in istio.items()
        if name.kind != "VirtualService" and (name.namespace, name.name) in outside
    }
    return [*errors(istio), *errors({**both, **others})]


def errors(state: State) -> list[Finding]:
    """The errors that lint reports for these resources."""
    resources = Resources.parse(state.values())
    return [finding for finding in lint(Index(resources, (), resources)) if finding.level is Level.ERROR]


def _same(finding: Finding) -> Sequence[str]:
    return finding.code, finding.resource
