"""Makes `meshconfig/admission/fields.json` from Istio's CRDs: each kind's fields, and what the API server asks of them.

    python tests/support/admission_fields.py CRDS.yaml

The table has one entry for each shape of object, named by the path at which it first stands, so that a shape that
stands in many places (a Destination, a StringMatch) is written once. A rule of the CRDs that is not known here ends
the run: it has to be understood before the table can be called current.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

Schema = Mapping[str, Any]
KINDS = ("VirtualService", "DestinationRule", "Gateway", "ServiceEntry", "Sidecar", "Telemetry")
GROUPS = ("networking.istio.io", "telemetry.istio.io")
TABLE = Path(__file__).parents[2] / "meshconfig" / "admission" / "fields.json"

# Keywords of a schema that the table keeps, by the names that it gives them.
KEPT = {
    "minimum": "min",
    "maximum": "max",
    "enum": "enum",
    "nullable": "nullable",
    "minItems": "minItems",
    "maxItems": "maxItems",
    "maxLength": "maxLength",
    "minLength": "minLength",
    "maxProperties": "maxProperties",
}
DROPPED = {
    "type",
    "description",
    "properties",
    "items",
    "additionalProperties",
    "required",
    "oneOf",
    "allOf",
    "format",
    "pattern",
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
}
FORMATS = {"int32": "int32", "byte": "byte", "double": ""}
PATTERNS = {
    r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$": "apiGroup",
    "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$": "kindName",
}

# CEL rules on one value, by the names under which `meshconfig.admission.formats` knows them.
FORMAT_RULES = {
    "duration(self) >= duration('1ms')": "duration",
    "0 < self && self <= 65535": "port",
    'self != "*"': "notEverything",
    '!self.contains("*")': "noWildcard",
    'self.startsWith("unix://") ? (self.substring(7, 8) == "/" || self.substring(7, 8) == "@") : true': "unixPath",
    'self.startsWith("unix://") ? !self.endsWith("/") : true': "unixPath",
    "self.size() == 0": "ownNamespace",
    'self.all(key, !key.contains("*"))': "labelKeys",
    "self.all(key, key.size() != 0)": "labelKeys",
    'self.all(key, size(key) < 63 && key.matches("^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$"))': "portNames",
}
# CEL rules that allow one field of several.
EXCLUSIVE_RULES: dict[str, list[str]] = {
    " + ".join(f"(has(self.{one}) ? 1 : 0)" for one in ("selector", "targetRef", "targetRefs")) + " <= 1": [
        *("selector", "targetRef", "targetRefs")
    ],
} | {
    f"(has(self.{one}) ? 1 : 0) + (has(self.{other}) ? 1 : 0) <= 1": [one, other]
    for one, other in (
        ("tlsCertificates", "credentialNames"),
        ("credentialName", "credentialNames"),
        ("credentialNames", "tlsCertificates"),
        ("workloadSelector", "endpoints"),
    )
}
# CEL rules over several fields or items, which `meshconfig.admission.service_entry` and `telemetry` have as code.
IN_CODE = {
    '((has(self.operation) ? self.operation : "") == "UPSERT") ? (self.value != "") : true',
    '((has(self.operation) ? self.operation : "") == "REMOVE") ? !has(self.value) : true',
    "self.all(l1, self.exists_one(l2, l1.number == l2.number))",
    '!((has(self.addresses) ? self.addresses : []).exists(k, k.contains("/")) && '
    '!((has(self.resolution) ? self.resolution : "NONE") in ["STATIC", "NONE"]))',
    '((has(self.resolution) ? self.resolution : "NONE") == "NONE") ? !has(self.endpoints) : true',
    '((has(self.resolution) ? self.resolution : "") == "DNS_ROUND_ROBIN") ? '
    "((has(self.endpoints) ? self.endpoints : []).size() <= 1) : true",
    "has(self.address) || has(self.network)",
    '(has(self.address) ? self.address : "").startsWith("unix://") ? !has(self.ports) : true',
}


class Table:
    """The shapes that were met so far."""

    def __init__(self) -> None:
        self.shapes: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}

    def node(self, schema: Schema, path: str) -> dict[str, Any] | str:
        """A schema in the table's form: the name of a shape for an object with fields, otherwise the node itself."""
        if unknown := set(schema) - set(KEPT) - DROPPED:
            raise SystemExit(f"{path}: keywords that the table has no form for: {', '.join(sorted(unknown))}")
        found = {"type": schema["type"], **_format(schema, path)}
        found |= {name: schema[keyword] for keyword, name in KEPT.items() if keyword in schema}
        if "items" in schema:
            found["items"] = self.node(schema["items"], path)
        if isinstance(schema.get("additionalProperties"), Mapping):
            found |= {"type": "map", "values": self.node(schema["additionalProperties"], path)}
        if found["type"] != "object":
            return found
        del found["type"]
        found["fields"] = {
            name: self.node(part, f"{path}.{name}") for name, part in sorted(schema.get("properties", {}).items())
        }
        return self.named(found | _groups(schema, path), path)

    def named(self, shape: dict[str, Any], path: str) -> str:
        key = json.dumps(shape, sort_keys=True)
        name = self.names.setdefault(key, path)
        self.shapes[name] = shape
        return name


