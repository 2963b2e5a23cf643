"""HTTP requests to a Pod's port by a port-forward of the API server, which stays open between requests."""

import contextlib
from http.client import HTTPConnection, HTTPException

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from meshconfig.cluster.client import Client
from meshconfig.errors import ClusterError


class Forward:
    """A connection to one port of one Pod. Several threads must not use it at once.

    Parameters:
        seconds: how long to wait for an answer.
    """

    def __init__(self, client: Client, namespace: str, pod: str, port: int, seconds: float) -> None:
        from kubernetes.client import CoreV1Api  # takes about a second to import, so only a port-forward does it

        # `portforward` replaces a method of the ApiClient for a moment, so other requests must not share that client.
        self._api = CoreV1Api(ApiClient(client.configuration))
        self._namespace, self._pod, self._port, self._seconds = namespace, pod, port, seconds
        self._open: HTTPConnection | None = None

    def get(self, path: str) -> tuple[int, bytes]:
        """Sends a GET request and returns status and body. A connection that was closed is opened again, once.

        Raises:
            ClusterError: the user may not forward a port, or there is no answer.
        """
        if self._open:
            with contextlib.suppress(HTTPException, OSError):
                return self._ask(self._open, path)
            self.close()
        self._open = self._connect()
        try:
            return self._ask(self._open, path)
        except (HTTPException, OSError) as error:
            self.close()
            raise ClusterError(f"by port-forward: {str(error) or type(error).__name__}") from None

    def _connect(self) -> HTTPConnection:
        from kubernetes.stream import portforward

        try:
            way = portforward(
                self._api.connect_get_namespaced_pod_portforward, self._pod, self._namespace, ports=str(self._port)
            )
        except (ApiException, OSError, ValueError) as error:
            reason = getattr(error, "reason", "") or str(error)
            raise ClusterError(
                f"by port-forward: {reason.strip().splitlines()[0] if reason.strip() else error}"
            ) from None
        connection = HTTPConnection("localhost", self._port)
        connection.auto_open = 0
        connection.sock = way.socket(self._port)
        connection.sock.settimeout(self._seconds)
        return connection

    def _ask(self, connection: HTTPConnection, path: str) -> tuple[int, bytes]:
        connection.request("GET", path, headers={"Accept": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.read()

    def close(self) -> None:
        """Closes the connection; the next request opens it again."""
        if self._open:
            self._open.close()
        self._open = None
