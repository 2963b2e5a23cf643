"""The watches of a controller that leads: each kind in each of its namespaces, by a thread of its own.

Those of kinds that the backend `gateway` alone writes begin with the first group that has it: many clusters do not
have these kinds, and many controllers no right for them.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from meshconfig.backend.kinds import KINDS, OWNED, Role
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.watching import Change, Watch
from meshconfig.errors import ApiError, ClusterError
from meshconfig.render import MANAGED_BY
from meshconfig.rollout.runner.context import DedupLog
from meshconfig.rollout.runner.routing import reason

# Of ConfigMaps, a group owns its list of consumers alone; its revisions are many, and of nobody's concern.
_ALWAYS = tuple(kind.name for kind in OWNED if not kind.role & (Role.ROSTER | Role.OPTIONAL))
_OF_GATEWAY = tuple(kind.name for kind in OWNED if Role.OPTIONAL in kind.role)
_OWNED = f"{MANAGED_BY}=graylane"
_HINTS = {
    403: "until the account may watch it, what others change there is not noticed: "
    "kubectl apply -f k8s/controller/gateway-api, or with Helm gatewayApi.enabled",
    404: "the cluster does not have this kind; a group that needs it takes the CRDs of the Gateway API: "
    "docs/gateway-api.md",
}

Seen = Callable[[Change, Manifest], object]


@dataclass(slots=True)
class Watches:
    """Thread-safe. They hold nothing, and end with the process or with `ended`.

    Parameters:
        namespaces: those that are watched; empty for all.
        istio_api: the API version of Istio's kinds that the cluster serves.
        resource_seen: gets each change of a resource of the mesh that graylane has written.
        tell: gets one line for the log, also each error of a watch, which goes on by itself.
    """

    client: Client
    namespaces: tuple[str, ...]
    istio_api: str
    resource_seen: Seen
    ended: threading.Event
    tell: Callable[[str], None]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _of_gateway: set[str] = field(default_factory=set)  # places where the kinds of that backend are watched

    def begin(self, kind: str, seen: Seen, selector: str = "") -> None:
        """Watches a kind in all namespaces of the controller.

        Parameters:
            selector: labels that the objects have.
        """
        for place in self._places:
            self._begin(kind, place, seen, selector)

    def begin_owned(self) -> None:
        """Watches the resources of the mesh that every controller has a right for."""
        for kind in _ALWAYS:
            self.begin(kind, self.resource_seen, _OWNED)

    def begin_of_gateway(self, namespaces: Collection[str]) -> None:
        """Watches what only the backend `gateway` writes, unless it is watched already.

        Parameters:
            namespaces: where a group with this backend has resources; of these, the controller's own count.
        """
        with self._lock:
            new = [one for one in self._places if (not one or one in namespaces) and one not in self._of_gateway]
            self._of_gateway.update(new)
        for place in new:
            for kind in _OF_GATEWAY:
                self._begin(kind, place, self.resource_seen, _OWNED)

    @property
    def _places(self) -> tuple[str, ...]:
        """The namespaces as a Watch takes them: an empty name for all."""
        return self.namespaces or ("",)

    def _begin(self, kind: str, place: str, seen: Seen, selector: str) -> None:
        log = DedupLog(self.tell)

        def failed(error: ClusterError) -> None:
            if not self.ended.is_set():
                log.say(f"watch of {kind}: {reason(error)}{_hint(kind, error)}")

        one = Watch(self.client, kind, place, seen, self.ended, failed, selector=selector, istio_api=self.istio_api)
        threading.Thread(target=one.run, name=f"watch-{kind}", daemon=True).start()


def _hint(kind: str, error: ClusterError) -> str:
    """What to do where a kind that not every controller watches may not be watched, or is not there."""
    status = error.status if isinstance(error, ApiError) and Role.OPTIONAL in KINDS[kind].role else 0
    return f"; {_HINTS[status]}" if status in _HINTS else ""
