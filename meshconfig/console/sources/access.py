"""How each person gets a source: by the kubeconfig of whoever started the console, or by a token of their own."""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

from kubernetes.client import ApiClient, Configuration

from meshconfig.cluster.change import Choices
from meshconfig.cluster.client import WORKERS, Client
from meshconfig.console.sources.cluster import ClusterSource
from meshconfig.errors import ClusterError

PERSONS = 200  # whose connections are kept
IDLE = 600.0  # seconds without a request, after which neither connections nor token stay in memory
# Where a Pod finds the API server's certificate; k8s/console mounts it there without a token.
CERTIFICATE = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")


class ByKubeconfig:
    """One person: whoever started the console."""

    by_token, is_local = False, False

    def __init__(self, client: Client, choices: Choices | None = None) -> None:
        self._source = ClusterSource(client, choices)

    def source(self, token: str) -> ClusterSource:
        return self._source


class ByToken:
    """Many persons. The console knows the API server, and has no credentials for it.

    Parameters:
        host: the API server's URL.
        certificate: the file of its certificate authority; None for the system's.
        clock: the time in seconds.
    """

    by_token, is_local = True, False

    def __init__(
        self,
        host: str,
        certificate: str | None = None,
        choices: Choices | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host, self._certificate, self._choices, self._clock = host, certificate, choices, clock
        self._recent: OrderedDict[bytes, tuple[ClusterSource, float]] = OrderedDict()
        # A change under way, or a page that follows, may hold a source longer. A change knows by it whose it is.
        self._held: WeakValueDictionary[bytes, ClusterSource] = WeakValueDictionary()
        self._lock = threading.Lock()

    @classmethod
    def in_cluster(cls, choices: Choices | None = None) -> "ByToken":
        """The API server of the Pod's own cluster.

        Raises:
            ClusterError: this is no Pod, or its manifest does not mount the API server's certificate.
        """
        host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
        if not host or not CERTIFICATE.is_file():
            raise ClusterError(
                f"--public is for a Pod of the cluster, which has KUBERNETES_SERVICE_HOST and {CERTIFICATE}: "
                "use k8s/console, or leave --public away"
            )
        return cls(f"https://{f'[{host}]' if ':' in host else host}:{port}", str(CERTIFICATE), choices)

    def source(self, token: str) -> ClusterSource:
        name = hashlib.sha256(token.encode()).digest()
        with self._lock:
            source = self._held.get(name)
            if source is None:
                source = self._held[name] = ClusterSource(self._client(token), self._choices)
            now = self._clock()
            self._recent[name] = source, now
            self._recent.move_to_end(name)
            while len(self._recent) > PERSONS or now - next(iter(self._recent.values()))[1] > IDLE:
                self._recent.popitem(last=False)
            return source

    def _client(self, token: str) -> Client:
        configuration = Configuration(connection_pool_maxsize=WORKERS)
        configuration.host = self._host
        configuration.ssl_ca_cert = self._certificate
        configuration.api_key = {"authorization": f"Bearer {token}"}
        return Client(ApiClient(configuration), "your token")
