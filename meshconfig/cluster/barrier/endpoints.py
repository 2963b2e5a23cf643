"""Checks that each new subset has a ready endpoint, by EndpointSlices and Pods from the API server."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from meshconfig.backend.evidence import RelabelledSubset, SubsetPods
from meshconfig.cluster.barrier.change import NewSubset
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Manifest
from meshconfig.istio.hosts import service_name
from meshconfig.istio.pods import is_serving

FEW = 6  # requests for one namespace; where more are needed, one list of the whole namespace is faster
SERVICE = "kubernetes.io/service-name"

Asked = tuple[str, str]  # a namespace, and a selector of labels
Labels = tuple[tuple[str, str], ...]


def lacking(
    client: Client, subsets: Mapping[NewSubset, str], proxies: Collection[str], *, wait_for_proxies: bool
) -> list[str]:
    """For each subset without a ready endpoint, one line that says what it lacks, for people.

    Parameters:
        subsets: each with the host of its cluster: that of its service, or of a Service for this version alone.
        proxies: POD.NAMESPACE of all proxies that accept connections.
        wait_for_proxies: where other Pods of the Service have a sidecar, a Pod counts only if its own sidecar accepts
            connections.
    """
    inside = [(subset, *place) for subset in subsets if (place := service_name(subset.host))]
    own = {subset: (name, namespace) for subset, name, namespace in inside}
    own |= {subset: (place.name, place.namespace) for subset in own if (place := service_name(subsets[subset]))}
    slices = _slices(client, sorted({*own.values(), *((name, namespace) for _, name, namespace in inside)}))
    wanted = [
        (subset, namespace, serving)
        for subset, name, namespace in inside
        if (serving := endpoints(slices.get((name, namespace), ())))
    ]
    pods = _pods(client, [(namespace, subset.labels) for subset, namespace, _ in wanted])
    found = []
    for (subset, namespace, serving), matching in zip(wanted, pods, strict=True):
        known = proxies if wait_for_proxies else ()
        if why := lack(serving, matching, [name for name in serving if f"{name}.{namespace}" in known], bool(known)):
            found.append(f"subset {subset.name} of {subset.host}:{subset.port}: {why}")
        elif not endpoints(slices.get(own[subset], ())) & set(matching):
            found.append(f"Service {own[subset][1]}/{own[subset][0]}: no ready endpoint")
    return found


def addresses(client: Client, subsets: Sequence[RelabelledSubset]) -> SubsetPods:
    """For each subset, by host and name, the addresses of all Pods that have its labels, ready or not."""
    inside = [(subset, place.namespace) for subset in subsets if (place := service_name(subset.host))]
    pods = _with_labels(client, [(namespace, subset.labels) for subset, namespace in inside])
    return {
        (subset.host, subset.name): [str(one.get("status", {}).get("podIP", "")) for one in found]
        for (subset, _), found in zip(inside, pods, strict=True)
    }


def endpoints(slices: Iterable[Manifest]) -> frozenset[str]:
    """The names of the Pods behind a Service that are ready and not terminating."""
    there = [one for page in slices for one in page.get("endpoints") or ()]
    return frozenset(
        one["targetRef"]["name"] for one in there if is_serving(one) and one.get("targetRef", {}).get("name")
    )


def lack(serving: Collection[str], matching: Collection[str], meshed: Collection[str], known: bool) -> str:
    """Why a subset cannot get requests yet; empty if it can.

    Parameters:
        serving: the ready Pods of the Service, at least one.
        matching: the Pods that have the subset's labels.
        meshed: the Pods of `serving` whose sidecar accepts connections.
        known: any proxies are known at all; if False, sidecars do not count.
    """
    ready = set(serving) & set(matching)
    if not ready:
        return "no ready endpoint"
    if known and meshed and not ready & set(meshed):
        return "its ready Pods have no sidecar that takes connections yet"
    return ""


def _slices(client: Client, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[Manifest]]:
    """The EndpointSlices of each (Service, namespace)."""
    crowded = _crowded(namespace for _, namespace in places)
    asked = [(namespace, f"{SERVICE}={name}") for name, namespace in places if namespace not in crowded]
    found: dict[tuple[str, str], list[Manifest]] = defaultdict(list)
    for (namespace, _), page in _lists(client, "EndpointSlice", [*asked, *((one, "") for one in crowded)]):
        for one in page:
            found[(one["metadata"].get("labels") or {}).get(SERVICE, ""), namespace].append(one)
    return found


def _pods(client: Client, wanted: Sequence[tuple[str, Labels]]) -> list[frozenset[str]]:
    """The names of the Pods with these labels, for each (namespace, labels)."""
    return [frozenset(pod["metadata"]["name"] for pod in found) for found in _with_labels(client, wanted)]


def _with_labels(client: Client, wanted: Sequence[tuple[str, Labels]]) -> list[list[Manifest]]:
    """The Pods with these labels, for each (namespace, labels)."""
    crowded = _crowded(namespace for namespace, _ in wanted)
    asked = {(namespace, "" if namespace in crowded else _selector(labels)): None for namespace, labels in wanted}
    pages = dict(_lists(client, "Pod", list(asked)))
    return [
        [
            pod
            for pod in pages[namespace, "" if namespace in crowded else _selector(labels)]
            if set(labels) <= (pod["metadata"].get("labels") or {}).items()
        ]
        for namespace, labels in wanted
    ]


def _lists(client: Client, kind: str, asked: Sequence[Asked]) -> Iterable[tuple[Asked, list[Manifest]]]:
    return zip(asked, client.map_concurrently(lambda one: client.list_resources(kind, *one), asked), strict=True)


def _crowded(namespaces: Iterable[str]) -> list[str]:
    """The namespaces that need so many requests that one list of the whole namespace is faster."""
    return [one for one, times in Counter(namespaces).items() if times > FEW]


def _selector(labels: Labels) -> str:
    return ",".join(f"{name}={value}" for name, value in labels)
