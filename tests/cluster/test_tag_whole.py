"""On a real mesh: whatever comes in at whichever entry, no chain is half, and `explain` says the same.

The gateway and a Pod's sidecar are real; the services between them are played with real stacks (`support/stacks.py`).
"""

import itertools

import pytest
from mesh_cluster import NAMESPACE, answered
from whole_tag import ENTRIES, INPUTS, Fleet, compiled, every_input, spec

from meshconfig.istio import Resources
from meshconfig.render import render
from meshconfig.simulate import Index

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("in_baggage", [False, True], ids=["header", "baggage"])
def test_every_input_at_every_entry(cluster, in_baggage):
    manifests = render([compiled(spec(in_baggage, NAMESPACE))])
    cluster.apply(manifests)
    index = Index(Resources.parse(manifests))

    def at_gateway(host, headers):
        answer = answered(lambda: cluster.ask_gateway(host, "/", headers))
        return answer.version, answer.body["headers"]

    def in_mesh(name, headers):
        answer = answered(lambda: cluster.ask_mesh(name, "/", headers))
        return answer.version, answer.body["headers"]

    fleet = Fleet(at_gateway, in_mesh, NAMESPACE)
    for entry, given in itertools.product(ENTRIES, INPUTS):
        every_input(fleet, index, entry, given, in_baggage=in_baggage)
