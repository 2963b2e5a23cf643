"""`graylane schema`: the JSON Schema of the spec, for editors."""

import json
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from meshconfig.spec import LaneGroup, LocalMesh, Rollout


def command() -> None:
    """Print the JSON Schema of the spec, for completion and checks in an editor.

    Examples:

        graylane schema > graylane.schema.json

    and in the spec's first line, for editors with the YAML language server:

        # yaml-language-server: $schema=graylane.schema.json
    """
    print(json.dumps(json_schema(), indent=2))


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every document of a spec satisfies."""
    documents = Annotated[LaneGroup | LocalMesh | Rollout, Field(discriminator="kind")]
    schema = TypeAdapter[Any](documents).json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "graylane spec", **schema}
