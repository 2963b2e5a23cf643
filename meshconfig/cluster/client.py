"""A thin client of the Kubernetes API server. One line does I/O; the rest prepares requests and interprets answers.

Source: Kubernetes API concepts (server-side apply, Status), https://kubernetes.io/docs/reference/using-api/.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import copy
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient, Configuration
from urllib3.exceptions import InsecureRequestWarning

from meshconfig.backend.kinds import KINDS
from meshconfig.bounded import InTurn, one_line
from meshconfig.cluster import kubeconfig
from meshconfig.cluster.granted import Granted
from meshconfig.cluster.guarded import Check, is_guarded, send
from meshconfig.cluster.objects import MANAGER, Key, Manifest, key
from meshconfig.cluster.paths import collection, path
from meshconfig.cluster.retries import PatientRetry, cause
from meshconfig.errors import ApiError, Conflict, Unauthorized, Unreachable
from meshconfig.exchange.connections import bounded
from meshconfig.exchange.send import NoAnswerError, open_stream
from meshconfig.exchange.urls import shown_url

WORKERS = 24  # concurrent requests; API Priority and Fairness allows one user far more
APPLY = "application/apply-patch+yaml"
PAGE = 500  # resources in one answer of a list, as kubectl asks for them
PAGES = 10_000  # of one list
GONE = 410  # a list's next page is asked for, and the server does not have its moment any more
RESTARTS = 3  # of a list, for that reason
LARGEST_STATUS = 1 << 20  # bytes of an error's text
PROXY = "/proxy/"  # in a path that leads to a Pod
# Paths whose answer is an object: of one, of a Namespace, and of a kind if something is created there.
_OBJECT = re.compile("/(api/v1|apis/[^/]+/[^/]+)/namespaces/[^/]+(/[^/]+/[^/]+)?")
_KIND = re.compile("/(api/v1|apis/[^/]+/[^/]+)/namespaces/[^/]+/[^/]+")
# Paths whose answer is the list of a group's versions, or of a version's kinds.
_VERSIONS, _RESOURCES = re.compile("/apis/[^/]+"), re.compile("/apis/[^/]+/[^/]+")

T = TypeVar("T")
R = TypeVar("R")


class Client:
    """A client of one API server for one user. It is thread-safe.

    Parameters:
        api: the Kubernetes package's client, configured with the server's address and the user's credentials.
        source: where the configuration is from, for error messages.

    Attributes:
        reading: is held, also by sessions, while stored objects are parsed: an object, or a page of them, at a time.
        lists: is held while a list of stored objects is read to its end, and reduced to what is needed. It is taken
            before `reading`.
        granted: what the server has lately said that the user may do, also to sessions; a 403 empties it.
    """

    def __init__(self, api: ApiClient, source: str = "the kubeconfig") -> None:
        self._api = api
        self._source = source
        self._answered = threading.Event()  # of this client and its sessions
        self._lock = threading.Lock()
        self._calls = [0]  # of this client and its sessions
        self._checks: tuple[Check, ...] = ()
        self.reading, self.lists, self.granted = InTurn(), InTurn(), Granted()
        if not api.configuration.proxy or not api.configuration.proxy.startswith(
            "socks"
        ):  # these have pools of their own
            bounded(api.rest_client.pool_manager)

    @classmethod
    def connect(cls, context: str | None = None) -> "Client":
        """Connect by KUBECONFIG or ~/.kube/config; inside a Pod without either, by its service account.

        Raises:
            InputError: the configuration is not valid.
            ClusterError: there is no configuration.
        """
        configuration = Configuration(connection_pool_maxsize=WORKERS)
        source = kubeconfig.configure(configuration, context)
        if not configuration.verify_ssl:
            urllib3.disable_warnings(
                InsecureRequestWarning
            )  # the kubeconfig switches verification off, so a warning for each request is noise
        return cls(ApiClient(configuration), source)

    @property
    def configuration(self) -> Configuration:
        """The configuration, to build another client of the same server and user."""
        configuration: Configuration = self._api.configuration
        return configuration

    @property
    def server(self) -> str:
        """The server's URL, for messages."""
        return shown_url(str(self._api.configuration.host), path=True)

    @property
    def calls(self) -> int:
        """The requests that were sent, also by sessions of this client."""
        return self._calls[0]

    def session(self) -> "Client":
        """A client of the same server and user, with guards of its own."""
        session = copy(self)
        session._checks = ()
        return session

    def guard(self, check: Check) -> Callable[[], None]:
        """Have every write of this client checked before each attempt.

        Parameters:
            check: returns the seconds that the attempt may take, None for no limit, or raises an error to give up.

        Returns:
            A function that takes the guard away.
        """
        self._checks = (*self._checks, check)

        def unguard() -> None:
            self._checks = tuple(one for one in self._checks if one is not check)

        return unguard

    def request(
        self,
        method: str,
        where: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send one request.

        Parameters:
            method: the HTTP method.
            where: the path, such as `/api/v1/namespaces/demo/pods`.
            body: the JSON body; a string is sent as it is.

        Returns:
            The answer's JSON.

        Raises:
            ApiError: the server answered with a status other than 2xx; Conflict for 409, Unauthorized for 401.
            Unreachable: the server did not answer, also after retries, or something else answered in its place.
        """
        method, url, headers = self._prepared(method, where, query, content_type)
        checks = self._checks if is_guarded(method, where, url) else ()
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        pool = self._api.rest_client.pool_manager
        try:
            reply = send(pool, method, url, headers, text, checks, PatientRetry(self._answered))
        except NoAnswerError as error:
            raise Unreachable(f"no answer from the API server {self.server}: {cause(error, self._source)}") from None
        if 200 <= reply.status < 300:
            return self._json(method, where, reply.data)
        if reply.location:
            raise self._no_api_server(f"a redirect to {shown_url(reply.location, path=True)}")
        if reply.status == 401:
            raise Unauthorized(self.server, self._source, _message(reply.data))
        if reply.status == 403:
            self.granted.clear()
        raise _refused(reply.status, reply.data)

    def stream(self, where: str, query: Mapping[str, str], seconds: float) -> Iterator[bytes]:
        """GET a path whose answer has no end yet: its bytes, as they arrive. It is sent once.

        Parameters:
            seconds: after which the connection is given up, whatever arrives.

        Raises:
            ApiError: the server answered with a status other than 200.
            Unreachable: the server did not answer, or the connection broke.
        """
        _, url, headers = self._prepared("GET", where, query)
        try:
            status, chunks = open_stream(self._api.rest_client.pool_manager, url, headers, seconds)
            if status != 200:
                raise _refused(status, b"".join(chunks)[:LARGEST_STATUS])
            yield from chunks
        except NoAnswerError as error:
            raise Unreachable(f"no answer from the API server {self.server}: {cause(error, self._source)}") from None

    def _prepared(
        self, method: str, where: str, query: Mapping[str, str] | None, content_type: str = "application/json"
    ) -> tuple[str, str, dict[str, str]]:
        """Counts a request; its method, URL and headers, which have the user's credentials."""
        with self._lock:
            self._calls[0] += 1
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": MANAGER}
        method, url, headers, _, _ = self._api.param_serialize(
            method, where, header_params=headers, auth_settings=["BearerToken"]
        )
        return method, f"{url}?{urlencode(query)}" if query else url, headers

    def _json(self, method: str, where: str, data: bytes) -> Any:
        """The JSON of an answer: an object, or whatever a Pod answers through the API server's proxy.

        Raises:
            Unreachable: the answer is something else, such as the login page of a proxy.
        """
        try:
            found = json.loads(data) if data else None
        except (ValueError, RecursionError):
            found = _NO_JSON
        if PROXY in where and found is not _NO_JSON:
            return {} if found is None else found
        if not isinstance(found, dict) or not _is_answer(method, where, found):
            raise self._no_api_server(repr(" ".join(data[:160].decode(errors="replace")[:40].split())))
        return found

    def _no_api_server(self, answer: str) -> Unreachable:
        return Unreachable(
            f"{self.server} answers with {one_line(answer)} and is no Kubernetes API server: "
            f"correct the cluster's server in {self._source}, or log in at the proxy before it"
        )

    def get(self, where: str, query: Mapping[str, str] | None = None) -> Any | None:
        """GET a path. None if the server answers 404."""
        try:
            return self.request("GET", where, query=query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def apply(self, manifest: Manifest, *, force: bool = False, dry_run: bool = False) -> Manifest:
        """Server-side apply as the field manager `graylane`.

        Parameters:
            force: take over fields that other managers own.
            dry_run: let the server validate the request without storing it.

        Raises:
            Conflict: other managers own fields; `causes` names each field and its manager.
        """
        query = {"fieldManager": MANAGER}
        query |= {"force": "true"} if force else {}
        query |= {"dryRun": "All"} if dry_run else {}
        where = path(key(manifest), manifest["apiVersion"])
        answer: Manifest = self.request("PATCH", where, json.dumps(manifest), query=query, content_type=APPLY)
        return answer

    def delete(self, one: Key, *, istio_api: str = "v1") -> None:
        """Delete a resource; a missing resource is no error."""
        try:
            self.request("DELETE", path(one, istio_api=istio_api))
        except ApiError as error:
            if error.status != 404:
                raise

    def map_concurrently(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Call `function` for each item on up to `WORKERS` threads, and return the results in the items' order.

        Raises the first item's error, if any, after all calls have ended.
        """
        given = list(items)
        if len(given) < 2:
            return [function(item) for item in given]
        with ThreadPoolExecutor(min(WORKERS, len(given))) as pool:
            waiting = [pool.submit(function, item) for item in given]
        return [one.result() for one in waiting]

    def list_resources(
        self, kind: str, namespace: str, selector: str = "", *, name: str = "", istio_api: str = "v1"
    ) -> list[Manifest]:
        """All resources of a kind in a namespace; in every namespace if it is empty.

        Parameters:
            selector: labels that they have.
            name: of the only one that is asked for; unlike GET, it takes the right `list`.

        The server leaves `kind` and `apiVersion` out of a list's items. They are added here, so that an item equals
        what GET returns for it.
        """
        return self.read_into(list, list.append, kind, namespace, selector, name=name, istio_api=istio_api)

    def read_into(
        self,
        new: Callable[[], T],
        add: Callable[[T, Manifest], object],
        kind: str,
        namespace: str,
        selector: str = "",
        *,
        name: str = "",
        page: int = PAGE,
        stored: bool = False,
        istio_api: str = "v1",
    ) -> T:
        """Read the same resources page by page. What `add` does not keep of a page is not kept in memory.

        A list that takes longer than the server keeps its moment is 410 Gone. It is then read from its beginning.

        Parameters:
            new: makes what the resources are added to; it is called again where the list is read again.
            page: resources in one answer, at most, where all are asked for or they are stored ones.
            stored: these may be as large as objects can be, so that one page at a time is in memory.

        Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
        """
        for left in reversed(range(RESTARTS + 1)):
            found = new()
            query = _selected(selector, name)
            # An API server answers a list without a limit from its memory. For one with a limit, it reads and decodes
            # all resources of the kind in etcd, however few are selected.
            query |= {"limit": str(page)} if stored or not query else {}
            pages = self._pages(kind, collection(kind, namespace, istio_api), query)
            try:
                while True:
                    with self.reading.of() if stored else nullcontext():
                        if (items := next(pages, None)) is None:
                            break
                        for one in items:
                            add(found, one)
                        del items
            except ApiError as error:
                if error.status != GONE or not left:
                    raise
            else:
                break
        return found

    def _pages(self, kind: str, where: str, query: dict[str, str]) -> Iterator[Iterator[Manifest]]:
        for _ in range(PAGES):
            found = self.get(where, query)
            if (
                found is None
            ):  # the cluster does not have this kind, such as an Istio API version that it does not serve
                return
            after, items = _text((found.get("metadata") or {}).get("continue")), self._listed(kind, found)
            del found  # it would be kept while the next page is read
            yield items
            del items
            if not after:
                return
            query["continue"] = after
        raise self._no_api_server(f"a list of {kind} that does not end")

    def _listed(self, kind: str, found: dict[str, Any]) -> Iterator[Manifest]:
        items = found.get("items") or []
        if not ("apiVersion" in found and isinstance(items, list) and isinstance(found.get("metadata") or {}, dict)):
            raise self._no_api_server(repr(json.dumps(found)[:40]))
        if not all(isinstance(item, dict) and _is_object(item) for item in items):
            raise self._no_api_server(f"a list of {kind} whose items are no objects")
        return ({"apiVersion": found["apiVersion"], "kind": KINDS[kind].kind, **item} for item in items)


_NO_JSON = object()


def _selected(labels: str, name: str) -> dict[str, str]:
    """The part of a list's query that says which resources of the kind are asked for."""
    fields = {"fieldSelector": f"metadata.name={name}"} if name else {}
    return {**({"labelSelector": labels} if labels else {}), **fields}


def _is_answer(method: str, where: str, found: dict[str, Any]) -> bool:
    """Whether this may be an API server's answer: to a request about one object, it is an object."""
    if method == "GET":
        if _VERSIONS.fullmatch(where):
            return _has_list(found, "versions", "version")
        if _RESOURCES.fullmatch(where):
            return _has_list(found, "resources", "kind")
    elif where.startswith("/apis/") and "/selfsubject" in where:
        return isinstance(found.get("status"), dict)
    elif _KIND.fullmatch(where) and method == "POST":
        return _is_object(found)
    return method == "DELETE" or not _OBJECT.fullmatch(where) or _is_object(found)


def _has_list(found: dict[str, Any], field: str, name: str) -> bool:
    items = found.get(field)
    return isinstance(items, list) and all(isinstance(one, dict) and isinstance(one.get(name), str) for one in items)


def _is_object(found: dict[str, Any]) -> bool:
    metadata = found.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get("name"), str)


def _said(data: bytes) -> dict[str, Any]:
    """Kubernetes' `Status` object of an answer; for another answer, one with its text as the message."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return {"message": one_line(data[:4096].decode(errors="replace"))}
    return said if isinstance(said, dict) else {"message": one_line(str(said))}


def _message(data: bytes) -> str:
    return _text(_said(data).get("message"))


def _refused(status: int, data: bytes) -> ApiError:
    said = _said(data)
    details = said.get("details")
    found = details.get("causes") if isinstance(details, dict) else None
    causes = [
        (_text(cause.get("field")), _text(cause.get("message")))
        for cause in (found if isinstance(found, list) else ())
        if isinstance(cause, dict)
    ]
    kind = Conflict if status == 409 else ApiError
    return kind(status, _text(said.get("reason")), _text(said.get("message")), causes)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else one_line(str(value)) if value else ""
