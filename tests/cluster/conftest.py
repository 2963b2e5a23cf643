import os
from collections.abc import Iterator

import pytest
import yaml
from mesh_cluster import NAMESPACE, Cluster, fixtures, gateway_address, kubectl, marker, until


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    assert os.environ.get("KUBECONFIG"), "the cluster tests need KUBECONFIG"
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(fixtures()))
    kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", NAMESPACE, "--timeout=110s")
    found = Cluster(gateway_address())
    kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(marker(0)))
    until(lambda: found.ask_gateway("probe.graylane.test", "/").service == "probe", "the probe behind the gateway")
    found.settle()
    yield found
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """The next test finds no entry of this one: two VirtualServices of one host are merged, the older first."""
    yield
    if "cluster" in request.fixturenames and (found := request.getfixturevalue("cluster")).applied:
        found.apply([])
