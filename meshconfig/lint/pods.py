"""An index of the Pod templates in the input by their labels."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from meshconfig.istio import Resource, Resources

Labels = Mapping[str, str]


class PodTemplates:
    """The labels of Pods, and of the Pod templates of Deployments and any other resources.

    `gateways` has the workloads of gateways by namespace, each with its labels as text.
    """

    def __init__(self, resources: Resources) -> None:
        self.gateways: dict[str, set[str]] = defaultdict(set)
        self._namespaces: set[str] = set()
        self._named: dict[tuple[str, str], str] = {}
        self._without_label: set[str] = set()
        self._by_label: dict[tuple[str, str], list[tuple[str, Labels]]] = defaultdict(list)
        for resource in (*resources.workloads, *resources.others):
            metadata = _pod_metadata(resource)
            if metadata is not None:
                self._add(resource, metadata.get("labels") or {}, metadata.get("annotations") or {})

    def given(self, namespace: str) -> bool:
        """Whether any Pod template of this namespace was given."""
        return namespace in self._namespaces

    def selected(self, namespace: str, selector: Labels) -> bool:
        """Whether a Pod template has all of these labels, in this namespace, or in any if it is empty."""
        if not selector:
            return bool(self._namespaces)
        rarest = min((self._by_label.get(label, []) for label in selector.items()), key=len)
        return any(
            namespace in ("", where) and all(labels.get(name) == value for name, value in selector.items())
            for where, labels in rarest
        )

    def all_inject(self, namespace: str) -> bool:
        """Whether all Pod templates of the namespace request a sidecar by their own label."""
        return namespace in self._namespaces and namespace not in self._without_label

    def named(self, namespace: str, name: str) -> str:
        """The workload of this name with its Pods' labels, as text; empty if there is none."""
        return self._named.get((namespace, name), "")

    def _add(self, resource: Resource[Any], labels: Labels, annotations: Labels) -> None:
        self._namespaces.add(resource.namespace)
        self._named[resource.namespace, resource.name] = f"{resource} ({_shown(labels.items())})"
        if labels.get("sidecar.istio.io/inject") != "true":
            self._without_label.add(resource.namespace)
        for label in labels.items():
            self._by_label[label].append((resource.namespace, labels))
        if annotations.get("inject.istio.io/templates") == "gateway" or labels.get("istio", "").endswith("gateway"):
            self.gateways[resource.namespace].add(self.named(resource.namespace, resource.name))


def _shown(labels: Iterable[tuple[str, str]]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels))


def _pod_metadata(resource: Resource[Any]) -> Mapping[str, Any] | None:
    """The metadata of the Pods that a resource creates; None if it creates none."""
    if resource.kind == "Pod":
        return resource.metadata.model_dump()
    spec = resource.manifest.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    if not isinstance(template, Mapping) or "spec" not in template:
        return None
    metadata = template.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}
