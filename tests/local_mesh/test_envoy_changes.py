"""Changes of one Envoy that follow each other closely: what a change needs is there when it comes."""

import pytest
import yaml

from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.local.config import Endpoint, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.local.surroundings import resources

pytestmark = [pytest.mark.envoy, pytest.mark.slow]  # each waits until Envoy has removed what a change made unused


def config(envoy, *names):
    """Of a group with these services."""
    services = {
        name: {"host": f"{name}-svc", "port": 9001, "versions": {"prod": {"labels": {"v": "v"}}}} for name in names
    }
    spec = {"lanes": {"prod": {}}, "services": services}
    value = {"apiVersion": "graylane/v1", "kind": "LaneGroup", "metadata": {"name": "zoo", "namespace": "demo"}}
    (group,) = groups(parse(yaml.safe_dump({**value, "spec": spec}), "zoo.yaml"))
    ends = [Endpoint(one.host, one.port, {"v": "v"}, "127.0.0.1", envoy.port_of("x")) for one in group.model.services]
    return translate(resources([group.model]), ends)


def drained(envoy):
    envoy.do(envoy.proxy.drained())


DOG = mesh_listener("dog-svc.demo.svc.cluster.local", 9001)


def test_a_service_that_comes_back_while_its_listener_is_about_to_be_removed_is_reached(envoy):
    both, cat = config(envoy, "cat", "dog"), config(envoy, "cat")
    envoy.change(both)
    envoy.change(cat)
    envoy.do(envoy.proxy.open(both, {}))  # then `graylane local up` starts processes, which takes a while
    drained(envoy)
    envoy.do(envoy.proxy.change(both))
    assert envoy.ask(DOG, "/").status == 200


@pytest.mark.parametrize("again", [False, True], ids=["at once", "after a change that came in between"])
def test_what_a_change_does_not_use_is_removed_at_last(envoy, again):
    both, cat = config(envoy, "cat", "dog"), config(envoy, "cat")
    envoy.change(both)
    if again:
        envoy.change(cat)
        envoy.do(envoy.proxy.open(both, {}))
    envoy.change(cat)
    drained(envoy)
    assert DOG not in envoy.do(envoy.proxy.admin.listeners())
