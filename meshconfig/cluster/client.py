"""A thin client of the Kubernetes API server. One line does I/O; the rest prepares requests and interprets answers.

Source: Kubernetes API concepts (server-side apply, Status), https://kubernetes.io/docs/reference/using-api/.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any, TypeVar
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient, Configuration
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from meshconfig.cluster import kubeconfig
from meshconfig.cluster.guarded import ANSWER, CONNECT, Check, is_guarded, send
from meshconfig.cluster.objects import MANAGER, Key, Manifest, key
from meshconfig.cluster.paths import collection, path
from meshconfig.cluster.retries import PatientRetry, cause
from meshconfig.errors import ApiError, Conflict, Unauthorized, Unreachable

WORKERS = 24  # concurrent requests; API Priority and Fairness allows one user far more
APPLY = "application/apply-patch+yaml"
PROXY = "/proxy/"  # in a path that leads to a Pod

T = TypeVar("T")
R = TypeVar("R")


class Client:
    """A client of one API server for one user. It is thread-safe.

    Parameters:
        api: the Kubernetes package's client, configured with the server's address and the user's credentials.
        source: where the configuration is from, for error messages.
    """

    def __init__(self, api: ApiClient, source: str = "the kubeconfig") -> None:
        self._api = api
        self._source = source
        self._lock = threading.Lock()
        self._calls = [0]  # of this client and its sessions
        self._checks: tuple[Check, ...] = ()

    @classmethod
    def connect(cls, context: str | None = None) -> "Client":
        """Connect by KUBECONFIG or ~/.kube/config; inside a Pod without either, by its service account.

        Raises:
            InputError: the configuration is not valid.
            ClusterError: there is no configuration.
        """
        configuration = Configuration(retries=PatientRetry.of_a_client(), connection_pool_maxsize=WORKERS)
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
        return str(self._api.configuration.host)

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
        with self._lock:
            self._calls[0] += 1
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": MANAGER}
        method, url, headers, _, _ = self._api.param_serialize(
            method, where, header_params=headers, auth_settings=["BearerToken"]
        )
        if query:
            url = f"{url}?{urlencode(query)}"
        try:
            if self._checks and is_guarded(method, where, url):
                reply = send(self._api, method, url, headers, body, self._checks)
            else:
                reply = self._api.call_api(method, url, headers, body, _request_timeout=(CONNECT, ANSWER))
            data: bytes = reply.read()  # type: ignore[no-untyped-call]
        except (HTTPError, OSError) as error:
            raise Unreachable(f"no answer from the API server {self.server}: {cause(error, self._source)}") from None
        if 200 <= reply.status < 300:
            return self._json(where, data)
        if reply.status == 401:
            raise Unauthorized(self.server, self._source, _message(data))
        raise _refused(reply.status, data)

    def _json(self, where: str, data: bytes) -> Any:
        """The JSON of an answer: an object, or whatever a Pod answers through the API server's proxy.

        Raises:
            Unreachable: the answer is something else, such as the login page of a proxy.
        """
        try:
            found = json.loads(data) if data else {}
        except ValueError:
            found = None
        if not isinstance(found, dict) and (found is None or PROXY not in where):
            raise self._no_api_server(data.decode(errors="replace"))
        return found

    def _no_api_server(self, answer: str) -> Unreachable:
        return Unreachable(
            f"{self.server} answers with {' '.join(answer[:40].split())!r} and is no Kubernetes API server: "
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

    def list_resources(self, kind: str, namespace: str, selector: str = "", *, istio_api: str = "v1") -> list[Manifest]:
        """All resources of a kind in a namespace; in every namespace if it is empty.

        The server leaves `kind` and `apiVersion` out of a list's items. They are added here, so that an item equals
        what GET returns for it.
        """
        query = {"labelSelector": selector} if selector else None
        found = self.get(collection(kind, namespace, istio_api), query)
        if found is None:  # the cluster does not have this kind, such as an Istio API version that it does not serve
            return []
        if not ("apiVersion" in found and isinstance(found.get("items"), list | None)):
            raise self._no_api_server(json.dumps(found))
        return [{"apiVersion": found["apiVersion"], "kind": kind, **item} for item in found.get("items") or ()]


def _said(data: bytes) -> dict[str, Any]:
    """Kubernetes' `Status` object of an answer; for another answer, one with its text as the message."""
    try:
        said = json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace").strip()}
    return said if isinstance(said, dict) else {"message": str(said)}


def _message(data: bytes) -> str:
    return str(_said(data).get("message") or "")


def _refused(status: int, data: bytes) -> ApiError:
    said = _said(data)
    causes = [
        (cause.get("field", ""), cause.get("message", "")) for cause in (said.get("details") or {}).get("causes") or ()
    ]
    kind = Conflict if status == 409 else ApiError
    return kind(status, said.get("reason", ""), said.get("message", ""), causes)
