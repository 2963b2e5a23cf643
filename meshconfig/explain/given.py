"""What requests are explained by: specs and manifests from files, and the resources of a live cluster."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from meshconfig.errors import InputError
from meshconfig.groups import GROUP, Group, groups_among
from meshconfig.istio import Resources
from meshconfig.istio.resources import Manifest
from meshconfig.load import Document
from meshconfig.model import Model
from meshconfig.render import render
from meshconfig.simulate import Index
from meshconfig.spec.group import BackendName


@dataclass(frozen=True)
class Given:
    """All that a request is explained by.

    Parameters:
        groups: the specs.
        resources: what the specs render to, the manifests, and what a cluster has.
        files: the names of the files, for messages.
        only_specs: nothing but specs was given, so that what they name is known to exist.
        notes: what of a cluster could not be read, one sentence each.
    """

    groups: tuple[Group, ...]
    resources: Resources
    files: str
    only_specs: bool
    notes: tuple[str, ...] = ()
    index: Index = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", Index(self.resources))

    @property
    def models(self) -> list[Model]:
        return [one.model for one in self.groups]


@dataclass(frozen=True, slots=True)
class Cluster:
    """What was read from a cluster.

    Parameters:
        manifests: its resources.
        whole: the namespaces of which everything was read.
        notes: what could not be read, one sentence each.
    """

    manifests: Sequence[Manifest] = ()
    whole: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


NOTHING = Cluster()


def given_by(
    documents: Sequence[Document],
    files: Sequence[str],
    namespace: str,
    cluster: Cluster = NOTHING,
    backend: BackendName | None = None,
) -> Given:
    """Puts specs, manifests and a cluster's resources together. A file's resource replaces the cluster's of that name.

    Parameters:
        documents: specs and manifests.
        files: the names of the files that they come from, for messages.
        namespace: the namespace of manifests that name none.
        backend: replaces that of each spec; None to keep it.

    Raises:
        InputError: there is nothing to explain a request by, or a document is no valid spec.
    """
    specs = groups_among(documents, backend)
    others = [one for one in documents if not one.own]
    if not specs and not others and not cluster.manifests and not cluster.notes:
        raise InputError.at(", ".join(files) or "--live", f"no document of kind {GROUP} and no manifest here")
    made = _as_judged(render([one.model for one in specs]), cluster.manifests)
    # The last of a resource counts: a file's replaces the cluster's, and what a spec renders to replaces both.
    given: list[Manifest | tuple[Manifest, Document]] = [
        *cluster.manifests,
        *((one.value, one) for one in others),
        *made,
    ]
    resources = Resources.parse(given, default_namespace=namespace, whole=cluster.whole)
    only_specs = bool(specs) and not others and cluster is NOTHING
    return Given(tuple(specs), resources, ", ".join(files), only_specs, cluster.notes)


def _as_judged(made: Iterable[Manifest], live: Iterable[Manifest]) -> Iterator[Manifest]:
    """What specs render to. What a cluster has exactly so is the cluster's: as old, and with what istiod says of it."""
    there = {_identity(one): one for one in live}
    if not there:
        yield from made
        return
    from meshconfig.backend.gateway.defaults import is_stored  # specs alone do without that backend

    for one in made:
        found = there.get(_identity(one))
        if found is None or not is_stored(one, found):
            yield one
            continue
        metadata = {**found["metadata"], **one["metadata"]}
        yield {**one, "metadata": metadata, **({"status": found["status"]} if "status" in found else {})}


def _identity(one: Manifest) -> tuple[str, ...]:
    metadata = one["metadata"]
    return str(one.get("apiVersion")).rpartition("/")[0], one["kind"], metadata.get("namespace", ""), metadata["name"]
