"""Kubernetes' own schema of the objects that a chart makes, by the models of its Python client, which are generated
from the API's OpenAPI. A field that a model does not know is an error, as with `kubectl apply --validate=strict`."""

import re
from collections.abc import Iterator
from typing import Any

from kubernetes.client import models

Value = dict[str, Any]
PLAIN: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
    "object": object,
    "datetime": str,
}


def problems(manifest: Value) -> list[str]:
    """What the schema says against an object; nothing of kinds that are not Kubernetes'."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    if "." in group and not group.endswith(".k8s.io"):
        return []
    kind = f"{version[0].upper()}{version[1:]}{manifest['kind']}"
    return list(_judged(manifest, kind, manifest["kind"]))


def _judged(value: Any, kind: str, path: str) -> Iterator[str]:
    if inner := re.fullmatch(r"(?i)list\[(.+)\]", kind):
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for number, one in enumerate(value):
            yield from _judged(one, inner[1], f"{path}[{number}]")
    elif inner := re.fullmatch(r"(?i)dict[\[(]str, (.+)[\])]", kind):
        if not isinstance(value, dict):
            yield f"{path}: {value!r} is no map"
            return
        for name, one in value.items():
            yield from _judged(one, inner[1], f"{path}.{name}")
    elif kind in PLAIN:
        # What may be a number or a text, such as a port, is an `object` there.
        if not isinstance(value, PLAIN[kind]) or (kind == "int" and isinstance(value, bool)):
            yield f"{path}: {value!r} is no {kind}"
    else:
        yield from _object(value, getattr(models, kind), path)


def _object(value: Any, model: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    types = {json: model.openapi_types[name] for name, json in model.attribute_map.items()}
    python = {json: name for name, json in model.attribute_map.items()}
    for name, one in value.items():
        if name not in types:
            yield f"{path}: unknown field {name}"
        else:
            yield from _judged(one, types[name], f"{path}.{name}")
    try:
        model(**{python[name]: one for name, one in value.items() if name in python})
    except ValueError as error:  # a field is missing, or has a value that the API does not take
        yield f"{path}: {error}"
