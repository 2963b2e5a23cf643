"""The fields of pydantic models of Istio's resources, held against the schemas of Istio's CRDs."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

Schema = dict[str, Any]


def spec_of(crd: Schema, version: str = "v1") -> Schema:
    """The schema of `spec` in a CustomResourceDefinition."""
    (found,) = [one for one in crd["spec"]["versions"] if one["name"] == version]
    return found["schema"]["openAPIV3Schema"]["properties"]["spec"]


def unknown(model: type[BaseModel], schema: Schema, path: str = "spec") -> Iterator[str]:
    """The fields of a model, and the words that it allows, that the schema does not have."""
    properties = schema.get("properties", {})
    for name, info in model.model_fields.items():
        written = info.alias or name
        if written in properties:
            yield from _below(info.annotation, properties[written], f"{path}.{written}")
        else:
            yield f"{path}.{written}"


def _below(annotation: Any, schema: Schema, path: str) -> Iterator[str]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from unknown(annotation, schema, path)
    elif origin is Annotated:
        yield from _below(inner[0], schema, path)
    elif origin in (Union, types.UnionType):
        for one in inner:
            yield from _below(one, schema, path)
    elif origin is Literal:
        yield from (f"{path}: {one}" for one in inner if one not in schema.get("enum", ()))
    elif origin is tuple:
        yield from _below(inner[0], schema.get("items", {}), path)
    elif origin is dict:
        yield from _below(inner[1], schema.get("additionalProperties", {}), path)
