"""Envoy's configuration as files. A rename replaces each file as a whole, so that Envoy never reads half of one.

`path_config_source` takes any number of clusters or listeners from one file but only one route configuration, so each
listener's routes have a file of their own.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from meshconfig.atomic import replace_file
from meshconfig.local.config import Json
from meshconfig.local.listener import LOCALHOST, files
from meshconfig.local.values import typed

# As in Istio's bootstrap: Envoy's default limit on the size of a regex would refuse one that matches two cookies.
_RUNTIME = {
    "re2.max_program_size.error_level": 32768,
    "envoy.reloadable_features.http_reject_path_with_fragment": False,
}
CDS, LDS = "cluster_manager.cds", "listener_manager.lds"  # prefixes of Envoy's statistics of the two subscriptions


def rds(listener: str, kind: str) -> str:
    """The prefix of Envoy's statistics of a listener's routes; `kind` is the listener's."""
    return f"http.{kind}.rds.{listener}"


@dataclass(frozen=True, slots=True)
class Written:
    """A written file: the subscription that reads it, and the version that Envoy will report once it uses it."""

    subscription: str
    version: str


class Files:
    """The files of one Envoy, in a folder that no other Envoy uses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions: dict[str, str] = {}  # by subscription
        self.before: dict[Path, tuple[str, str | None, bytes | None]] = {}  # since the last accept()

    @property
    def bootstrap(self) -> Path:
        return self.folder / "bootstrap.json"

    def routes(self, listener: str) -> Path:
        return self.folder / f"rds-{quote(listener, safe='')}.json"

    def write_bootstrap(self) -> None:
        """Write the bootstrap file, which refers to the other files."""
        bootstrap = {
            "node": {"id": "graylane", "cluster": "graylane"},
            "admin": {"address": {"socket_address": {"address": LOCALHOST, "port_value": 0}}},
            "dynamic_resources": {
                "cds_config": files(str(self.folder / "cds.json")),
                "lds_config": files(str(self.folder / "lds.json")),
            },
            "layered_runtime": {"layers": [{"name": "as Istio's", "static_layer": _RUNTIME}]},
        }
        replace_file(self.bootstrap, json.dumps(bootstrap).encode())

    def write_clusters(self, clusters: Iterable[Json]) -> Written | None:
        return self._write(CDS, self.folder / "cds.json", "config.cluster.v3.Cluster", clusters)

    def write_listeners(self, listeners: Iterable[Json]) -> Written | None:
        return self._write(LDS, self.folder / "lds.json", "config.listener.v3.Listener", listeners)

    def write_routes(self, listener: str, kind: str, configuration: Json) -> Written | None:
        """The routes of one listener."""
        path, message = self.routes(listener), "config.route.v3.RouteConfiguration"
        return self._write(rds(listener, kind), path, message, [configuration])

    def forget_routes(self, listener: str, kind: str) -> None:
        self.versions.pop(rds(listener, kind), None)
        self.routes(listener).unlink(missing_ok=True)

    def accept(self) -> None:
        """Record that Envoy uses everything written so far."""
        self.before.clear()

    def restore(self) -> None:
        """Restore the files as of the last `accept`."""
        for path, (subscription, version, content) in self.before.items():
            self.versions.pop(subscription, None)
            if version is None or content is None:
                path.unlink(missing_ok=True)
            else:
                self.versions[subscription] = version
                replace_file(path, content)
        self.before.clear()

    def _write(self, subscription: str, path: Path, message: str, resources: Iterable[Json]) -> Written | None:
        """Replace a file; None if its content is the same."""
        content = [typed(message, **one) for one in resources]
        version = sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        old = self.versions.get(subscription)
        if old == version:
            return None
        self.before.setdefault(path, (subscription, old, path.read_bytes() if old else None))
        replace_file(path, json.dumps({"version_info": version, "resources": content}).encode())
        self.versions[subscription] = version
        return Written(subscription, version)
