"""What every resource of a backend has: its metadata, and the labels by which graylane knows its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from meshconfig.model import IstioFields, Name

IstioApi = Literal["v1", "v1beta1"]
MANAGED_BY = "app.kubernetes.io/managed-by"
GROUP = "graylane.dev/group"
ISTIO = "networking.istio.io"

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose resources they are, and in which version of Istio's API they are written.

    Parameters:
        group: the group's name, for its label.
        tag: the name of the tag's header.
        istio_api: the version of `networking.istio.io`; `v1beta1` for Istio before 1.22.
    """

    group: str
    tag: str
    istio_api: IstioApi = "v1"

    def istio(self, kind: str, name: Name, spec: Manifest, lifted: IstioFields | None = None) -> Manifest:
        """One of Istio's networking resources.

        Parameters:
            lifted: the rest of the live resource that the table was lifted from.
        """
        if lifted is None:
            return self.manifest(f"{ISTIO}/{self.istio_api}", kind, name, spec)
        return {**lifted, "spec": {**spec, **lifted.get("spec", {})}}

    def manifest(self, api: str, kind: str, name: Name, spec: Manifest) -> Manifest:
        return {
            "apiVersion": api,
            "kind": kind,
            "metadata": {
                "name": name.name,
                "namespace": name.namespace,
                "labels": {MANAGED_BY: "graylane", GROUP: self.group},
            },
            "spec": spec,
        }


def rest(manifest: Mapping[str, Any], *read: str) -> Manifest:
    """A live resource without the fields of its spec that were read."""
    spec = {name: value for name, value in (manifest.get("spec") or {}).items() if name not in read}
    return {**manifest, "spec": spec}
