"""Stacks as services have them: the headers that one sends, of those that it received.

`propagation` and OpenTelemetry's own propagator run as they are. The headers of Spring Cloud Sleuth 3.1 (B3,
`remote-fields=env`) and of Micrometer Tracing 1.3 (its OpenTelemetry bridge) are written as these send them.
"""

from typing import Any

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from meshconfig.model import Carries
from propagation import PropagationConfig, extract, inject

CONFIG = PropagationConfig()
STOCK = W3CBaggagePropagator()


def values(headers, name):
    return [value for key, value in headers if key == name]


def graylane(headers):
    sent: dict[str, str] = {}
    inject(sent, config=CONFIG, context=extract(headers, config=CONFIG, context=Context()))
    return tuple(sent.items())


def opentelemetry(headers):
    """Node and Go join several headers, Python reads the first; an entry leaves one at most."""
    sent: dict[str, str] = {}
    STOCK.inject(sent, STOCK.extract({key: values(headers, key)[0] for key, _ in headers}, Context()))
    return tuple(sent.items())


def sleuth(headers):
    return tuple(("env", value) for value in values(headers, "env")[:1])


def micrometer(headers):
    """What its OpenTelemetry bridge sends: the header, and a member whose metadata is encoded into its value."""
    read = dict(graylane(headers))
    if "env" not in read:
        return ()
    return (("env", read["env"]), ("baggage", f"env={read['env']};propagation%3Dunlimited"))


def bare(headers):
    """No stack at all."""
    return ()


# Stack → what a spec says of it in `carries`.
CARRIES: dict[Any, Carries] = {
    graylane: "both",
    micrometer: "both",
    sleuth: "header",
    opentelemetry: "baggage",
    bare: "none",
}
