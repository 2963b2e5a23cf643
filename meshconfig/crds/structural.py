"""A model's JSON Schema as a structural schema, the form that Kubernetes takes for a CustomResourceDefinition.

A structural schema has no `$ref`, no `patternProperties` and no closed objects (the API server itself refuses or drops
unknown fields), gives each value one type, and its patterns are RE2.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
(Specifying a structural schema).
"""

from collections.abc import Mapping
from itertools import chain, combinations

from meshconfig.crds.bounds import DEFAULTS, FIELDS, ITEMS
from meshconfig.crds.cel import as_schema
from meshconfig.crds.rules import RULES
from meshconfig.duration import PATTERN, POSITIVE, written
from meshconfig.spec.base import LABEL, Strict
from meshconfig.spec.group import LANE_NAME
from meshconfig.spec.json_schema import Schema, json_schema, model_name

_KEPT = ("type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "minProperties")
_NULL = {"type": "null"}


def structural(model: type[Strict]) -> Schema:
    """The structural schema of a model's `spec`, with descriptions, bounds and CEL rules."""
    schema = json_schema(model)
    parts = schema["$defs"]
    return _Converter(parts).value(schema["properties"]["spec"], "", "spec")


class _Converter:
    """
    Parameters:
        parts: the models by name, as JSON Schemas.
    """

    def __init__(self, parts: Mapping[str, Schema]) -> None:
        self._parts = parts

    def value(self, given: Schema, model: str, field: str) -> Schema:
        """A field's schema.

        Parameters:
            model, field: the short name of the model that has it, and the field's name there.
        """
        found = {**self._typed(given, model, field), **FIELDS.get((model, field), {})}
        if (model, field) in DEFAULTS:
            found["default"] = given["default"]
        return {**_description(given), **found}

    def _typed(self, given: Schema, model: str, field: str) -> Schema:
        if "$ref" in given:
            return self._model(given["$ref"].rpartition("/")[2])
        if "anyOf" in given:
            return self._union([one for one in given["anyOf"] if one != _NULL], model, field)
        found = {name: given[name] for name in _KEPT if name in given}
        if "const" in given:
            found["enum"] = [given["const"]]
        if "exclusiveMinimum" in given:
            found |= {"minimum": given["exclusiveMinimum"], "exclusiveMinimum": True}
        if found.get("pattern") in (LABEL, LANE_NAME):
            found["maxLength"] = 63
        if found.get("pattern") == POSITIVE:  # RE2 has no look-ahead
            found |= {"pattern": PATTERN, "allOf": [{"pattern": "[1-9]"}]}
        if "items" in given:
            found["items"] = self._item(given["items"], model, field)
        if found.get("type") == "object" and (inner := _values(given)) is not None:
            found["additionalProperties"] = self._item(inner, model, field)
        return found

    def _item(self, given: Schema, model: str, field: str) -> Schema:
        return {**self.value(given, "", ""), **ITEMS.get((model, field), {})}

    def _model(self, name: str) -> Schema:
        part, short = self._parts[name], model_name(name)
        found: Schema = {"type": "object"}
        if required := part.get("required"):
            found["required"] = required
        found["properties"] = {
            field: self.value(given, short, field) for field, given in part.get("properties", {}).items()
        }
        if short in _NEEDED:
            found["anyOf"] = [_given(field, found["properties"][field]) for field in _NEEDED[short]]
        return {**found, **as_schema(RULES.get(short, ()))}

    def _union(self, given: list[Schema], model: str, field: str) -> Schema:
        if len(given) == 1:
            return self._typed(given[0], model, field)
        if {one.get("type") for one in given} == {"integer", "string"}:
            bounds = {name: one[name] for one in given for name in _KEPT[1:] if name in one}
            return {"x-kubernetes-int-or-string": True, **bounds}
        (name,) = [one["$ref"].rpartition("/")[2] for one in given if "$ref" in one]
        return self._text_or_object(name)

    def _text_or_object(self, name: str) -> Schema:
        """A text in short for an object. Kubernetes gives such a value no type, so that the rest is said of it by
        keywords that each hold for values of one type only; unknown fields are kept, and so they are counted."""
        part = self._parts[name]
        fields = {field: self.value(given, model_name(name), field) for field, given in part["properties"].items()}
        return {
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": fields,
            "anyOf": [
                {"required": list(names), "maxProperties": len(names)}
                for names in _allowed(model_name(name), fields, part.get("required", []))
            ],
            **_NO_OTHER_TYPE,
        }


# No number is from 1 to 0, and no list has one item and none.
_NO_OTHER_TYPE = {"minimum": 1, "maximum": 0, "minItems": 1, "maxItems": 0, "not": {"enum": [True, False]}}
_ONE_OF = ("StringMatch", "PathMatch")
# Fields of which one is needed, where CEL cannot see them for the values without a type that they have or contain.
_CONDITIONS = ("headers", "cookies", "query", "path", "method")
_NEEDED = {"Match": _CONDITIONS, "EntryMatch": (*_CONDITIONS, "claims")}


def _allowed(model: str, fields: Mapping[str, Schema], required: list[str]) -> list[tuple[str, ...]]:
    """The sets of fields that an object may have."""
    if model in _ONE_OF:
        return [(field,) for field in fields]
    optional = [field for field in fields if field not in required]
    more = chain.from_iterable(combinations(optional, count) for count in range(len(optional) + 1))
    return [(*required, *names) for names in more]


def _given(field: str, schema: Schema) -> Schema:
    """That a field is there, and has an item if it is a map."""
    some = {"properties": {field: {"minProperties": 1}}} if schema.get("type") == "object" else {}
    return {"required": [field], **some}


def _values(given: Schema) -> Schema | None:
    """The schema of a map's values."""
    patterns: Mapping[str, Schema] = given.get("patternProperties", {})
    found = next(iter(patterns.values()), given.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def _description(given: Schema) -> Schema:
    text, default = given.get("description"), given.get("default")
    if not text:
        return {}
    if isinstance(default, float) and "pattern" in given:
        default = written(default)
    said = default is None or isinstance(default, dict | list) or default is False or "default" in text.lower()
    return {"description": text if said else f"{text} Default: {str(default).lower()}."}
