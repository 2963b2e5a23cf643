"""Which DestinationRule a proxy uses for a Service: which subsets exist for it.

Source: pilot model/destination_rule.go and push_context.go (setDestinationRules, destinationRule): the client's
namespace first, then the Service's, then the root namespace; in each the most specific host; several rules of one
host and namespace are merged, the oldest first, and of a subset's name only the first counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshconfig.istio import DestinationRule, Subset, fqdn
from meshconfig.simulate.hosts import is_wildcard, most_specific
from meshconfig.simulate.order import by_creation

ROOT_NAMESPACE = "istio-system"


@dataclass(slots=True)
class _Merged:
    """The rules of one host in one namespace that pilot has merged into one."""

    namespace: str
    export_to: frozenset[str]
    selector: Mapping[str, str] | None
    subsets: dict[str, Subset] = field(default_factory=dict)
    traffic_policy: dict[str, Any] | None = None

    def take(self, rule: DestinationRule) -> None:
        for subset in rule.spec.subsets:
            self.subsets.setdefault(subset.name, subset)
        self.traffic_policy = self.traffic_policy or rule.spec.traffic_policy


@dataclass(frozen=True, slots=True)
class Selected:
    """The rule in force: its subsets by name and the policy for all of them. Empty when no rule applies."""

    subsets: Mapping[str, Subset]
    traffic_policy: Mapping[str, Any]


class _Pool:
    """The merged rules of one namespace, by host."""

    def __init__(self) -> None:
        self.exact: dict[str, list[_Merged]] = {}
        self.wildcards: dict[str, list[_Merged]] = {}

    def add(self, rule: DestinationRule, host: str) -> None:
        group = (self.wildcards if is_wildcard(host) else self.exact).setdefault(host, [])
        selector = _selector(rule)
        export_to = frozenset(rule.spec.export_to) if selector is None else frozenset(".")
        apart = True
        for merged in group:
            if merged.export_to == export_to:
                apart = False
            elif not (merged.export_to and export_to >= merged.export_to):
                apart = True
                continue
            else:
                apart = True
            if selector is not None and merged.selector is not None and selector != merged.selector:
                apart = True
                continue
            if (selector is None) == (merged.selector is None):
                apart = False
            merged.take(rule)
        if apart:
            group.append(fresh := _Merged(rule.namespace, export_to, selector))
            fresh.take(rule)

    def find(self, host: str) -> list[_Merged]:
        return most_specific(host, self.exact, self.wildcards) or []


class DestinationRules:
    """Every DestinationRule, as pilot indexes them."""

    def __init__(self, rules: Iterable[DestinationRule]) -> None:
        self._local: dict[str, _Pool] = {}
        self._exported: dict[str, _Pool] = {}
        self._root_private = _Pool()
        for rule in sorted(rules, key=lambda one: (_selector(one) is None, *by_creation(one))):
            self._index(rule)

    def _index(self, rule: DestinationRule) -> None:
        host, namespace = fqdn(rule.spec.host, rule.namespace), rule.namespace
        export_to = set(rule.spec.export_to) if _selector(rule) is None else {"."}
        if not export_to or export_to & {"*", ".", namespace}:
            self._local.setdefault(namespace, _Pool()).add(rule, host)
        if export_to not in ({"."}, {namespace}):
            self._exported.setdefault(namespace, _Pool()).add(rule, host)
        elif namespace == ROOT_NAMESPACE:
            self._root_private.add(rule, host)

    def select(
        self, host: str, namespace: str | None, client: str, labels: Mapping[str, str] | None
    ) -> tuple[Selected, bool]:
        """The rule that a proxy uses for a Service's host, and whether an unknown label of the proxy might change it.

        Parameters:
            namespace: the Service's. client, labels: those of the proxy's Pod; None when the labels are not known.
        """
        found = self._candidates(host, namespace, client)
        general = [one for one in found if one.selector is None]
        special = [one for one in found if one.selector is not None and one.namespace == client]
        for one in special:
            if labels is not None and one.selector is not None and one.selector.items() <= labels.items():
                return _selected(one), False
        return (_selected(general[-1]) if general else Selected({}, {})), bool(special) and labels is None

    def _candidates(self, host: str, namespace: str | None, client: str) -> list[_Merged]:
        own = self._root_private if client == ROOT_NAMESPACE else self._local.get(client, _Pool())
        if found := own.find(host):
            return found
        for owner in (namespace, ROOT_NAMESPACE):
            pool = self._exported.get(owner or "", _Pool())
            exported = [one for one in pool.find(host) if not one.export_to or one.export_to & {"*", client}]
            if exported:
                return exported
        return []


def _selected(merged: _Merged) -> Selected:
    return Selected(merged.subsets, merged.traffic_policy or {})


def _selector(rule: DestinationRule) -> Mapping[str, str] | None:
    selector = rule.spec.workload_selector
    return None if selector is None else selector.get("matchLabels") or {}
