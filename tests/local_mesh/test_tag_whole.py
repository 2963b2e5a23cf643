"""Whatever a client sends, a chain is whole: each hop sees the lane that the entry chose, in header and member alike.

A real Envoy routes; the services between its listeners are played with real stacks (`support/stacks.py`).
"""

import itertools
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import yaml
from fuzzing import LONG
from golden_plans import planned, read
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stacks import CARRIES, bare, graylane, micrometer, opentelemetry, sleuth

from meshconfig import baggage
from meshconfig.cluster.objects import state
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.local.config import Endpoint, mesh_listener
from meshconfig.local.envoy import translate
from meshconfig.local.surroundings import resources
from meshconfig.simulate import ANY_GATEWAY, Carrying, Destination, Index, Request, follow

pytestmark = pytest.mark.envoy

GATEWAY = "gateway|80|istio=ingressgateway"
NAMES = ("cat", "mouse", "dog")
LANES = ("prod", "gray", "blue")
COOKIE = ("cookie", "beta=1")
TAG = ("env", "baggage")
ENTRIES: dict[str, dict[str, Any]] = {
    "trusted": {"tag": "trusted"},
    "untrusted": {"tag": "untrusted"},
    "admit": {"tag": "untrusted", "admit": [{"lane": "gray", "match": {"cookies": {"beta": "1"}}}]},
    "split": {"tag": "trusted", "split": {"prod": 1, "gray": 1, "blue": 1}},
}
# What may come in beside the header. Each asks for gray, in its own way, or seems to.
INPUTS = {
    "header": [("env", "gray")],
    "member": [("baggage", "env=gray")],
    "both": [("env", "gray"), ("baggage", "a=b,env=gray")],
    "different": [("env", "typo"), ("baggage", "env=gray")],
    "repeated": [("env", "gray"), ("env", "gray"), ("baggage", "a=b"), ("baggage", "env=gray")],
    "encoded key": [("baggage", "%65nv=gray")],
    "encoded value": [("baggage", "a=b,env=gr%61y%3Bpropagation%3Dunlimited")],
    "properties": [("baggage", "a=b;p=1, env = gray ;ttl=5")],
}


def spec(in_baggage):
    version = {name: {"labels": {"env": name}} for name in LANES}
    services = {name: {"host": f"{name}-svc", "port": 9001, "versions": version} for name in NAMES}
    # A rule of a service chooses a version for requests in no lane; it leaves the chain untagged.
    services["cat"] = {**services["cat"], "rules": [{"match": {"headers": {"user": "ann"}}, "weights": {"blue": 1}}]}
    entries = [
        {
            "hosts": [f"{name}-{kept}.example.com"],
            "baggage": kept,
            "routes": [{"path": {"prefix": "/"}, "service": "cat"}],
            **entry,
        }
        for (name, entry), kept in itertools.product(ENTRIES.items(), ("replace", "keep"))
    ]
    tag = {"header": "env", "default": "prod", "baggage": in_baggage}
    body = {"tag": tag, "lanes": {name: {} for name in LANES}, "services": services, "entries": entries}
    return {"apiVersion": "graylane/v1", "kind": "LaneGroup", "metadata": {"name": "pets"}, "spec": body}


@cache
def compiled(in_baggage):
    (group,) = groups(parse(yaml.safe_dump(spec(in_baggage)), "spec.yaml"))
    given_to_istio = resources([group.model])
    return group.model, given_to_istio, Index(given_to_istio)


class Fleet:
    """One configuration on Envoy, and requests along cat, mouse and dog."""

    def __init__(self, envoy, model, given_to_istio, labels=LANES):
        self.envoy, self.model = envoy, model
        self.host = {one.name: one.host for one in model.services}
        self.chain = [(self.host[name], 9001) for name in NAMES]
        where = [(name, label) for name in NAMES for label in labels]
        envoy.change(
            translate(
                given_to_istio,
                [
                    Endpoint(self.host[name], 9001, {"env": label}, "127.0.0.1", envoy.port_of(f"{name}/{label}"))
                    for name, label in where
                ],
            )
        )

    def ask(self, host, headers, stacks):
        """Who answered at each hop, and which of the tag's headers it saw."""
        listener, sent, met = GATEWAY, [("host", host), *headers], []
        for name, stack in zip(NAMES, stacks, strict=True):
            reply = self.envoy.ask(listener, "/", sent)
            said = json.loads(reply.body)
            seen = tuple((key.lower(), value) for key, value in said["headers"] if key.lower() in TAG)
            met.append((said["who"].partition("/")[2], seen))
            following = NAMES[NAMES.index(name) + 1 :][:1]
            listener = mesh_listener(self.host[following[0]], 9001) if following else ""
            sent = list(stack(seen))
        return met

    def explained(self, index, host, headers, stacks):
        """The ways that `graylane explain --chain` foretells, each with its version and headers at each hop."""
        carrying = Carrying(("env",), {self.host[n]: CARRIES[s] for n, s in zip(NAMES, stacks, strict=True)})
        steps = follow(index, Request(host, headers=headers, gateway=ANY_GATEWAY), self.chain, carrying=carrying)
        return [[one for one in step.outcomes if isinstance(one, Destination)] for step in steps]


