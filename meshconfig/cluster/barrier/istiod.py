"""Reads istiod's debug pages: at an address, or of each istiod Pod through the API server.

istiod answers only requests from its own host and authenticated ones. A request by port-forward comes from within the
Pod, so istiod answers it. A request by the API server's pod proxy comes from another host and without the user's token,
so only an istiod without that check answers it.
Source: istio/istio `pilot/pkg/xds/debug.go`, allowAuthenticatedOrLocalhost, since Istio 1.11.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import urlencode

import urllib3

from meshconfig.bounded import one_line
from meshconfig.cluster.barrier.forward import Forward
from meshconfig.cluster.barrier.pages import Page
from meshconfig.cluster.client import Client
from meshconfig.errors import ClusterError, InputError
from meshconfig.exchange.connections import bounded
from meshconfig.exchange.send import Limits, NoAnswerError, send
from meshconfig.exchange.urls import parse_url, shown_url
from meshconfig.istio.pods import is_ready

T = TypeVar("T")

PORT = 15014  # istiod's port for metrics and debug pages
LIMITS = Limits(seconds=20.0, size=256 << 20)  # the configuration of a proxy in a large mesh has some 50 MB


class Unreadable(ClusterError):  # noqa: N818  what happened, as people say it
    """A debug page could not be read; the message names the istiod and the reason."""


class Istiod(Protocol):
    """One istiod. It knows only the proxies that are connected to it."""

    @property
    def name(self) -> str: ...

    def read(self, page: str, query: Mapping[str, str]) -> Page:
        """Reads a debug page; None if the page is about a proxy that is not connected.

        Parameters:
            page: the name of the page, such as `syncz`.
            query: the parameters of the query.

        Raises:
            Unreadable: istiod does not answer, or refuses.
        """

    def tell(self, page: str, query: Mapping[str, str]) -> None:
        """Has istiod do what a debug page does, such as `cachez` with `clear`. What it answers is no JSON.

        Raises:
            Unreadable: istiod does not answer, or refuses.
        """

    def close(self) -> None:
        """Closes connections; the next read opens them again."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The names of the istiods that answered; `reason` says why others did not, and is empty if all did."""

    istiods: tuple[str, ...]
    reason: str = ""


def parsed(name: str, status: int, data: bytes) -> Page:
    """The JSON of a debug page; None for status 404.

    Parameters:
        name: the name of the istiod, for errors.

    Raises:
        Unreadable: another status than 200, or no JSON.
    """
    if status == 404:
        return None
    _accepted(name, status, data)
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Unreadable(f"{name}: what answers there is no debug page of istiod") from None


def _accepted(name: str, status: int, data: bytes) -> None:
    if status != 200:
        said = one_line(data[:1000].decode(errors="replace"), 200)
        raise Unreadable(f"{name} answers {status} to its debug pages{f': {said}' if said else ''}")


def _path(page: str, query: Mapping[str, str]) -> str:
    return f"/debug/{page}" + (f"?{urlencode(query)}" if query else "")


def of_istiod(name: str, interpret: Callable[[], T]) -> T:
    """What pages say; `interpret` reads them.

    Raises:
        Unreadable: they are JSON of another shape than istiod's.
    """
    try:
        return interpret()
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise Unreadable(f"{name}: what answers there is no debug page of istiod") from error


