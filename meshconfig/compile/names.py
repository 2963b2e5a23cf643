"""Names that the spec leaves out and Kubernetes needs."""

import hashlib
import re

from meshconfig.istio.hosts import service_name
from meshconfig.model import Name
from meshconfig.spec import Entry, LaneGroup, ServiceInGroup

LONGEST = 58  # of 63, so that a number still fits


def service_resource(service: ServiceInGroup) -> Name:
    """What a service's resources are called: as the Service, or as the host outside the cluster."""
    known = service_name(service.host)
    return Name(service.namespace, known.name if known else service.host)


def entry_resources(group: LaneGroup) -> list[Name]:
    """What each entry's resources are called: by its first host, so that adding an entry renames no other.

    Istio takes only DNS labels for the name of a Gateway (`istioctl analyze`: IST0106 for `cat.example.com`).
    """
    names: list[str] = []
    for entry in group.spec.entries:
        name = _label(entry)
        earlier = sum(other.partition("--")[0] == name for other in names)
        names.append(f"{name}--{earlier + 1}" if earlier else name)
    return [Name(group.metadata.namespace, name) for name in names]


def _label(entry: Entry) -> str:
    host = entry.hosts[0]
    words = ["any-host"] if host == "*" else host.replace("*", "wildcard").split(".")
    name = re.sub("-+", "-", "-".join(words))  # two dashes are the number's
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9].rstrip('-')}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
