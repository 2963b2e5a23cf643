"""How a spec selects requests: the `match` of a rule or an admit, and the `path` of a route."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from meshconfig.spec.base import HeaderName, Strict, said

MAX_REGEX = 1024  # bytes; Istio refuses longer ones
PATH = said("^/[^?#]*$", "a path that begins with /, without ? and #")  # the field `query` matches the query
METHOD = said("^[A-Z]+$", "an HTTP method in capitals, such as GET")
SLASH = said("^/", "a path that begins with /")


class StringMatch(Strict):
    """Exactly one of `exact`, `prefix`, `regex` (RE2, the whole value) and `present`; a bare string is exact."""

    exact: str | None = None
    prefix: str | None = Field(default=None, min_length=1)
    regex: str | None = Field(default=None, min_length=1, max_length=MAX_REGEX)
    present: bool | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "StringMatch":
        if len(self.model_fields_set) != 1:
            raise ValueError("takes exactly one of exact, prefix, regex, present")
        if self.present is False:
            raise ValueError("present takes true; a match on absence is not part of the spec")
        return self

    @model_validator(mode="after")
    def _is_re2(self) -> "StringMatch":
        check_regex(self.regex)
        return self


class PathMatch(Strict):
    """Exactly one of `exact`, `prefix` and `regex` (RE2, the whole path); a bare string is exact."""

    exact: str | None = Field(default=None, pattern=PATH)
    prefix: str | None = Field(default=None, pattern=PATH)
    regex: str | None = Field(default=None, min_length=1, max_length=MAX_REGEX)

    @model_validator(mode="after")
    def _exactly_one(self) -> "PathMatch":
        if len(self.model_fields_set) != 1:
            raise ValueError("takes exactly one of exact, prefix, regex")
        check_regex(self.regex)
        return self


def check_regex(regex: str | None) -> None:
    """Checks that Envoy accepts a regular expression.

    Raises:
        ValueError: RE2 refuses it, which has no look-around and no back references; or it is longer than Istio takes.
    """
    if regex is None:
        return
    if is_too_long(regex):
        raise ValueError(f"takes a regular expression of at most {MAX_REGEX} bytes")
    import re2  # few specs have a regular expression

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(regex, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        shown = reason.decode() if isinstance(reason, bytes) else reason
        raise ValueError(f"not a regular expression that Envoy (RE2) takes: {shown}") from None


def is_too_long(regex: str) -> bool:
    """Whether Istio refuses a regular expression for its length, which it counts in bytes."""
    return len(regex.encode()) > MAX_REGEX


def _exact(value: Any) -> Any:
    return {"exact": value} if isinstance(value, str) else value


Name = Annotated[str, StringConstraints(min_length=1)]  # for one empty name, Envoy refuses the whole route table
AnyString = Annotated[StringMatch, BeforeValidator(_exact, json_schema_input_type=str | StringMatch)]
AnyPath = Annotated[PathMatch, BeforeValidator(_exact, json_schema_input_type=str | PathMatch)]


class Match(Strict):
    """A match on requests; all given conditions must hold. `path: {prefix: /}` matches every request."""

    headers: dict[HeaderName, AnyString] = {}
    cookies: dict[Name, AnyString] = {}
    query: dict[Name, AnyString] = {}
    path: AnyPath | None = None
    method: str | None = Field(default=None, pattern=METHOD)

    @model_validator(mode="after")
    def _not_empty(self) -> "Match":
        if not any(getattr(self, name) for name in self.model_fields_set):
            raise ValueError("takes at least one of headers, cookies, query, path, method")
        return self


class EntryMatch(Match):
    """A match at an entry; it may also have conditions on claims of the JWT that Istio has verified there."""

    claims: dict[Name, AnyString] = {}
