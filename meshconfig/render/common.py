"""What every rendered resource has: its metadata, and the labels by which graylane knows its own."""

from typing import Any, Literal

from meshconfig.model import Model

IstioApi = Literal["v1", "v1beta1"]
MANAGED_BY = "app.kubernetes.io/managed-by"
GROUP = "graylane.dev/group"

Manifest = dict[str, Any]


def istio(kind: str, model: Model, name: str, namespace: str, spec: Manifest, api: IstioApi) -> Manifest:
    """One of Istio's networking resources."""
    return manifest(f"networking.istio.io/{api}", kind, model, name, namespace, spec)


def manifest(api: str, kind: str, model: Model, name: str, namespace: str, spec: Manifest) -> Manifest:
    labels = {MANAGED_BY: "graylane", GROUP: model.group}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": spec,
    }
