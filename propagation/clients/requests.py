"""An adapter for requests that carries the fields on.

A session sends each redirect hop by an adapter of its own choice, so the adapter is where the host is known.
"""

from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from propagation.clients.hop import like, prepare
from propagation.clients.urllib3 import collect, collecting
from propagation.config import PropagationConfig
from propagation.hosts import host_of
from propagation.patching import Undo, patch, undo_all
from propagation.registry import Carried, Descriptor


def _ask(url: str) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.get(url)


DESCRIPTOR = Descriptor(
    "requests",
    sends=Carried.INSTRUMENT,
    explicit=("propagation.clients.requests.PropagatingAdapter",),
    probe=_ask,
)


class PropagatingAdapter(HTTPAdapter):
    """For `requests.Session().mount("http://", …)`: writes the fields into each request, redirect hops included.

    config: default, that of the request at hand, else that of the environment. All else is HTTPAdapter's own.
    """

    __attrs__ = [*HTTPAdapter.__attrs__, "_config"]  # noqa: RUF012  # what a pickled adapter keeps, as in HTTPAdapter

    def __init__(self, *args: Any, config: PropagationConfig | None = None, **kwargs: Any) -> None:
        self._config = config
        super().__init__(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """As HTTPAdapter's, with pools that collect the trail of each attempt."""
        super().init_poolmanager(*args, **kwargs)
        self._collect(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """As HTTPAdapter's, with pools that collect the trail of each attempt."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            self._collect(manager)
        return manager

    def _collect(self, manager: Any) -> None:
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: collecting(pool, self._config) for scheme, pool in pools.items()}

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As HTTPAdapter.send. `request` stays as it is: the session makes the next hop's request of it."""
        return _send(super().send, request, args, kwargs, self._config)


def install(config: PropagationConfig | None) -> Undo:
    """Have every session of requests carry the fields; the answer takes it back."""

    def send(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, request, *args, **kwargs: _send(original.__get__(self), request, args, kwargs, config)

    return undo_all([patch(HTTPAdapter, "send", send), collect(config)])


def _send(
    original: Callable[..., requests.Response],
    request: requests.PreparedRequest,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    config: PropagationConfig | None,
) -> requests.Response:
    sent, url = like(request, _copied(request.headers)), request.url or ""
    # A host is looked for only where one may be refused, a signature only in a query.
    with prepare(sent.headers, map(host_of, (url,)), config, url.partition("?")[2]):
        return original(sent, *args, **kwargs)


def _copied(headers: Any) -> Any:
    """A copy of a request's headers; requests' own takes in one after the other, which costs more than all the rest."""
    if type(headers) is not CaseInsensitiveDict or not hasattr(headers, "_store"):
        return headers.copy()
    copied: Any = CaseInsensitiveDict.__new__(CaseInsensitiveDict)
    copied._store = headers._store.copy()
    return copied
