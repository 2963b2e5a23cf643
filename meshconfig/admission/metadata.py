"""What the API server and Istio's webhook ask of a resource's metadata.

Source: Kubernetes, apimachinery api/validation (ValidateObjectMeta); istio pkg/config/validation (validateMetadata).
"""

import re
from functools import lru_cache

from meshconfig.admission import formats
from meshconfig.admission.parts import Part, part
from meshconfig.admission.refusals import At, Refusals

_IS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_IS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LONGEST_NAME = 253
_REFUSED_ANNOTATIONS = {
    "istio.io/dry-run": "is for AuthorizationPolicies alone: delete it",
    "internal.istio.io/webhook-always-reject": "makes Istio refuse the resource: delete it",
    "internal.istio.io/parents": "is Istio's own: delete it",
    "internal.istio.io/parent-namespace": "is Istio's own: delete it",
}


def check_metadata(metadata: Part, at: At, out: Refusals) -> None:
    name, namespace = metadata.get("name") or "", metadata.get("namespace")
    if not name and not metadata.get("generateName"):
        out.missing(at, "name is missing")
    elif name and (len(name) > LONGEST_NAME or not _IS_SUBDOMAIN.fullmatch(name)):
        out.bad((at, "name"), f"{name!r} is not a name: lower-case letters, digits, - and .")
    if namespace:
        out.bad((at, "namespace"), _namespace(namespace))
    for key, value in part(metadata, "labels").items():
        out.bad(((at, "labels"), key), _key(key) or _value(value or ""))
    for key in part(metadata, "annotations"):
        out.bad(((at, "annotations"), key), _key(key.lower()) or _REFUSED_ANNOTATIONS.get(key, ""))


@lru_cache(maxsize=4096)  # many resources have one namespace, and the same labels
def _namespace(text: str) -> str:
    fits = len(text) <= formats.LONGEST_LABEL and _IS_LABEL.fullmatch(text)
    return "" if fits else f"{text!r} is not a namespace: lower-case letters, digits and -"


@lru_cache(maxsize=4096)
def _key(key: str) -> str:
    """A label's name, whose prefix Kubernetes wants in lower case, unlike Istio."""
    prefix, slash, _ = key.rpartition("/")
    if slash and not _IS_SUBDOMAIN.fullmatch(prefix):
        return f"{key!r}: what stands before / is a domain in lower case, as in app.kubernetes.io/name"
    return formats.label_key(key)


@lru_cache(maxsize=4096)
def _value(value: str) -> str:
    too_long = len(value) > formats.LONGEST_LABEL
    return f"a label's value has at most {formats.LONGEST_LABEL} characters" if too_long else formats.label_value(value)