def tag_of(seen):
    """The one lane in header and member; None where there is neither.

    A foreign header stays whole: `keep` lets it in beside the tag's header.
    """
    header = [value for name, value in seen if name == "env"]
    listed = baggage.members(value for name, value in seen if name == "baggage")
    member = [baggage.value_of(one) for one in listed if baggage.key_of(one) == "env"]
    assert len({*header, *member}) <= 1, f"half of something: {seen}"
    assert len(header) <= 1, seen
    return next(iter([*header, *member]), None)


def lossless(stacks, in_baggage):
    """Stacks that pass the tag on to each other: the last one passes it to nobody."""
    header = member = True
    for stack in stacks[:-1]:
        carries = CARRIES[stack]
        read = {"header": header, "baggage": member, "both": True, "none": False}[carries]
        header, member = read and carries in ("header", "both"), read and carries in ("baggage", "both")
        if not (header or (member and in_baggage)):
            return False
    return True


def choosable(index, host, headers):
    """The tags that the entry may choose by itself: of the same request without the tag."""
    plain = [pair for pair in headers if pair[0] not in TAG]
    (steps,) = [follow(index, Request(host, headers=plain, gateway=ANY_GATEWAY), [("cat-svc.default", 9001)])]
    sent = [one.headers for step in steps for one in step.outcomes if isinstance(one, Destination)]
    return {tag_of([pair for pair in headers if pair[0] in TAG]) for headers in sent}


def check(fleet, index, host, headers, stacks, *, in_baggage):
    """One request: nothing is half, nothing is let in, and `explain` says the same."""
    met = fleet.ask(host, headers, stacks)
    what = f"{host} {headers} {[one.__name__ for one in stacks]}: {met}"
    chosen = tag_of(met[0][1])
    if not host.startswith("trusted") and not host.startswith("split"):
        assert chosen in choosable(index, host, headers), f"let in: {what}"
    if lossless(stacks, in_baggage) and not ("-keep." in host and opentelemetry in stacks):
        assert [tag_of(seen) for _, seen in met] == [chosen] * 3, f"half: {what}"
        versions, lane = [version for version, _ in met], chosen or "prod"
        # A rule of cat takes requests in no lane to cat's blue, and leaves them in none.
        assert versions in ([lane] * 3, ["blue", "prod", "prod"] if ("user", "ann") in headers else []), f"half: {what}"
    ways = fleet.explained(index, host, headers, stacks)
    shown = [[(one.subset, tag_of([p for p in one.headers if p[0] in TAG])) for one in way] for way in ways]
    assert [(version, tag_of(seen)) for version, seen in met] in shown, f"explained otherwise: {what}\n{shown}"


@pytest.mark.parametrize("in_baggage", [False, True], ids=["header", "baggage"])
@pytest.mark.parametrize(("entry", "given"), list(itertools.product(ENTRIES, INPUTS)))
def test_every_input_at_every_entry(envoy, in_baggage, entry, given):
    model, given_to_istio, index = compiled(in_baggage)
    fleet = Fleet(envoy, model, given_to_istio)
    stacks = [(graylane, graylane, graylane), (sleuth, micrometer, graylane), (opentelemetry, opentelemetry, graylane)]
    for kept, chain, more in itertools.product(("replace", "keep"), stacks, ([], [COOKIE], [("user", "ann")])):
        check(fleet, index, f"{entry}-{kept}.example.com", [*INPUTS[given], *more], chain, in_baggage=in_baggage)


def test_what_an_entry_chooses_reaches_a_first_service_that_reads_baggage_alone(envoy):
    model, given_to_istio, _ = compiled(True)
    fleet = Fleet(envoy, model, given_to_istio)
    for headers, lane in (([("env", "gray")], "gray"), ([("env", "blue"), ("baggage", "env=gray")], "blue")):
        met = fleet.ask("trusted-replace.example.com", headers, (opentelemetry,) * 3)
        assert [version for version, _ in met] == [lane] * 3
        assert [dict(seen)["baggage"] for _, seen in met] == [f"env={lane}"] * 3


