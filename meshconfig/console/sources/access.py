"""How each person gets a source: by the kubeconfig of whoever started the console, or by a token of their own."""

import hashlib
import os
import threading
from collections import OrderedDict
from pathlib import Path

from kubernetes.client import ApiClient, Configuration

from meshconfig.cluster.change import Choices
from meshconfig.cluster.client import WORKERS, Client
from meshconfig.console.sources.cluster import ClusterSource
from meshconfig.errors import ClusterError

PERSONS = 200  # whose connections are kept
# Where a Pod finds the API server's certificate; k8s/console mounts it there without a token.
CERTIFICATE = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")


class ByKubeconfig:
    """One person: whoever started the console."""

    by_token = False

    def __init__(self, client: Client, choices: Choices | None = None) -> None:
        self._source = ClusterSource(client, choices)

    def source(self, token: str) -> ClusterSource:
        return self._source


class ByToken:
    """Many persons. The console knows the API server, and has no credentials for it.

    Parameters:
        host: the API server's URL.
        certificate: the file of its certificate authority; None for the system's.
    """

    by_token = True

    def __init__(self, host: str, certificate: str | None = None, choices: Choices | None = None) -> None:
        self._host, self._certificate, self._choices = host, certificate, choices
        self._sources: OrderedDict[bytes, ClusterSource] = OrderedDict()
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
            if name not in self._sources:
                self._sources[name] = ClusterSource(self._client(token), self._choices)
            self._sources.move_to_end(name)
            while len(self._sources) > PERSONS:
                self._sources.popitem(last=False)
            return self._sources[name]

    def _client(self, token: str) -> Client:
        configuration = Configuration(connection_pool_maxsize=WORKERS)
        configuration.host = self._host
        configuration.ssl_ca_cert = self._certificate
        configuration.api_key = {"authorization": f"Bearer {token}"}
        return Client(ApiClient(configuration), "your token")
