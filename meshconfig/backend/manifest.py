"""What the resources of all backends share: metadata, and the labels that mark graylane's own resources."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from meshconfig.istio.labels import MANAGED_BY as MANAGED_BY
from meshconfig.istio.labels import OURS
from meshconfig.model import IstioFields, Name

IstioApi = Literal["v1", "v1beta1"]
GROUP = "graylane.dev/group"
SERVICE, VERSION = "graylane.dev/service", "graylane.dev/version"  # labels of a version's own Service
ISTIO = "networking.istio.io"

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a group's resources.

    Parameters:
        group: the group's name, for its label.
        tag: the name of the tag's header.
        istio_api: the version of `networking.istio.io`; `v1beta1` for Istio before 1.22.
        experimental: write fields of Gateway API's experimental channel too.
    """

    group: str
    tag: str
    istio_api: IstioApi = "v1"
    experimental: bool = False

    def istio(self, kind: str, name: Name, spec: Manifest, lifted: IstioFields | None = None) -> Manifest:
        """A resource of the API group networking.istio.io.

        Parameters:
            spec: the fields of its spec that graylane manages.
            lifted: the rest of the live resource that the table was lifted from; None for a new resource.
        """
        if lifted is None:
            return self.manifest(f"{ISTIO}/{self.istio_api}", kind, name, spec)
        return {**lifted, "spec": {**spec, **lifted.get("spec", {})}}

    def manifest(self, api: str, kind: str, name: Name, spec: Manifest, *, under: str = "spec") -> Manifest:
        """A new resource with the labels of its owner.

        Parameters:
            api: group and version, as in `apiVersion`.
            under: the field that `spec` goes into: a ConfigMap has `data`.
        """
        return {
            "apiVersion": api,
            "kind": kind,
            "metadata": {
                "name": name.name,
                "namespace": name.namespace,
                "labels": {MANAGED_BY: OURS, GROUP: self.group},
            },
            under: spec,
        }


def rest(manifest: Mapping[str, Any], *read: str) -> Manifest:
    """A live resource without the fields of its spec named in `read`: the part that graylane keeps unchanged."""
    spec = {name: value for name, value in (manifest.get("spec") or {}).items() if name not in read}
    return {**manifest, "spec": spec}
