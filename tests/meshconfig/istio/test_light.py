"""Who needs names alone does not wait for pydantic."""

import subprocess
import sys

import meshconfig.istio

LIGHT = "hosts, exports, gateways, ports, cluster_names, pods"


def test_names_are_read_without_loading_the_types():
    code = f"import sys; from meshconfig.istio import MESH, fqdn, {LIGHT}; print('pydantic' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_every_name_that_the_package_offers_is_there():
    assert all(getattr(meshconfig.istio, name) is not None for name in meshconfig.istio.__all__)
    assert not hasattr(meshconfig.istio, "Nonsense")
