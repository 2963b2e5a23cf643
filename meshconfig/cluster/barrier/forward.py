"""HTTP requests to a Pod's port by a port-forward of the API server, which stays open between requests."""

import contextlib
import threading
from collections.abc import Callable
from functools import partial
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
        opening = _Opening(partial(_port_forward, self._client, self._namespace, self._pod, self._port))
        found = opening.wait(self._limits.seconds)
        if found is None:
            raise ClusterError(f"by port-forward: timed out: not open within {self._limits.seconds:g} s")
        if isinstance(found, Exception):
            said = getattr(found, "reason", "") or str(found)
            first = next(iter(str(said).strip().splitlines()), "")
            raise ClusterError(f"by port-forward: {one_line(first) or type(found).__name__}")
        return found.socket(self._port)

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


def _port_forward(client: Client, namespace: str, pod: str, port: int) -> Any:
    """Opens a port-forward; the package's own function imports all of its API first, which takes about a second."""
    from kubernetes.stream import ws_client
    from websocket import WebSocketException

    stream: Any = ws_client  # it has no types

    class PortForward(stream.PortForward):  # type: ignore[misc]
        def _proxy(self) -> None:
            """Runs in a thread. Without this, each connection that ends badly would print a traceback."""
            try:
                super()._proxy()
            except (OSError, RuntimeError, ValueError, WebSocketException):
                self.websocket.shutdown()
                for one in self.local_ports.values():
                    one.python.close()

    where = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
    api = ApiClient(client.configuration)
    _, url, headers, _, _ = api.param_serialize("GET", where, header_params={}, auth_settings=["BearerToken"])
    url = stream.get_websocket_url(url, [("ports", str(port))])
    return PortForward(stream.create_websocket(client.configuration, url, headers), [port])


class _Opening:
    """Opens a port-forward in a thread of its own: the package's websocket has no time-out."""

    def __init__(self, open_one: Callable[[], Any]) -> None:
        self._open, self._found, self._given_up = open_one, None, False
        self._lock, self._done = threading.Lock(), threading.Event()
        threading.Thread(target=self._work, name="port-forward", daemon=True).start()

    def wait(self, seconds: float) -> Any:
        """What was opened, or the error; None where it takes too long. What is opened later is closed again."""
        self._done.wait(seconds)
        with self._lock:
            self._given_up = self._found is None
            return self._found

    def _work(self) -> None:
        try:
            found = self._open()
        except Exception as error:  # noqa: BLE001  told by the thread that waits
            found = error
        with self._lock:
            self._found = found
            if self._given_up and not isinstance(found, Exception):
                found.close()
        self._done.set()
