"""Reads what the checks need: each namespace, its Services and Pods, and what the account may do."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from meshconfig.backend.kinds import GATEWAY_API, OWN_GATEWAY
from meshconfig.cluster.client import Client
from meshconfig.cluster.named import FEW, named
from meshconfig.cluster.objects import Key, Manifest
from meshconfig.cluster.preflight.istio_api import GROUP_PATH, chosen, served
from meshconfig.cluster.preflight.permission import Permission
from meshconfig.cluster.preflight.reviews import granted_by_rules, is_granted
from meshconfig.cluster.preflight.snapshot import ClusterSnapshot, KindInNamespace
from meshconfig.errors import ApiError
from meshconfig.istio.hosts import service_name
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
    hosting = _hosting(model)
    used = sorted({entry.gateway for entry in model.entries if not entry.own})
    # A shared Gateway is often in a namespace that a team's account may not read. That is normal, so it is not noted.
    kind = "Gateway" if model.backend == ISTIO_BACKEND else OWN_GATEWAY
    gateways = _Reader(client).each(
        sorted({gateway.split("/")[0] for gateway in used}),
        lambda one: {gateway["metadata"]["name"] for gateway in client.list_resources(kind, one, istio_api=version)},
        lambda one: KindInNamespace(kind, one),
    )
    denied = _denied(client, reader, needs)
    services = reader.each(hosting, partial(_services, client, hosting), partial(KindInNamespace, "Service"))
    pods = reader.each(hosting, partial(_pods, client, services), partial(KindInNamespace, "Pod"))
    return ClusterSnapshot(
        model,
        versions,
        frozenset(one["kind"] for one in kinds["resources"]),
        reader.each(
            spaces, lambda one: client.get(f"/api/v1/namespaces/{one}"), lambda one: KindInNamespace("Namespace", one)
        ),
        tuple(one for found in services.values() for one in found),
        tuple(one for found in pods.values() for one in found),
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


def _hosting(model: Model) -> dict[str, set[str]]:
    """The names of the group's Services by namespace."""
    found: dict[str, set[str]] = {}
    for service in model.services:
        if place := service_name(service.host):
            found.setdefault(place.namespace, set()).add(place.name)
    return dict(sorted(found.items()))


def _services(client: Client, hosting: Mapping[str, Collection[str]], namespace: str) -> list[Manifest]:
    """The group's Services in a namespace; all where one of them is missing, which may be called nearly so."""
    names = [Key("Service", namespace, name) for name in hosting[namespace]]
    found = named(client, names)
    return list(found.values()) if len(found) == len(names) else client.list_resources("Service", namespace)


def _pods(client: Client, services: Mapping[str, Iterable[Manifest]], namespace: str) -> list[Manifest]:
    """The Pods behind these Services of a namespace; all where its Services cannot be read."""
    chosen = [one["spec"].get("selector") or {} for one in services.get(namespace, ())]
    asked = {",".join(f"{name}={value}" for name, value in sorted(one.items())) for one in chosen if one}
    if len(asked) > FEW or namespace not in services:
        asked = {""}
    lists = client.map_concurrently(lambda one: client.list_resources("Pod", namespace, one), sorted(asked))
    return list({one["metadata"]["name"]: one for found in lists for one in found}.values())


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
