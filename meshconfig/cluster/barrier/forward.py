"""HTTP requests to a Pod's port by a port-forward of the API server, which stays open between requests."""

import contextlib
import threading
from http.client import HTTPConnection, HTTPException
from typing import Any

from kubernetes.client import ApiClient

from meshconfig.bounded import one_line
from meshconfig.cluster.client import Client
from meshconfig.errors import ClusterError
from meshconfig.exchange.connections import DeadlineSocket
from meshconfig.exchange.reasons import reason
from meshconfig.exchange.send import Limits, shown_size


class Forward:
    """A connection to one port of one Pod. Several threads must not use it at once.

    Parameters:
        limits: of opening the connection, and of each request and its answer.
    """

    def __init__(self, client: Client, namespace: str, pod: str, port: int, limits: Limits) -> None:
        self._client, self._namespace, self._pod, self._port, self._limits = client, namespace, pod, port, limits
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
            raise ClusterError(f"by port-forward: {reason(error, self._limits.seconds)}") from None

    def _connect(self) -> HTTPConnection:
        connection = HTTPConnection("localhost", self._port)
        connection.auto_open = 0
        connection.sock = DeadlineSocket(self._socket())
        return connection

    def _socket(self) -> Any:
        """The end of a new port-forward.

        Raises:
            ClusterError: the user may not forward a port, or the API server takes too long to answer.
        """
        opened: list[Any] = []
        # The package's websocket has no time-out of its own.
        opener = threading.Thread(target=self._forward, args=(opened,), name="port-forward", daemon=True)
        opener.start()
        opener.join(self._limits.seconds)
        if not opened:
            raise ClusterError(f"by port-forward: timed out: not open within {self._limits.seconds:g} s")
        if isinstance(opened[0], Exception):
            said = getattr(opened[0], "reason", "") or str(opened[0])
            first = next(iter(str(said).strip().splitlines()), "")
            raise ClusterError(f"by port-forward: {one_line(first) or type(opened[0]).__name__}")
        return opened[0].socket(self._port)

    def _forward(self, opened: list[Any]) -> None:
        """Opens a port-forward; adds it to the list, or the error."""
        from kubernetes.client import CoreV1Api  # takes about a second to import, so only a port-forward does it
        from kubernetes.stream import portforward

        # `portforward` replaces a method of the ApiClient for a moment, so other requests must not share that client.
        ask = CoreV1Api(ApiClient(self._client.configuration)).connect_get_namespaced_pod_portforward
        try:
            opened.append(portforward(ask, self._pod, self._namespace, ports=str(self._port)))
        except Exception as error:  # noqa: BLE001  told by the thread that waits
            opened.append(error)

    def _ask(self, connection: HTTPConnection, path: str) -> tuple[int, bytes]:
        """
        Raises:
            ClusterError: the answer is too large.
            HTTPException, OSError: there is no answer.
        """
        connection.sock.settimeout(self._limits.seconds)
        connection.request("GET", path, headers={"Accept": "application/json"})
        reply = connection.getresponse()
        data = reply.read(self._limits.size + 1)
        if len(data) > self._limits.size:
            self.close()
            raise ClusterError(f"by port-forward: the answer has more than {shown_size(self._limits.size)}")
        return reply.status, data

    def close(self) -> None:
        """Closes the connection; the next request opens it again."""
        if self._open:
            self._open.close()
        self._open = None
