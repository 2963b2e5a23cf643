"""What is propagated, under which names, and to whom: one frozen value, checked when it is built."""

import os
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Literal, Self, get_args

from propagation import environment, signatures
from propagation.errors import ConfigError, nearest
from propagation.fields import BAGGAGE, HeaderNames, RemoteField, is_token
from propagation.hosts import HostRule

Baggage = Literal["passthrough", "declared", "off"]
# Headers with a meaning of their own: a field of such a name would overwrite them. A test holds that specs of graylane,
# whose package shares no code with this one, refuse the same ones for the tag.
RESERVED = frozenset(
    "authorization baggage connection content-encoding content-length content-type cookie expect host http2-settings "
    "keep-alive proxy-authenticate proxy-authorization proxy-connection set-cookie te traceparent tracestate trailer "
    "transfer-encoding upgrade www-authenticate x-graylane-trail".split()
)


@dataclass(frozen=True)
class PropagationConfig:
    """What travels with a request.

    remote_fields: carried from process to process, each as a header of its own and as a member of W3C `baggage`. The
        tag, whose values are LANE[.GENERATION], is the field `env`, or the first where no field has that name.
    local_fields: carried within the process alone.
    tag_fields, correlation_fields: those of both kinds that become span attributes, and that appear in log records.
    key_names: a field's header names; the first is written, all are read, in this order. Default: its own name.
    allowed_values: the values a field takes, of the tag its lanes. Default: [A-Za-z0-9._-]{1,64}.
    allowed_hosts: where the fields may go: host names, `.suffix`, addresses and CIDR networks. None: everywhere.
    baggage: what leaves in the `baggage` header: "passthrough" all of OpenTelemetry's baggage, what came in byte for
        byte; "declared" our fields alone; "off" the header is neither read nor written.
    trust_inbound: False at an edge: fields and `baggage` that come in are dropped.
    origin: a field's value for work that no request started.
    echo: whether servers repeat the request's fields as response headers.
    trail: whether servers answer tagged requests with the versions that answered their calls, as response headers
        `x-graylane-trail`, which the clients of this package collect.

    Raises ConfigError, naming the option and the field, where two fields share a header, a name is not declared, or a
    value could not be sent.
    """

    remote_fields: tuple[str, ...] = ("env",)
    local_fields: tuple[str, ...] = ()
    tag_fields: tuple[str, ...] = ()
    correlation_fields: tuple[str, ...] = ()
    key_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    allowed_values: Mapping[str, AbstractSet[str]] | None = None
    allowed_hosts: tuple[str, ...] | None = None
    baggage: Baggage = "passthrough"
    trust_inbound: bool = True
    origin: Mapping[str, str | None] = field(default_factory=dict)
    echo: bool = False
    trail: bool = False

    def __post_init__(self) -> None:
        self._freeze()
        self._check_names()
        self._check_wire_names()
        self._check_values()
        self.allows(None)  # builds the rule, so that a bad pattern fails here
        self._check_choices()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The config that PROPAGATION_REMOTE_FIELDS and its like describe; `environ` defaults to os.environ.

        Raises ConfigError, naming the variable.
        """
        found: dict[str, Any] = environment.options(os.environ if environ is None else environ)
        try:
            return cls(**found)
        except ConfigError as error:
            raise ConfigError(environment.named(str(error))) from None

    @cached_property
    def fields(self) -> tuple[RemoteField, ...]:
        """The remote fields with their wire names, in the order in which they are declared."""
        allowed: Mapping[str, AbstractSet[str]] = self.allowed_values or {}
        return tuple(
            RemoteField(name, self.key_names[name], allowed.get(name), name == self.tag) for name in self.remote_fields
        )

    @cached_property
    def by_name(self) -> dict[str, RemoteField]:
        """The remote fields by name."""
        return {one.name: one for one in self.fields}

    @cached_property
    def wire_names(self) -> frozenset[str]:
        """Every header that a field is read from or written to, in lower case."""
        return frozenset(name for names in self.key_names.values() for name in names)

    @cached_property
    def names_read(self) -> HeaderNames:
        """The headers that reading a request looks at."""
        return HeaderNames(self.wire_names if self.baggage == "off" else self.wire_names | {BAGGAGE})

    @cached_property
    def names_written(self) -> HeaderNames:
        """The headers that writing a request looks at: what it may change, and what may forbid it to."""
        return HeaderNames(self.wire_names | {BAGGAGE} | signatures.HEADERS)

    @cached_property
    def tag(self) -> str | None:
        """The remote field whose values are LANE[.GENERATION]."""
        return "env" if "env" in self.remote_fields else next(iter(self.remote_fields), None)

    @cached_property
    def has_origin(self) -> bool:
        """Whether work that no request started has a value."""
        return any(self.origin.values())

    @cached_property
    def _hosts(self) -> HostRule | None:
        return None if self.allowed_hosts is None else HostRule(self.allowed_hosts)

    def allows(self, host: str | None) -> bool:
        """Whether the fields may be sent to `host` (a name or an address, without port)."""
        return self._hosts is None or self._hosts.allows(host)

    def _freeze(self) -> None:
        for option in ("remote_fields", "local_fields", "tag_fields", "correlation_fields", "allowed_hosts"):
            if (names := getattr(self, option)) is not None:
                object.__setattr__(self, option, _names(option, names))
        wire: dict[str, tuple[str, ...]] = {name: (name.lower(),) for name in self.remote_fields}
        wire |= {name: tuple(key.lower() for key in _names("key_names", keys)) for name, keys in self.key_names.items()}
        object.__setattr__(self, "key_names", wire)
        object.__setattr__(self, "origin", dict.fromkeys(self.remote_fields) | dict(self.origin))
        if self.allowed_values is not None:
            allowed = {
                name: frozenset(_names("allowed_values", values)) for name, values in self.allowed_values.items()
            }
            object.__setattr__(self, "allowed_values", allowed)

    def _check_names(self) -> None:
        declared = (*self.remote_fields, *self.local_fields)
        for name in declared:
            if not is_token(name):
                raise ConfigError(f"remote_fields: {name!r} cannot be a header's name")
        if twice := next((name for name in declared if declared.count(name) > 1), None):
            raise ConfigError(f"remote_fields, local_fields: {twice!r} is declared twice")
        for option, among in (
            ("tag_fields", declared),
            ("correlation_fields", declared),
            ("key_names", self.remote_fields),
            ("allowed_values", self.remote_fields),
            ("origin", self.remote_fields),
        ):
            _check_declared(option, getattr(self, option) or (), among)

    def _check_wire_names(self) -> None:
        owner: dict[str, str] = {}
        for name, keys in self.key_names.items():
            if not keys:
                raise ConfigError(f"key_names: {name!r} has no header")
            for key in keys:
                if not is_token(key) or key in RESERVED:
                    raise ConfigError(f"key_names: {name!r} cannot be carried by the header {key!r}")
                if owner.setdefault(key, name) != name or keys.count(key) > 1:
                    raise ConfigError(f"key_names: {owner[key]!r} and {name!r} both use the header {key!r}")

    def _check_choices(self) -> None:
        if self.baggage not in get_args(Baggage):
            near = nearest(str(self.baggage), get_args(Baggage))
            hint = f"; did you mean {near!r}?" if near else f"; there are {', '.join(get_args(Baggage))}"
            raise ConfigError(f"baggage: {self.baggage!r} is not known{hint}")
        for option in ("trust_inbound", "echo", "trail"):
            if not isinstance(getattr(self, option), bool):  # a string such as "no" would count as true
                raise ConfigError(f"{option}: {getattr(self, option)!r} is neither True nor False")

    def _check_values(self) -> None:
        for one in self.fields:
            grammar = RemoteField(one.name, one.wire_names, is_tag=one.is_tag)
            for value in one.allowed or ():
                if grammar.objection(value) or one.read(value) != value:
                    raise ConfigError(f"allowed_values: {one.name!r} cannot be {value!r}")
            first = self.origin[one.name]
            if first is not None and one.objection(first):
                raise ConfigError(f"origin: {one.name!r} cannot be {first!r}")


def _names(option: str, names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ConfigError(f"{option}: give a tuple of names, not the string {names!r}")
    return tuple(names)


def _check_declared(option: str, names: Iterable[str], declared: tuple[str, ...]) -> None:
    for name in names:
        if name not in declared:
            near = nearest(name, declared)
            hint = f"; did you mean {near!r}?" if near else f"; declared are {', '.join(declared) or 'none'}"
            raise ConfigError(f"{option}: {name!r} is not declared{hint}")


@cache
def default_config() -> PropagationConfig:
    """The process's own config, read from the environment when it is first needed."""
    return PropagationConfig.from_env()
