"""Names of resources and rules of the Gateway API."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from meshconfig.backend.istio.route_names import route_name
from meshconfig.istio.hosts import ServiceName, service_name
from meshconfig.model import Name, RouteId

API = "gateway.networking.k8s.io"
ISTIO = "networking.istio.io"
_TAKES = re.compile(r"[^a-z0-9.-]+")
_ENDS = re.compile(r"[.-]*\.[.-]*")
LONGEST, LONGEST_LABEL = 253, 63
_REFUSED = "--refused"
NO_ROUTE = "none"  # a rule for requests that no route takes


def version_service(host: str, version: str) -> Name:
    """The Service of one version of a service.

    Parameters:
        host: the service's host, fully qualified.
    """
    of = service_of(host)
    return Name(of.namespace, f"{of.name}-{version}")


def service_of(host: str) -> ServiceName:
    """The Service that a host inside the cluster belongs to."""
    found = service_name(host)
    assert found is not None, f"{host} is outside the cluster"
    return found


def parent_hosts(route: Mapping[str, Any]) -> list[str]:
    """The hosts of a route between services. graylane names a ServiceEntry after its host."""
    found = []
    for one in route["spec"].get("parentRefs") or ():
        if one.get("kind") == "Service":
            found.append(ServiceName(one["name"], one.get("namespace") or route["metadata"]["namespace"]).host)
        elif one.get("kind") == "ServiceEntry":
            found.append(one["name"])
    return found


def refusing_service(table: Name) -> Name:
    """The Service without Pods, which answers 503 for strict lanes. No version is named so: none begins with `-`."""
    name = table.name.replace(".", "-")
    if len(name) > LONGEST_LABEL - len(_REFUSED):
        name = f"{name[:40].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return Name(table.namespace, f"{name}{_REFUSED}")


def part_name(table: Name, number: int) -> Name:
    """The HTTPRoute with a part of a table's rules, counted from 0. No other resource has a dot and a number."""
    return table if number == 0 else Name(table.namespace, f"{table.name}.{number + 1}")


class RuleNames:
    """Names for the rules of one HTTPRoute: those of a VirtualService's routes, in the letters that a rule may have.

    A name is a DNS subdomain and no two rules may share one. Source: Gateway API, HTTPRouteRule.name.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def name(self, route: RouteId | None) -> str:
        """The next rule's name."""
        text = _TAKES.sub("-", route_name(route).lower().replace(":", ".")) if route else NO_ROUTE
        base = _ENDS.sub(".", text).strip(".-")[: LONGEST - 8] or "rule"
        self._seen[base] = number = self._seen.get(base, 0) + 1
        return base if number == 1 else self.name_of(base, number)

    def name_of(self, base: str, number: int) -> str:
        """A name that is taken already, with a number that makes it another one."""
        name = f"{base}.{number}"
        if name in self._seen:
            return self.name_of(base, number + 1)
        self._seen[name] = 1
        return name