def _format(schema: Schema, path: str) -> dict[str, Any]:
    rules = [one["rule"] for one in schema.get("x-kubernetes-validations", ())]
    formats = {FORMAT_RULES[rule] for rule in rules if rule in FORMAT_RULES}
    if "format" in schema:
        formats.add(FORMATS[schema["format"]])
    if "pattern" in schema:
        formats.add(PATTERNS[schema["pattern"]])
    known = {*FORMAT_RULES, *EXCLUSIVE_RULES, *IN_CODE}
    if new := [rule for rule in rules if rule not in known]:
        raise SystemExit(f"{path}: rules that the table has no form for: {new}")
    found: dict[str, Any] = {"formats": sorted(formats - {""})} if formats - {""} else {}
    if schema.get("x-kubernetes-list-type") == "map":
        found["key"], *more = schema["x-kubernetes-list-map-keys"]
        assert not more, path
    return found


def _groups(schema: Schema, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "required" in schema:
        found["required"] = sorted(schema["required"])
    parts = [schema, *schema.get("allOf", ())]
    groups = [_one_of(part["oneOf"], path) for part in parts if "oneOf" in part]
    rules = [one["rule"] for one in schema.get("x-kubernetes-validations", ())]
    groups += [EXCLUSIVE_RULES[rule] for rule in rules if rule in EXCLUSIVE_RULES]
    if groups:
        found["oneOf"] = sorted(groups)
    return found


def _one_of(options: Iterable[Schema], path: str) -> list[str]:
    """The fields of a `oneOf` in the one form that Istio's CRDs have: none of them, or exactly one."""
    none, *one = options
    names = [name for option in one for name in option["required"]]
    assert none == {"not": {"anyOf": one}}, path
    return names


def table(crds: Iterable[Schema]) -> dict[str, Any]:
    """The table of the kinds that are checked."""
    made = Table()
    kinds = {}
    by_kind = {one["spec"]["names"]["kind"]: one for one in crds if one["spec"]["group"] in GROUPS}
    for kind in KINDS:
        crd = by_kind[kind]
        versions = {one["name"]: one["schema"]["openAPIV3Schema"] for one in crd["spec"]["versions"] if one["served"]}
        newest = versions["v1"]
        assert all(one == newest for one in versions.values()), f"{kind}: versions that differ"
        kinds[kind] = {
            "spec": made.node(newest["properties"]["spec"], kind),
            "versions": sorted(versions),
            "required": newest.get("required", []),
        }
    return {"kinds": kinds, "shapes": made.shapes}


def written(made: Mapping[str, Any]) -> str:
    """The table as JSON with one kind or shape a line, so that a change of Istio's shows as few lines."""
    parts = []
    for name, entries in made.items():
        lines = [f"{json.dumps(key)}: {json.dumps(value, sort_keys=True)}" for key, value in sorted(entries.items())]
        parts.append(json.dumps(name) + ": {\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def crds_in(documents: Iterable[Any]) -> list[Schema]:
    """The CustomResourceDefinitions of YAML documents, which may be a `kind: List` of them."""
    every = [one for document in documents if document for one in document.get("items", [document])]
    return [one for one in every if one.get("kind") == "CustomResourceDefinition"]


if __name__ == "__main__":
    with Path(sys.argv[1]).open(encoding="utf-8") as file:
        found = table(crds_in(yaml.safe_load_all(file)))
    TABLE.write_text(written(found), encoding="utf-8")
    print(f"{TABLE.name}: {len(found['shapes'])} shapes")
