"""`graylane schema`: the JSON Schema of the spec, for editors."""

from importlib.resources import files
from typing import Annotated, Any

import yaml
from pydantic import Field, TypeAdapter

from meshconfig.printable import say_json
from meshconfig.spec import LaneGroup, LocalMesh, Rollout, RouteTest


def command() -> None:
    """Print the JSON Schema of the spec, for completion and checks in an editor.

    Examples:

        graylane schema > graylane.schema.json

    and in the spec's first line, for editors with the YAML language server:

        # yaml-language-server: $schema=graylane.schema.json
    """
    say_json(json_schema())


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every document of a spec satisfies, with a description of each field."""
    documents = Annotated[LaneGroup | LocalMesh | Rollout | RouteTest, Field(discriminator="kind")]
    schema = TypeAdapter[Any](documents).json_schema(by_alias=True)
    texts = yaml.safe_load(files("meshconfig.spec").joinpath("descriptions.yaml").read_text("utf-8"))
    for name, model in schema["$defs"].items():
        # Two models of one name have their modules before it: `meshconfig__spec__match__StringMatch`.
        described = texts.get(name.rpartition("__")[2], {})
        for field, part in model.get("properties", {}).items():
            if text := described.get(field):
                part["description"] = text
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "graylane spec", **schema}
