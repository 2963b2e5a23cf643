"""Who closes an idle connection: the sidecar in front of a service, never the service."""

from types import ModuleType

import pytest

from demo_services import serve_asgi, serve_wsgi

# Envoy's idle_timeout for connections to a cluster, which Istio leaves as it is for `inbound|PORT||`.
ENVOY = 3600


@pytest.mark.parametrize("stack", [serve_asgi, serve_wsgi])
def test_an_idle_connection_is_closed_by_the_sidecar_first(stack: ModuleType) -> None:
    assert stack.KEEP_ALIVE > ENVOY
