"""Reads what the checks need: each namespace, its Services and Pods, and what the account may do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from meshconfig.backend.kinds import GATEWAY_API, OWN_GATEWAY
from meshconfig.cluster.client import Client
from meshconfig.cluster.preflight.istio_api import GROUP_PATH, chosen, served
from meshconfig.cluster.preflight.permission import Permission
from meshconfig.cluster.preflight.reviews import granted_by_rules, is_granted
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot, KindInNamespace
from meshconfig.errors import ApiError
from meshconfig.istio.hosts import namespace_of
from meshconfig.model import ISTIO_BACKEND, Model

FORBIDDEN = 403

T = TypeVar("T")
R = TypeVar("R")


def look(client: Client, model: Model, needs: Iterable[Permission]) -> ClusterSnapshot:
    """Read everything that the checks need, concurrently. What the account may not read is noted, and is no error.

    Raises:
        ClusterError: the API server does not answer, or answers with an error other than 403.
    """
    reader = _Reader(client)
    versions = served(client.get(GROUP_PATH))
    version = chosen(versions) or "v1"
    kinds = client.get(f"{GROUP_PATH}/{version}") or {"resources": []}
    spaces = sorted(
        {model.namespace, *(one.namespace for one in model.services), *(one.namespace for one in model.entries)}
    )
    hosting = sorted({namespace for service in model.services if (namespace := namespace_of(service.host))})
    used = sorted({entry.gateway for entry in model.entries if not entry.own})
    # A shared Gateway is often in a namespace that a team's account may not read. That is normal, so it is not noted.
    kind = "Gateway" if model.backend == ISTIO_BACKEND else OWN_GATEWAY
    gateways = _Reader(client).each(
        sorted({gateway.split("/")[0] for gateway in used}),
        lambda one: {gateway["metadata"]["name"] for gateway in client.list_resources(kind, one, istio_api=version)},
        lambda one: KindInNamespace(kind, one),
    )
    denied = _denied(client, reader, needs)
    return ClusterSnapshot(
        model,
        versions,
        frozenset(one["kind"] for one in kinds["resources"]),
        reader.each(
            spaces, lambda one: client.get(f"/api/v1/namespaces/{one}"), lambda one: KindInNamespace("Namespace", one)
        ),
        reader.all("Service", hosting),
        reader.all("Pod", hosting),
        {one: name in gateways[space] for one in used for space, name in [one.split("/")] if space in gateways},
        denied,
        reader.unread,
        _gateway_api(client, model),
    )


def _gateway_api(client: Client, model: Model) -> frozenset[str] | None:
    """The kinds of the Gateway API that the cluster serves; None for a group of another backend."""
    if model.backend == ISTIO_BACKEND:
        return None
    found = client.get(f"/apis/{GATEWAY_API}/v1") or {"resources": []}
    return frozenset(one["kind"] for one in found["resources"])


@dataclass(slots=True)
class _Reader:
    """Reads concurrently, and remembers what the account may not read."""

    client: Client
    unread: dict[KindInNamespace, str] = field(default_factory=dict)

    def each(self, items: Iterable[T], ask: Callable[[T], R], place: Callable[[T], KindInNamespace]) -> dict[T, R]:
        """The answer for each item, without those that are forbidden."""
        given = list(items)
        answers = self.client.map_concurrently(lambda item: _allowed(ask, item), given)
        self.unread |= {
            place(item): answer.message
            for item, answer in zip(given, answers, strict=True)
            if isinstance(answer, ApiError)
        }
        return {item: answer for item, answer in zip(given, answers, strict=True) if not isinstance(answer, ApiError)}

    def all(self, kind: str, namespaces: Iterable[str]) -> tuple[dict[str, Any], ...]:
        """The resources of a kind in all of these namespaces."""
        lists = self.each(
            namespaces, lambda one: self.client.list_resources(kind, one), lambda one: KindInNamespace(kind, one)
        )
        return tuple(one for found in lists.values() for one in found)


def _allowed(ask: Callable[[T], R], item: T) -> R | ApiError:
    try:
        return ask(item)
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return error


def _denied(client: Client, reader: _Reader, needs: Iterable[Permission]) -> tuple[Permission, ...]:
    """The permissions that the account lacks. What was granted a moment ago is not asked for again."""
    open_ones = [one for one in dict.fromkeys(needs) if one not in client.granted]
    by_rules = granted_by_rules(client, open_ones)
    answers = reader.each(
        [one for one in open_ones if one not in by_rules],
        lambda one: is_granted(client, one),
        lambda one: KindInNamespace("SelfSubjectAccessReview", one.namespace),
    )
    client.granted.add([*by_rules, *(one for one, allowed in answers.items() if allowed)])
    return tuple(one for one, allowed in answers.items() if not allowed)
