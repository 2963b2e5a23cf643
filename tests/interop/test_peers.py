"""Services of other stacks between ours: which headers each reads and sends, and that no chain is half."""

import itertools
import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import whole_tag
import yaml
from interop_mesh import CARRIES, ENTRIES, LANES, VERSIONS, spec
from local_lab import ask

from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.local.surroundings import resources
from meshconfig.simulate import ANY_GATEWAY, Carrying, Destination, Index, Request, follow

pytestmark = [pytest.mark.envoy, pytest.mark.interop]

SENT_BY_OTHERS = {
    # What Micrometer's OpenTelemetry bridge sends, byte for byte.
    "micrometer": [("env", "gray"), ("baggage", "env=gray;propagation%3Dunlimited")],
    # What OpenTelemetry's Java agent sends.
    "java agent": [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("baggage", "a=b,env=gray;ttl=5"),
    ],
}
OF_EVERY_MESH = ("header", "member", "both", "different", "repeated", "encoded key")
INPUTS = {name: whole_tag.INPUTS[name] for name in OF_EVERY_MESH} | SENT_BY_OTHERS
# Each stack stands at each place once.
CHAINS = (
    ("asgi", "otel", "wsgi", "sleuth"),
    ("sleuth", "wsgi", "otel", "asgi"),
    ("wsgi", "sleuth", "go", "otel"),
    ("otel", "go", "sleuth", "asgi"),
    ("go", "asgi", "sleuth", "wsgi"),
)
LOSING = (("sleuth", "otel", "asgi"), ("otel", "sleuth", "asgi"))


def who(gateway, entry, chain, headers):
    """(service, version) at each hop, and what its code saw."""
    host = f"{entry}.{chain[0]}.example.com"
    reply = ask(gateway, "/chain/" + "/".join(chain[1:]), [("host", host), *headers])
    assert reply.status == 200, reply
    hops = json.loads(reply.body)["chain"]
    assert [hop["service"] for hop in hops] == list(chain)
    return [hop["env"] for hop in hops], [hop["saw"] for hop in hops]


@pytest.fixture(scope="module")
def explained() -> Any:
    """The versions along a chain, as `graylane explain --chain` foretells them."""
    (group,) = groups(parse(yaml.safe_dump(spec()), "spec.yaml"))
    index = Index(resources([group.model]))
    hosts = {one.name: one.host for one in group.model.services}
    carrying = Carrying(("env",), {hosts[name]: carries for name, carries in CARRIES.items()})

    def versions(entry, chain, headers):
        request = Request(f"{entry}.{chain[0]}.example.com", "/chain/", headers=headers, gateway=ANY_GATEWAY)
        (way,) = follow(index, request, [(hosts[name], 9001) for name in chain], carrying=carrying)
        return [one.subset for one in way.outcomes if isinstance(one, Destination)]

    return versions


def in_lane(chain, lane):
    """The lane's version at each hop, the baseline's where it has none."""
    return [lane if lane in VERSIONS[name] else "prod" for name in chain]


@pytest.mark.parametrize(("entry", "given"), list(itertools.product(ENTRIES, INPUTS)))
def test_every_input_at_every_entry_of_every_stack(gateway, explained, entry, given):
    for chain in CHAINS:
        headers = INPUTS[given] + ([("x-tester", "1")] if entry == "admit" else [])
        versions, saw = who(gateway, entry, chain, headers)
        assert versions == explained(entry, chain, headers), chain
        lane = "prod" if entry == "untrusted" or (given == "different" and entry != "admit") else "gray"
        assert versions == in_lane(chain, lane), chain
        assert len({*saw}) == 1, (chain, saw)


@pytest.mark.parametrize("chain", LOSING)
def test_explain_foretells_the_chain_that_loses_the_tag(gateway, explained, chain):
    versions, saw = who(gateway, "trusted", chain, [("env", "gray")])
    assert versions == explained("trusted", chain, [("env", "gray")])
    assert versions[-1] == "prod"
    assert saw[-1] is None


def test_what_code_sees_on_the_way_through_a_consistent_change(mesh):
    """Ours sees the lane; other stacks show the value whole."""
    sent = [("env", "gray.next"), ("baggage", "env=gray.next")]
    seen = {name: json.loads(ask(mesh.port(f"{name} "), "/chain/", sent).body)["chain"][0]["saw"] for name in CARRIES}
    ours = {"asgi": "gray", "wsgi": "gray"}
    assert seen == {**dict.fromkeys(CARRIES, "gray.next"), **ours}


def test_keep_costs_a_service_that_reads_baggage_alone_the_lane(gateway, explained):
    for chain, lane in ((("otel", "wsgi"), "prod"), (("asgi", "otel"), "gray")):
        versions, _ = who(gateway, "keep", chain, [("env", "gray"), ("baggage", "a=b")])
        assert versions == explained("keep", chain, [("env", "gray"), ("baggage", "a=b")])
        assert versions[-1] == lane


def test_two_hundred_requests_at_once_keep_their_tags(gateway):
    drawn = random.Random(1)
    asked = [(drawn.choice(CHAINS), drawn.choice(LANES), drawn.choice(("env", "baggage"))) for _ in range(200)]

    def one(given):
        chain, lane, way = given
        header = ("env", lane) if way == "env" else ("baggage", f"env={lane}")
        return who(gateway, "trusted", chain, [header])

    with ThreadPoolExecutor(16) as pool:
        for (chain, lane, _), (versions, saw) in zip(asked, pool.map(one, asked), strict=True):
            assert versions == in_lane(chain, lane), chain
            assert saw == [lane] * len(chain), chain
