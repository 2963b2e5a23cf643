"""`graylane schema`: the JSON Schema of the spec, for editors."""

from typing import Annotated, Any

from pydantic import Field

from meshconfig.printable import say_json
from meshconfig.spec import LaneGroup, LocalMesh, PreviewLane, Rollout, RouteTest
from meshconfig.spec.json_schema import json_schema as described


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
    documents = Annotated[LaneGroup | LocalMesh | PreviewLane | Rollout | RouteTest, Field(discriminator="kind")]
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": "graylane spec", **described(documents)}