class ByAddress:
    """An istiod whose debug pages are at `http://host:port`, such as the local end of a port-forward."""

    def __init__(self, address: str) -> None:
        """
        Raises:
            InputError: the address is no URL.
        """
        self.name = shown_url(address.rstrip("/"), path=True)
        try:
            self._url = parse_url(address)
        except ValueError as error:
            raise InputError.at("--istiod", f"{error}, not {self.name}") from None
        self._pool = urllib3.PoolManager()
        bounded(self._pool)

    def read(self, page: str, query: Mapping[str, str]) -> Page:
        return parsed(self.name, *self._get(page, query))

    def tell(self, page: str, query: Mapping[str, str]) -> None:
        _accepted(self.name, *self._get(page, query))

    def _get(self, page: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        url = f"{self._url.origin}{self._url.path.rstrip('/')}{_path(page, query)}"
        try:
            reply = send(self._pool, "GET", url, limits=LIMITS, headers=self._url.authorization)
        except NoAnswerError as error:
            raise Unreadable(f"{self.name} does not answer: {error}") from None
        if reply.location:
            raise Unreadable(
                f"{self.name} answers with a redirect to {shown_url(reply.location)}, which is not followed"
            )
        return reply.status, reply.data

    def close(self) -> None:
        self._pool.clear()


class ByPod:
    """An istiod Pod, read by a port-forward, or by the API server's pod proxy if a port-forward fails."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self.name = name
        self._client, self._namespace = client, namespace
        self._forward: Forward | None = Forward(client, namespace, name, PORT, LIMITS)

    def read(self, page: str, query: Mapping[str, str]) -> Page:
        path = _path(page, query)
        reasons = []
        if self._forward:
            try:
                return parsed(self.name, *self._forward.get(path))
            except ClusterError as error:
                reasons.append(str(error))
        try:
            found = self._client.get(f"/api/v1/namespaces/{self._namespace}/pods/{self.name}:{PORT}/proxy{path}")
        except (ClusterError, ValueError) as error:
            reasons.append(f"by the API server's pod proxy: {error}")
            raise Unreadable(f"{self.name} cannot be read: {'; '.join(reasons)}") from None
        self._forward = None  # the other way works
        return found

    def tell(self, page: str, query: Mapping[str, str]) -> None:
        if not self._forward:
            raise Unreadable(f"{self.name} can be told something only by a port-forward")
        try:
            _accepted(self.name, *self._forward.get(_path(page, query)))
        except Unreadable:
            raise
        except ClusterError as error:
            raise Unreadable(f"{self.name} cannot be told anything: {error}") from None

    def close(self) -> None:
        if self._forward:
            self._forward.close()


class Istiods:
    """All istiods of a cluster. They are looked up each time, because Pods come and go.

    Parameters:
        client: a client of the API server; None where `address` is given.
        address: the address of the only istiod to read; None for all istiod Pods.
        namespace: the namespace of istiod's Pods, which have the label `app=istiod`.
    """

    def __init__(self, client: Client | None, address: str | None, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._fixed = [ByAddress(address)] if address else []
        self._pods: dict[str, ByPod] = {}

    def find(self) -> Sequence[Istiod]:
        """All istiods that are ready.

        Raises:
            Unreadable: no istiod is ready, or its Pods cannot be listed.
        """
        if self._fixed:
            return self._fixed
        if self._client is None:
            raise Unreadable("no istiod to ask: neither its address nor a cluster is given")
        try:
            pods = self._client.list_resources("Pod", self._namespace, "app=istiod")
        except ClusterError as error:
            raise Unreadable(f"istiod's Pods in {self._namespace} cannot be listed: {error}") from None
        names = [pod["metadata"]["name"] for pod in pods if is_ready(pod)]
        if not names:
            raise Unreadable(f"no Pod with the label app=istiod is ready in {self._namespace}")
        self._pods = {
            name: self._pods.get(name) or ByPod(self._client, self._namespace, name) for name in sorted(names)
        }
        return list(self._pods.values())

    def reach(self) -> Reach:
        """Reads one page of each istiod, to find out which of them answer."""
        try:
            there = self.find()
        except Unreadable as error:
            return Reach((), str(error))
        answered, reasons = [], []
        for istiod in there:
            try:
                istiod.read("syncz", {})
                answered.append(istiod.name)
            except ClusterError as error:
                reasons.append(str(error))
        self.close()
        return Reach(tuple(answered), "; ".join(reasons))

    def close(self) -> None:
        there: list[Istiod] = [*self._fixed, *self._pods.values()]
        for istiod in there:
            istiod.close()
