"""`kind: RouteTest`: what becomes of requests, as cases that `graylane test` checks."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from meshconfig.spec.base import DnsLabel, HeaderName, Items, PortNumber, Strict, said
from meshconfig.spec.match import SLASH, Name

_METHOD = said(r"^[A-Za-z]+$", "an HTTP method, such as GET")
_URL = said(r"^https?://[^\s/]+(/\S*)?$", "the whole URL, such as https://shop.example.com/cart")
_HOP = said(r"^[^\s/]+(/[^\s/]+)?$", "SERVICE/VERSION, or SERVICE for any version")
_SHARE = said(r"^[^\s/]+(?:/[^\s/]+)?$", "a version, SERVICE/VERSION, or a status such as 503")


def _joined(value: Any) -> Any:
    """`cat / gray`, as `graylane explain` prints it, is `cat/gray`."""
    return re.sub(r"\s*/\s*", "/", value) if isinstance(value, str) else value


Hop = Annotated[str, BeforeValidator(_joined), StringConstraints(pattern=_HOP)]
HeaderValue = Annotated[str, StringConstraints(pattern=said(r"^[^\r\n\x00]*$", "the value of a header, on one line"))]


def _values(value: Any) -> Any:
    """A header that is sent once is written as a string, one that is sent more than once as a list."""
    return tuple(value) if isinstance(value, list) else (value,)


HeaderValues = Annotated[
    tuple[HeaderValue, ...],
    BeforeValidator(_values, json_schema_input_type=str | list[str]),
    Field(min_length=1),
]
Percent = Annotated[float, Field(ge=0, le=100, strict=False)]


def _percent(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("takes a number of percent from 0 to 100")
    return value


class TestedRequest(Strict):
    """The request of a case, as `graylane explain` takes it: `host` may be a URL; `from` is a sender in the mesh."""

    host: Name
    path: Annotated[str, StringConstraints(pattern=SLASH)] | None = None
    headers: dict[HeaderName, HeaderValues] = {}
    method: Annotated[str, StringConstraints(pattern=_METHOD, to_upper=True)] = "GET"
    source: Name | None = Field(default=None, alias="from")
    port: PortNumber | None = None
    scheme: Literal["http", "https"] | None = None
    gateway: Name | None = None

    @model_validator(mode="after")
    def _host_once(self) -> "TestedRequest":
        if "host" in self.headers:
            raise ValueError("headers takes no host: write it as the request's host")
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The headers as they are sent."""
        return tuple((name, value) for name, values in self.headers.items() for value in values)


class Expected(Strict):
    """What is expected of the answer; every part that is given must hold for every request of the case.

    `service` and `version` answer the request, `chain` does so along the services that call each other, and `shares`
    are the percentages of its versions. `status` and `redirect` are the proxy's own answer. `headers` reach the
    service; null: a header does not.
    """

    service: Name | None = None
    version: Name | None = None
    chain: Annotated[Items[Hop], Field(min_length=1)] | None = None
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    redirect: Annotated[str, StringConstraints(pattern=_URL)] | None = None
    shares: (
        Annotated[
            dict[
                Annotated[str, StringConstraints(pattern=_SHARE)],
                Annotated[Percent, BeforeValidator(_percent, json_schema_input_type=float)],
            ],
            Field(min_length=1),
        ]
        | None
    ) = None
    headers: dict[HeaderName, HeaderValue | None] = {}

    @model_validator(mode="after")
    def _says_something(self) -> "Expected":
        if not any(getattr(self, name) is not None and getattr(self, name) != {} for name in self.model_fields_set):
            raise ValueError("takes at least one of service, version, chain, status, redirect, shares, headers")
        return self

    @model_validator(mode="after")
    def _agrees(self) -> "Expected":
        if self.shares is not None:
            if self.version is not None or self.chain is not None:
                raise ValueError(f"takes one of shares and {'version' if self.version is not None else 'chain'}")
            if self.redirect is not None or self.status is not None:
                raise ValueError("takes one of shares and status; a status is a key of shares too")
            if abs(sum(self.shares.values()) - 100) > 0.1:
                raise ValueError(f"the shares sum to {sum(self.shares.values()):g} and not to 100 percent")
        if self.redirect is not None:
            answering = [name for name in ("service", "version", "chain", "headers") if getattr(self, name)]
            if answering:
                raise ValueError(f"a proxy that redirects sends nothing on: takes one of redirect and {answering[0]}")
            if self.status is not None and not 300 <= self.status < 400:
                raise ValueError(f"a redirect has a status from 300 to 399, not {self.status}")
        if self.chain is not None:
            service, _, version = self.chain[0].partition("/")
            if self.service not in (None, service) or (self.version and version and self.version != version):
                raise ValueError("the chain begins with another service or version than service and version say")
        return self


class Case(Strict):
    """One request and what is expected of it."""

    name: Annotated[str, StringConstraints(pattern=said(r"^[^\r\n]*\S[^\r\n]*$", "a name on one line"))]
    request: TestedRequest
    expect: Expected


class RouteTestMeta(Strict):
    """The name of the tests, for reports, and the namespace of short names in them."""

    name: DnsLabel | None = None
    namespace: DnsLabel | None = None


class RouteTestSpec(Strict):
    """The cases."""

    cases: Annotated[Items[Case], Field(min_length=1)]


class RouteTest(Strict):
    """Tests of routing: requests, and what becomes of them."""

    api_version: Literal["graylane.dev/v1", "graylane/v1"]
    kind: Literal["RouteTest"]
    metadata: RouteTestMeta = RouteTestMeta()
    spec: RouteTestSpec
