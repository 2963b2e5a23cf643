"""Names that the spec leaves out and Kubernetes needs."""

import hashlib
import re

from meshconfig.istio import CLUSTER_DOMAIN
from meshconfig.spec import Entry, LaneGroup

LONGEST = 58  # of 63, so that a number still fits


def service_fqdn(host: str, namespace: str) -> str:
    """A service's host in full: `cat-svc` is in the group's namespace, `cat-svc.shop` in shop, more dots as it is."""
    dots = host.count(".")
    if dots == 0:
        return f"{host}.{namespace}.{CLUSTER_DOMAIN}"
    return f"{host}.{CLUSTER_DOMAIN}" if dots == 1 else host


def service_namespace(fqdn: str, namespace: str) -> str:
    """The namespace of a Service; the group's own for a host outside the cluster."""
    return fqdn.split(".")[1] if fqdn.endswith("." + CLUSTER_DOMAIN) else namespace


def service_resource(fqdn: str) -> str:
    """What a service's resources are called: as the Service, or as the host outside the cluster."""
    return fqdn.split(".")[0] if fqdn.endswith("." + CLUSTER_DOMAIN) else fqdn


def entry_names(group: LaneGroup) -> list[str]:
    """What each entry's resources are called: by its first host, so that adding an entry renames no other.

    Istio takes only DNS labels for the name of a Gateway (`istioctl analyze`: IST0106 for `cat.example.com`).
    """
    names: list[str] = []
    for entry in group.spec.entries:
        name = _label(entry)
        earlier = sum(other.partition("--")[0] == name for other in names)
        names.append(f"{name}--{earlier + 1}" if earlier else name)
    return names


def _label(entry: Entry) -> str:
    host = entry.hosts[0]
    words = ["any-host"] if host == "*" else host.replace("*", "wildcard").split(".")
    name = re.sub("-+", "-", "-".join(words))  # two dashes are the number's
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9].rstrip('-')}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
