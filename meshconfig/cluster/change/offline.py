"""Prepares a change without a cluster: resources from files or from an earlier spec stand for what a cluster has."""

from collections.abc import Mapping, Sequence
from typing import Any

from meshconfig.backend import ISTIO, IstioApi, backend
from meshconfig.backend.kinds import OWNED, Role, kind_of
from meshconfig.cluster import owned
from meshconfig.cluster.change.changeable import check_same_backend
from meshconfig.cluster.change.prepare import Prepared, Wanted, described_tables, steps_to
from meshconfig.cluster.diff import differences
from meshconfig.cluster.fields import managed_part
from meshconfig.cluster.history import Past
from meshconfig.cluster.lowering import lowering
from meshconfig.cluster.objects import Manifest, State, state
from meshconfig.cluster.owned import Live

_KINDS = {kind.name: kind for kind in OWNED}


Manifests = Sequence[Mapping[str, Any]]


def prepare_offline(wanted: Wanted, before: Manifests, others: Manifests = (), *, fast: bool = False) -> Prepared:
    """Plan the steps from given resources to a spec.

    It is taken for given that a cluster has these resources and no others, and that the last change is complete.

    Parameters:
        before: the resources of the group.
        others: manifests that are not the group's. A wanted resource may have the name of none of them.
        fast: skip the consistent change.

    Raises:
        NotOurs: a resource with the name of a wanted one belongs to others.
    """
    model = wanted.model
    api = _istio_api(before)
    lower = lowering(model, api)
    tables = described_tables(model, lower)
    resources = state(manifest for table in tables.tables for manifest in lower(table))
    live = _live(before, others, wanted, resources, api)
    check_same_backend(model, live.state)
    owned.check_free(live, resources, wanted.group)
    steps = steps_to(tables, live.state, model, lower, fast=fast, settled=True)
    past = Past(wanted.namespace, wanted.group, ())
    return Prepared(wanted, model, resources, live, differences(live.state, resources), steps, past)


def _istio_api(before: Manifests) -> IstioApi:
    """The version in which Istio's resources are written, so that it is no difference by itself."""
    return "v1beta1" if any(one.get("apiVersion") == f"{ISTIO}/v1beta1" for one in before) else "v1"


def _live(before: Manifests, others: Manifests, wanted: Wanted, resources: State, api: IstioApi) -> Live:
    stored = backend(wanted.model.backend).stored
    raw, taken = (
        state(stored(_placed(one, wanted.namespace)) for one in manifests if _is_ours_to_read(one))
        for manifests in (before, others)
    )
    return Live(
        state={name: managed_part(one, resources.get(name)) for name, one in raw.items()},
        raw=raw,
        unmanaged=taken,
        istio_api=api,
    )


def _is_ours_to_read(manifest: Mapping[str, Any]) -> bool:
    metadata = manifest.get("metadata")
    kind = _KINDS.get(kind_of(manifest))
    if kind is None or kind.group != str(manifest.get("apiVersion", "")).rpartition("/")[0]:
        return False
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str):
        return False
    content = manifest.get("data" if Role.ROSTER in kind.role else "spec")
    return isinstance(metadata.get("labels") or {}, Mapping) and isinstance(content, Mapping)


def _placed(manifest: Mapping[str, Any], namespace: str) -> Manifest:
    """A manifest with a namespace: kubectl puts one that names none into that of the command."""
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "namespace": metadata.get("namespace") or namespace}}


def group_of(manifest: Mapping[str, Any]) -> str | None:
    """The group that a resource of graylane belongs to; None for any other resource."""
    return owned.label(dict(manifest)) if _is_ours_to_read(manifest) else None
