"""Requests at every kind of entry, and what has to hold of the chain behind it: on any mesh that a `Fleet` asks."""

import itertools
from dataclasses import dataclass
from typing import Any

import yaml
from stacks import CARRIES, graylane, micrometer, opentelemetry, sleuth

from meshconfig import baggage
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.model import Model
from meshconfig.simulate import ANY_GATEWAY, Carrying, Destination, Request, follow

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


def spec(in_baggage, namespace="demo"):
    """Entries of every kind, with `baggage: replace` and `keep`."""
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
    return {
        "apiVersion": "graylane/v1",
        "kind": "LaneGroup",
        "metadata": {"name": "pets", "namespace": namespace},
        "spec": body,
    }


CHAINS = ((graylane, graylane, graylane), (sleuth, micrometer, graylane), (opentelemetry, opentelemetry, graylane))


def compiled(value) -> Model:
    (group,) = groups(parse(yaml.safe_dump(value), "spec.yaml"))
    return group.model


@dataclass
class Fleet:
    """Cat, mouse and dog on some mesh.

    Parameters:
        at_gateway: (host, headers) → (version, headers as it sees them).
        in_mesh: the same, of a service, from inside the mesh.
        namespace: where the services are.
    """

    at_gateway: Any
    in_mesh: Any
    namespace: str = "demo"

    def ask(self, host, headers, stacks):
        """Who answered at each hop, and which of the tag's headers it saw."""
        version, seen = self.at_gateway(host, headers)
        met = [(version, _tags(seen))]
        for name, stack in zip(NAMES[1:], stacks, strict=False):
            version, seen = self.in_mesh(name, list(stack(met[-1][1])))
            met.append((version, _tags(seen)))
        return met

    def explained(self, index, host, headers, stacks):
        """The ways that `graylane explain --chain` foretells, each with its version and headers at each hop."""
        hosts = [f"{name}-svc.{self.namespace}.svc.cluster.local" for name in NAMES]
        carrying = Carrying(("env",), {host: CARRIES[stack] for host, stack in zip(hosts, stacks, strict=True)})
        asked = Request(host, headers=headers, gateway=ANY_GATEWAY)
        steps = follow(index, asked, [(one, 9001) for one in hosts], carrying=carrying)
        return [[one for one in step.outcomes if isinstance(one, Destination)] for step in steps]


def _tags(headers):
    return tuple((name.lower(), value) for name, value in headers if name.lower() in TAG)


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
    (steps,) = [follow(index, Request(host, headers=plain, gateway=ANY_GATEWAY), [("cat-svc", 9001)])]
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


def every_input(fleet, index, entry, given, *, in_baggage):
    """One kind of input at one kind of entry, through chains of several stacks, with and without an admit or a rule."""
    more = ([], [COOKIE], [("user", "ann")])
    for kept, stacks, beside in itertools.product(("replace", "keep"), CHAINS, more):
        headers = [*INPUTS[given], *beside]
        check(fleet, index, f"{entry}-{kept}.example.com", headers, stacks, in_baggage=in_baggage)
