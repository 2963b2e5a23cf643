"""Reads what routes requests in a cluster, for `graylane explain --live`. It only lists, and changes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.preflight import istio_version
from meshconfig.cluster.rights import RIGHTS
from meshconfig.errors import ApiError, ClusterError
from meshconfig.istio.exports import ROOT_NAMESPACE

_FORBIDDEN = 403
# Without these there is no answer. What else may not be read is noted.
_NEEDED = ("VirtualService", "DestinationRule", "Service")
_KINDS = tuple(kind for right in RIGHTS["graylane-explain"] for kind in right.kinds)


@dataclass(frozen=True, slots=True)
class Routing:
    """What was read.

    Parameters:
        manifests: the resources, as the API server has them.
        whole: the namespaces of which all Services were read.
        notes: what could not be read, one sentence each.
    """

    manifests: tuple[Manifest, ...]
    whole: frozenset[str]
    notes: tuple[str, ...]


class _Answer(NamedTuple):
    kind: str
    namespace: str
    found: list[Manifest] | None  # None where the account may not list the kind


def read_routing(client: Client, namespace: str | None) -> Routing:
    """The resources that decide on requests.

    Parameters:
        namespace: the one to read, besides Istio's own; None for all.

    Raises:
        ClusterError: the cluster does not answer or has no Istio, or the account may not list what every answer needs.
    """
    version = istio_version(client)
    spaces = [""] if namespace is None else list(dict.fromkeys((namespace, ROOT_NAMESPACE)))

    def ask(place: tuple[str, str]) -> _Answer:
        try:
            return _Answer(*place, client.list_resources(*place, istio_api=version))
        except ApiError as error:
            if error.status != _FORBIDDEN:
                raise
            return _Answer(*place, None)

    answers = client.map_concurrently(ask, [(kind, space) for space in spaces for kind in _KINDS])
    _check(answers, namespace)
    manifests = tuple(one for answer in answers for one in answer.found or ())
    return Routing(manifests, frozenset(_whole(answers, manifests)), tuple(_notes(answers)))


def _check(answers: Sequence[_Answer], namespace: str | None) -> None:
    for kind, space, found in answers:
        if found is None and kind in _NEEDED and space in ("", namespace):
            where = f"in namespace {space}" if space else "in all namespaces; -n reads one"
            raise ClusterError(f"this account may not list {kind}s {where}. The rights that it takes: docs/explain.md")


def _whole(answers: Sequence[_Answer], manifests: Sequence[Manifest]) -> Iterator[str]:
    for kind, space, found in answers:
        if kind == "Service" and found is not None:
            yield from [space] if space else {_namespace(one) for one in manifests}


def _namespace(manifest: Manifest) -> str:
    metadata: dict[str, Any] = manifest["metadata"]
    return str(metadata.get("namespace", ""))


def _notes(answers: Sequence[_Answer]) -> Iterator[str]:
    """What the account may not list, a sentence a namespace."""
    for space in dict.fromkeys(answer.namespace for answer in answers):
        kinds = [answer.kind for answer in answers if answer.namespace == space and answer.found is None]
        where = f"namespace {space}" if space else "the cluster"
        if len(kinds) == len(_KINDS):
            yield f"{where} could not be read (forbidden), and its resources may change this answer"
        elif kinds:
            yield f"of {where}, these kinds could not be read (forbidden): {', '.join(kinds)}"
