"""Names of resources. The spec does not give them."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from meshconfig.istio.hosts import service_name
from meshconfig.model import Name
from meshconfig.spec import Entry, LaneGroup, ServiceInGroup
from meshconfig.spec.group import LANE

LONGEST = 58  # a DNS label has 63 characters; the rest is for a number such as `--2`


def service_resource(service: ServiceInGroup) -> Name:
    """The name of a service's resources: that of its Kubernetes Service, or its host if that is outside the cluster."""
    known = None if service.spec.external else service_name(service.host)
    return Name(known.namespace, known.name) if known else Name(service.group.metadata.namespace, service.host)


def entry_resources(group: LaneGroup) -> list[Name]:
    """The names of the entries' resources, in the order of the entries.

    A name comes from the entry's first host, so that a new entry renames no other. It is a DNS label, because Istio
    accepts only those as the name of a Gateway (`istioctl analyze` reports IST0106 for `cat.example.com`).
    """
    return _named(group, (entry.hosts[0] for entry in group.spec.entries))


def lane_host_resources(group: LaneGroup) -> dict[str, Name]:
    """The name of each lane host's resource, by host."""
    hosts = [host for entry in group.spec.entries for host in lane_hosts(group, entry).values()]
    entries = [entry.hosts[0] for entry in group.spec.entries]
    return dict(zip(hosts, _named(group, (*entries, *hosts))[len(entries) :], strict=True))


def lane_hosts(group: LaneGroup, entry: Entry) -> dict[str, str]:
    """The host of each lane at an entry, by the lanes' names, sorted; empty where the entry has none."""
    if entry.lane_hosts is None:
        return {}
    return {lane: entry.lane_hosts.replace(LANE, lane) for lane in sorted(group.spec.lanes)}


def _named(group: LaneGroup, hosts: Iterable[str]) -> list[Name]:
    names: list[str] = []
    earlier = Counter[str]()
    for host in hosts:
        name = _label(host)
        names.append(f"{name}--{earlier[name] + 1}" if earlier[name] else name)
        earlier[name] += 1
    return [Name(group.metadata.namespace, name) for name in names]


def _label(host: str) -> str:
    words = ["any-host"] if host == "*" else host.replace("*", "wildcard").split(".")
    name = re.sub("-+", "-", "-".join(words))  # two dashes stand before a number
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9].rstrip('-')}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
