"""JSON Schemas of the documents of a spec, with a description of each field: for editors and for a cluster's API."""

from importlib.resources import files
from typing import Any

import yaml
from pydantic import TypeAdapter

Schema = dict[str, Any]


def json_schema(documents: Any) -> Schema:
    """The JSON Schema (2020-12) of a model, or of a union of models; the models that it consists of are in `$defs`."""
    schema: Schema = TypeAdapter[Any](documents).json_schema(by_alias=True)
    texts = yaml.safe_load(files("meshconfig.spec").joinpath("descriptions.yaml").read_text("utf-8"))
    whole = {schema["title"]: schema} if "properties" in schema else {}  # of one model; a union is in `$defs`
    for name, model in {**schema["$defs"], **whole}.items():
        described = texts.get(model_name(name), {})
        for field, part in model.get("properties", {}).items():
            _counted(part)
            if text := described.get(field):
                part["description"] = text
    return schema


def model_name(definition: str) -> str:
    """The name of a model in `$defs`, where two of one name have their modules before it."""
    return definition.rpartition("__")[2]


def _counted(field: Schema) -> None:
    """pydantic takes the least length of a list that a function has made a tuple for that of a text."""
    if field.get("type") == "array" and "minLength" in field:
        field["minItems"] = field.pop("minLength")
