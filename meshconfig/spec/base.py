"""What all documents of a spec share: strict, frozen models, and errors as `file:line: path: message`."""

import re
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from meshconfig.errors import WANTED, InputError, Location, Problem, dotted, nearest, shown

API_VERSION = "graylane.dev/v1"  # what graylane writes; the API group of its kinds in a cluster
EARLIER = "graylane/v1"


class Strict(BaseModel):
    """A mapping in a spec: no unknown fields, no silent conversions, field names in camelCase as in Kubernetes."""

    # `defer_build`: pydantic builds a validator at its first use. The one of LaneGroup contains those of its parts.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel, defer_build=True)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


T = TypeVar("T")
# YAML has lists; the frozen models keep tuples.
Items = Annotated[tuple[T, ...], BeforeValidator(_tuple)]

_WORDS: dict[str, str] = {}  # pattern → what it allows


def said(pattern: str, words: str) -> str:
    """Notes what a pattern allows, for the error of a value that does not match it.

    Parameters:
        words: completes "is not allowed here: takes …".

    Returns:
        The pattern.
    """
    assert _WORDS.setdefault(pattern, words) == words, f"{pattern} is said in other words: write one of the two anew"
    return pattern


def words_of(pattern: str) -> str | None:
    """What a pattern allows, if somebody has noted it."""
    return _WORDS.get(pattern)


LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DnsLabel = Annotated[str, StringConstraints(pattern=LABEL)]
_HEADER = said(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "the name of a header, such as x-lane, without a space or colon")
HeaderName = Annotated[str, StringConstraints(pattern=_HEADER, to_lower=True)]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
_WORKLOAD = said(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "the name of a Deployment: lower-case letters, digits, - and .")
WorkloadName = Annotated[str, StringConstraints(pattern=_WORKLOAD, max_length=253)]
# Kubernetes, "Labels and Selectors": the API server refuses others.
_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = said(
    rf"^([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL_NAME}$",
    "the key of a label, such as version or example.com/version: letters, digits, -, _ and ., at most 63",
)
LabelKey = Annotated[str, StringConstraints(pattern=_KEY)]
_VALUE = said(rf"^({_LABEL_NAME})?$", "the value of a label: letters, digits, -, _ and . between them, at most 63")
LabelValue = Annotated[str, StringConstraints(pattern=_VALUE)]
Labels = dict[LabelKey, LabelValue]


@dataclass(frozen=True)
class CheckedBy:
    """Annotates a field whose mapping is checked by a model; the field keeps the given part of it, as plain values.

    The model is imported when a spec has the field. Most models of a group are those of Istio's policies, and few specs
    have a policy.

    Parameters:
        target: `MODULE:MODEL`.
    """

    target: str

    @property
    def model(self) -> type[BaseModel]:
        module, _, name = self.target.partition(":")
        found: type[BaseModel] = getattr(import_module(module), name)
        return found

    def _given(self, value: Any) -> dict[str, Any]:
        # pydantic adds the path of the annotated field to the errors that this raises.
        return self.model.model_validate(value).model_dump(mode="json", by_alias=True, exclude_unset=True)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._given)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        self.model.model_rebuild()
        return handler(self.model.__pydantic_core_schema__)


M = TypeVar("M", bound=BaseModel)
Locate = Callable[[Sequence[str | int]], Location]


def validate(model: type[M], value: Any, locate: Locate) -> M:
    """Reads a document's value as a model.

    Parameters:
        model: the class of the document.
        value: the dicts, lists and scalars that YAML gave.
        locate: returns the file and line of a field, by the field's path.

    Raises:
        InputError: lists every wrong field with its file, line and path, and for an unknown name the nearest valid one.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        mistyped = {_meant(model, details) for details in found if details["type"] == "extra_forbidden"}
        problems = [
            _problem(model, one, locate) for one in found if one["type"] != "missing" or one["loc"] not in mistyped
        ]
        raise InputError(sorted(problems)) from None


def _meant(model: type[BaseModel], details: ErrorDetails) -> tuple[str | int, ...]:
    """The path of the field that an unknown one probably misspells. That field is then not also reported as missing."""
    *parents, name = details["loc"]
    return (*parents, *get_close_matches(str(name), _fields_at(model, parents), n=1))


def _problem(model: type[BaseModel], details: ErrorDetails, locate: Locate) -> Problem:
    path = [part for part in details["loc"] if part != "[key]"]
    return Problem(locate(path), dotted(path), _message(model, path, details))


def _message(model: type[BaseModel], path: Sequence[str | int], details: ErrorDetails) -> str:
    given = details["input"]
    match details["type"]:
        case "extra_forbidden":
            return f"unknown field{nearest(str(path[-1]), _fields_at(model, path[:-1]))}"
        case "missing":
            return "this field is required"
        case "string_pattern_mismatch" if details["ctx"]["pattern"] == LABEL:
            words = "lower-case letters, digits and -, at most 63 characters"
            return f"{given!r} is not a DNS label: {words}{_corrected(given, LABEL)}"
        case "string_pattern_mismatch":
            pattern = details["ctx"]["pattern"]
            words = words_of(pattern) or f"what matches {pattern}"
            return f"{given!r} is not allowed here: takes {words}{_corrected(given, pattern)}"
        case "string_type":
            return f"takes a string, not {shown(given)}{_quote_hint(given)}"
        case (
            "int_type"
            | "int_from_float"
            | "bool_type"
            | "dict_type"
            | "tuple_type"
            | "model_type"
            | "model_attributes_type"
        ):
            return f"takes {WANTED[details['type']]}, not {shown(given)}"
        case "literal_error":
            return f"takes {details['ctx']['expected']}, not {shown(given)}"
        case "value_error":
            return str(details["ctx"]["error"])
        case _:
            return f"{details['msg'].removeprefix('Input ')} (given: {shown(given)})"


def _corrected(given: str, pattern: str) -> str:
    """What the user probably meant, if one of the usual slips makes all the difference."""
    host = given.partition("://")[2].partition("/")[0].partition(":")[0]
    bare = given.strip().removesuffix(":").removesuffix("/")
    dashed = re.sub(r"[\s_]+" if re.search(pattern, "a.b") else r"[\s_.]+", "-", bare)
    tried: tuple[str, ...] = (host, given.partition(":")[0], bare, f"/{given}", given.partition("?")[0], given.upper())
    tried = (*tried, given.lower(), dashed, dashed.lower())
    found = next((one for one in tried if one and one != given and re.search(pattern, one)), None)
    return f"; write {found}" if found else ""


def _quote_hint(value: Any) -> str:
    return "; quote it" if isinstance(value, bool | int | float) else ""


def _fields_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The field names, in camelCase, of the model at a path below `model`."""
    here: Any = model
    for part in path:
        here = _below(here, part)
    return [info.alias or name for name, info in here.model_fields.items()] if _is_model(here) else []


def _below(annotation: Any, part: str | int) -> Any:
    if _is_model(annotation):
        for name, info in annotation.model_fields.items():
            if part in (info.alias, name):
                checked = next((one.model for one in info.metadata if isinstance(one, CheckedBy)), None)
                return checked or _plain(info.annotation)
        return None
    inner = [_plain(one) for one in get_args(annotation) if one is not Ellipsis]
    return inner[-1] if inner else None


def _plain(annotation: Any) -> Any:
    """An annotation without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next((_plain(one) for one in get_args(annotation) if one is not type(None)), None)
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
