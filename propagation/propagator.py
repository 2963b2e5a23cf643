"""The fields as an OpenTelemetry propagator: OTEL_PROPAGATORS=tracecontext,baggage,remote_fields."""

from typing import Generic

from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from propagation import carriers, members
from propagation.attachment import current
from propagation.carriers import Found
from propagation.config import PropagationConfig, default_config
from propagation.context import State, config_of
from propagation.extract import read_into
from propagation.fields import HeaderNames
from propagation.inject import add_fields


class RemoteFieldsPropagator(TextMapPropagator):
    """Reads and writes the fields of `config` (default: the request's, else that of the environment).

    List it after `baggage`, so that it has the last word on the header that both write. A propagator never learns where
    a request goes: with `allowed_hosts` set it only reads, and the clients of this package write.
    """

    def __init__(self, config: PropagationConfig | None = None) -> None:
        if config is None:
            default_config()  # what is wrong with it is said at the start, and not by every request
        self._config = config

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """`context` with the fields that `carrier` brings, read as `propagation.extract` reads them."""
        context = current() if context is None else context
        config = config_of(context, self._config)
        return read_into(context, _read(carrier, getter, config.names_read), State(config))

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write the fields of `context` into `carrier`, in the manner of `propagation.inject`."""
        context = current() if context is None else context
        config = config_of(context, self._config)
        if config.allowed_hosts is None:
            add_fields(_SetterCarrier(carrier, setter), context, config)

    @property
    def fields(self) -> set[str]:
        """The headers that `inject` may set."""
        config = config_of(current(), self._config)
        names = {field.wire_names[0] for field in config.fields}
        return names if config.baggage == "off" else names | {members.HEADER}


def _read(carrier: CarrierT, getter: Getter[CarrierT], names: HeaderNames) -> Found:
    if getter is default_getter:
        return carriers.find(carrier, names)  # which knows names in any case; the default getter does not
    return {name: carriers.texts(values) for name in names if (values := getter.get(carrier, name))}


class _SetterCarrier(Generic[CarrierT]):
    """Headers written by OpenTelemetry's setter, and read where their shape is one that this package knows.

    Where it is not, what is there already is overwritten, as a setter does.
    """

    def __init__(self, carrier: CarrierT, setter: Setter[CarrierT]) -> None:
        self._carrier, self._setter = carrier, setter
        try:
            self._known: carriers.Carrier | None = carriers.carrier_for(carrier)
        except TypeError:
            self._known = None

    def find(self, names: HeaderNames) -> Found:
        return self._known.find(names) if self._known else {}

    def add(self, name: str, value: str) -> None:
        self._setter.set(self._carrier, name, value)

    def remove(self, name: str) -> None:
        if self._known:
            self._known.remove(name)
