"""Which DestinationRule a proxy uses for a Service: which subsets exist for it.

Source: pilot model/destination_rule.go and push_context.go (setDestinationRules, destinationRule): the client's
namespace first, then the Service's, then the root namespace; in each the most specific host; several rules of one host
and namespace are merged, the oldest first, and of a subset's name only the first counts. Eleven sets of such rules were
put to istiod 1.31 and are in the tests.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from meshconfig.istio.exports import ROOT_NAMESPACE
from meshconfig.istio.hosts import fqdn, is_wildcard, wildcards_above
from meshconfig.istio.resources import DestinationRule, by_creation
from meshconfig.istio.types import Subset


class Selected(NamedTuple):
    """The rule in force: its subsets by name and the policy for all of them. Empty when no rule applies."""

    subsets: Mapping[str, Subset]
    traffic_policy: Mapping[str, Any]


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

    def accepts(self, export_to: frozenset[str], selector: Mapping[str, str] | None) -> tuple[bool, bool]:
        """Two answers: a rule with these fields merges into this one; it also stands by itself."""
        if export_to != self.export_to and not (self.export_to and export_to >= self.export_to):
            return False, True
        if selector is not None and self.selector is not None and selector != self.selector:
            return False, True
        alike = (selector is None) == (self.selector is None)
        return True, not alike and export_to != self.export_to


@dataclass(slots=True)
class _Group:
    """The rules of one namespace by host, as they came."""

    exact: dict[str, list[DestinationRule]] = field(default_factory=dict)
    wildcards: dict[str, list[DestinationRule]] = field(default_factory=dict)
    # What was found: each destination of a route asks for the rule of its host.
    merged: dict[tuple[str, Callable[[DestinationRule], bool]], list[_Merged]] = field(default_factory=dict)

    def add(self, host: str, rule: DestinationRule) -> None:
        (self.wildcards if is_wildcard(host) else self.exact).setdefault(host, []).append(rule)

    def find(self, host: str, wanted: Callable[[DestinationRule], bool]) -> list[_Merged]:
        """The rules of the most specific host that has any of those wanted, merged."""
        if (host, wanted) not in self.merged:
            self.merged[host, wanted] = self._find(host, wanted)
        return self.merged[host, wanted]

    def _find(self, host: str, wanted: Callable[[DestinationRule], bool]) -> list[_Merged]:
        if kept := [one for one in self.exact.get(host, ()) if wanted(one)]:
            return _merge(kept)
        for name in wildcards_above(host) if self.wildcards else ():
            if kept := [one for one in self.wildcards.get(name, ()) if wanted(one)]:
                return _merge(kept)
        return []


class DestinationRules:
    """Every DestinationRule, as pilot indexes them."""

    def __init__(self, rules: Iterable[DestinationRule]) -> None:
        self._groups: dict[str, _Group] = {}
        for rule in rules:
            group = self._groups.setdefault(rule.namespace, _Group())
            group.add(fqdn(rule.spec.host, rule.namespace), rule)

    def select(
        self, host: str, namespace: str | None, client: str, labels: Mapping[str, str] | None
    ) -> tuple[Selected, bool]:
        """The rule that a proxy uses for a Service's host, and whether an unknown label of the proxy might change it.

        Parameters:
            namespace: the Service's. client, labels: those of the proxy's Pod; None when the labels are not known.
        """
        found = self._candidates(host, namespace, client)
        special = [one for one in found if one.selector is not None and one.namespace == client]
        for one in special:
            if labels is not None and one.selector is not None and one.selector.items() <= labels.items():
                return _selected(one), False
        general = [one for one in found if one.selector is None]
        return (_selected(general[-1]) if general else Selected({}, {})), bool(special) and labels is None

    def _candidates(self, host: str, namespace: str | None, client: str) -> list[_Merged]:
        own = self._groups.get(client, _Group())
        if found := own.find(host, _only_private if client == ROOT_NAMESPACE else _local):
            return found
        for owner in (namespace, ROOT_NAMESPACE):
            pool = self._groups.get(owner or "", _Group()).find(host, _exported)
            if exported := [one for one in pool if not one.export_to or one.export_to & {"*", client}]:
                return exported
        return []


def _export_to(rule: DestinationRule) -> frozenset[str]:
    # A rule for certain workloads never leaves its namespace.
    return frozenset(rule.spec.export_to) if _selector(rule) is None else frozenset(".")


def _local(rule: DestinationRule) -> bool:
    export_to = _export_to(rule)
    return not export_to or bool(export_to & {"*", ".", rule.namespace})


def _only_private(rule: DestinationRule) -> bool:
    return _export_to(rule) in ({"."}, {rule.namespace})


def _exported(rule: DestinationRule) -> bool:
    return not _only_private(rule)


def _merge(rules: list[DestinationRule]) -> list[_Merged]:
    """Source: pilot model/destination_rule.go, mergeDestinationRule."""
    merged: list[_Merged] = []
    for rule in sorted(rules, key=lambda one: (_selector(one) is None, by_creation(one))):
        export_to, selector = _export_to(rule), _selector(rule)
        apart = True
        for one in merged:
            takes, apart = one.accepts(export_to, selector)
            if takes:
                one.take(rule)
        if apart:
            merged.append(fresh := _Merged(rule.namespace, export_to, selector))
            fresh.take(rule)
    return merged


def _selected(merged: _Merged) -> Selected:
    return Selected(merged.subsets, merged.traffic_policy or {})


def _selector(rule: DestinationRule) -> Mapping[str, str] | None:
    selector = rule.spec.workload_selector
    return None if selector is None else selector.get("matchLabels") or {}