def test_keep_lets_foreign_members_in_and_none_of_ours(envoy):
    model, given_to_istio, _ = compiled(True)
    fleet = Fleet(envoy, model, given_to_istio)

    def baggage_of(*given, host="trusted-keep.example.com"):
        _, seen = fleet.ask(host, given, (graylane,) * 3)[0]
        return [value for name, value in seen if name == "baggage"]

    assert baggage_of(("baggage", "a=b;p=1"), ("env", "gray")) == ["a=b;p=1"]
    assert baggage_of(("baggage", "a=b"), ("baggage", "c=d")) == ["a=b", "c=d"]
    assert baggage_of(("baggage", "a=b;env=gray")) == ["a=b;env=gray"]  # a property, no member
    assert baggage_of(("env", "gray")) == ["env=gray"]
    for ours in ("env=gray,a=b", "a=b, env =gray", "%65nv=gray", "ENV=gray", "+env=gray", "a=b,env=typo", "env="):
        assert baggage_of(("baggage", ours), ("env", "blue")) == ["env=blue"], ours
        assert baggage_of(("baggage", "a=b"), ("baggage", ours), ("env", "blue")) == ["env=blue"], ours
        assert baggage_of(("baggage", ours), host="untrusted-keep.example.com") == ["env=prod"], ours
    for unread in (b"a=\xff", b"a=\xff,env=gray"):
        assert baggage_of(("baggage", unread), ("env", "blue")) == ["env=blue"], unread
    assert baggage_of(("baggage", "a=b"), ("baggage", b"a=\xff,env=gray"), ("env", "blue")) == ["env=blue"]
    assert baggage_of(("baggage", "a=b"), host="trusted-replace.example.com") == []


keys = st.sampled_from(("env", "env", "env", "%65nv", "e%6Ev", "Env", " env ", "xenv", "env2", "a", ""))
lanes = st.sampled_from(("gray", "blue", "prod", "gr%61y", "bl%75e", "typo", "", "gray.next", "gray gray"))
ends = st.sampled_from(("", "", ";ttl=5", " ; a;b", "%3Bpropagation%3Dunlimited", "%3b", "%2Cenv=blue", "x"))
member = st.builds(lambda key, value, end: f"{key}={value}{end}", keys, lanes, ends)
lists = st.lists(st.one_of(member, member, st.sampled_from(("a", "a=b", "=", ";", ""))), max_size=4)
header_values = st.one_of(st.sampled_from(("gray", "blue", "prod", "typo", "", "gray,gray", "GRAY")), lanes)
fields = st.one_of(
    st.tuples(st.just("env"), header_values),
    st.tuples(
        st.just("baggage"), st.builds(lambda given, sign: sign.join(given), lists, st.sampled_from((",", " , ")))
    ),
    st.tuples(st.just("baggage"), st.builds(",".join, lists)),
    st.sampled_from((COOKIE, ("user", "ann"))),
)
hosts = st.builds(
    lambda *parts: "-".join(parts) + ".example.com",
    st.sampled_from(list(ENTRIES)),
    st.sampled_from(("replace", "keep")),
)
played = st.sampled_from((graylane, graylane, micrometer, sleuth, opentelemetry, bare))


@settings(
    max_examples=1000 if LONG else 60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.booleans(), hosts, st.lists(fields, max_size=5), st.tuples(played, played, played))
def test_fuzz_no_chain_is_half_and_explain_says_so(envoy, in_baggage, host, headers, stacks):
    model, given_to_istio, index = compiled(in_baggage)
    check(Fleet(envoy, model, given_to_istio), index, host, headers, stacks, in_baggage=in_baggage)


@pytest.mark.parametrize("stack", [graylane, micrometer, opentelemetry])
def test_each_step_of_a_consistent_change_leaves_chains_whole(envoy, stack):
    """gray is v3 in mouse and dog, where it was gray; each state is met by every input."""
    model, _ = read("lane-remapped-with-baggage", "before")
    live, made = planned("lane-remapped-with-baggage")
    services = resources([model]).services
    tags = set()
    for at in made.states(state(live)):
        there = replace(Resources.parse(at.values()), services=services)
        fleet = Fleet(envoy, model, there, labels=("prod", "gray", "v3"))
        for headers in INPUTS.values():
            met = fleet.ask("cat.example.com", headers, (stack,) * 3)
            versions, seen = zip(*met, strict=True)
            assert len({tag_of(one) for one in seen}) == 1, (headers, met)
            tags.add(tag_of(seen[0]))
            assert versions in {("gray", "gray", "gray"), ("gray", "v3", "v3"), ("prod", "prod", "prod")}, (
                headers,
                met,
            )
    assert tags == {None, "gray", "gray.next", "prod.next-default"}
