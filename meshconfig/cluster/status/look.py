"""Reads what a status needs: about ten API calls for a group in one namespace, most of them concurrent."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from meshconfig.cluster import history, lock, owned
from meshconfig.cluster.barrier.istiod import Istiod, Istiods, Unreadable, of_istiod
from meshconfig.cluster.barrier.pages import Proxy, proxies
from meshconfig.cluster.client import Client
from meshconfig.cluster.history import Past
from meshconfig.cluster.lease import Record, Standing, judge, myself, running
from meshconfig.cluster.lowering import resources
from meshconfig.cluster.objects import Manifest, state
from meshconfig.cluster.preflight import istio_version
from meshconfig.cluster.revision import Revision
from meshconfig.cluster.status.pods import by_name, deployment
from meshconfig.cluster.status.snapshot import Followed, GroupSnapshot
from meshconfig.compile import compile_group
from meshconfig.errors import ApiError, ClusterError
from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.hosts import namespace_of
from meshconfig.model import Model
from meshconfig.render import IstioApi
from meshconfig.spec import LaneGroup

FORBIDDEN = 403


class Looker:
    """Reads the status of one group, repeatedly for `--watch`.

    Parameters:
        istiod: the URL of istiod's debug pages; None reads them by a port-forward through the API server.
    """

    def __init__(self, client: Client, namespace: str, group: str, *, istiod: str | None = None) -> None:
        self._client, self._namespace, self._group = client, namespace, group
        self._istiods = Istiods(client, istiod, ROOT_NAMESPACE)
        self._api: IstioApi = istio_version(client)
        self._compiled: tuple[str, LaneGroup, Model] | None = None

    def look(self, past: Past | None = None) -> GroupSnapshot:
        """Read the group once.

        Parameters:
            past: the group's history, if the caller has just read it.

        Raises:
            ClusterError: the cluster cannot be read, or the group has no revision that can.
        """
        past = history.read(self._client, self._namespace, self._group) if past is None else past
        revision = past.last
        if revision is None:
            said = "; ".join(map(str, past.unreadable)) or "it has no revisions"
            raise ClusterError(f"group {self._namespace}/{self._group}: {said}")
        spec, model = self._model(revision)
        described = state(resources(model, self._api))
        wanted = {} if revision.gone else described
        # The rest of an inventory may be forged, and the account need not be allowed to read there.
        own = {self._namespace, *(key.namespace for key in described)}
        known = frozenset(key for key in history.inventory(past.revisions) if key.namespace in own)
        places = {self._namespace, *(key.namespace for key in (*wanted, *known))}
        hosting = sorted({place for one in model.services if (place := namespace_of(one.host))})
        live = owned.read(self._client, self._group, places, known, wanted, self._api, others=True)
        record = lock.read(self._client, self._namespace, self._group)
        followed = follow(self._istiods)
        # Consumers of messages run in the group's own namespace, where it may have no service.
        own_too = {self._namespace} if spec.spec.consumers else set()
        deployments = self._lists("Deployment", sorted({*hosting, *own_too}))
        bare = [place for place in hosting if _lacks(spec, model, place, deployments.get(place, ()))]
        pods, services = (self._lists(kind, bare) for kind in ("Pod", "Service"))
        standing = _standing(record)
        return GroupSnapshot(
            revision,
            spec,
            model,
            wanted,
            live,
            record,
            standing,
            followed,
            deployments,
            pods,
            services,
            past.unreadable,
        )

    def _model(self, revision: Revision) -> tuple[LaneGroup, Model]:
        if self._compiled is None or self._compiled[0] != revision.hash:
            spec = revision.spec
            self._compiled = (revision.hash, spec, compile_group(spec, stored=True))
        return self._compiled[1:]

    def _lists(self, kind: str, namespaces: Sequence[str]) -> dict[str, list[Manifest]]:
        """The resources of a kind by namespace, without namespaces that the account may not read."""
        found = self._client.map_concurrently(
            lambda place: _allowed(self._client.list_resources, kind, place), namespaces
        )
        return {place: there for place, there in zip(namespaces, found, strict=True) if there is not None}


def follow(istiods: Istiods) -> Followed:
    """How many proxies have acknowledged what istiod sent them, by its debug page `syncz`."""
    try:
        there = istiods.find()
    except Unreadable as error:
        return Followed(None, None, str(error))
    found: list[Proxy] = []
    reasons = []
    for istiod in there:
        try:
            found += of_istiod(istiod.name, partial(_connected, istiod))
        except ClusterError as error:
            reasons.append(str(error))
    if len(reasons) == len(there):
        return Followed(None, None, "; ".join(reasons))
    acknowledged = sum(all(sent.acknowledged for sent in proxy.sent.values()) for proxy in found)
    return Followed(acknowledged, len(found), "; ".join(reasons))


def _connected(istiod: Istiod) -> tuple[Proxy, ...]:
    return proxies(istiod.read("syncz", {}))


def _standing(record: Record | None) -> Standing:
    return judge(record, lock.now(), myself(), running)


def _lacks(spec: LaneGroup, model: Model, namespace: str, there: Sequence[Manifest]) -> bool:
    """Whether a version has no Deployment here, so that its Pods must be counted by labels."""
    named = by_name(there)
    return any(
        deployment(spec.service(one.name), name, named) is None
        for one in model.services
        if namespace_of(one.host) == namespace
        for name in spec.spec.services[one.name].versions
    )


def _allowed(ask: Callable[..., Any], *arguments: str) -> Any:
    try:
        return ask(*arguments)
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        return None
