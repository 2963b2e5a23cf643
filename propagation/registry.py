"""Which libraries this package knows. A line here names a module of ours; that module describes its library.

A new library is two places: its module, with a `DESCRIPTOR` and a function `install(config)`, and its line in REGISTRY.
`instrument`, the doctor and the table in the docs read both. No library and no module of ours is loaded before one of
its functions is needed.
"""

import sys
from collections.abc import Callable
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple


class Carried(Enum):
    """How a library comes to carry the fields."""

    ITSELF = "by itself"
    INSTRUMENT = "by instrument()"
    RECIPE = "by a recipe"
    NOT = "not at all"


class Library(NamedTuple):
    """A line of the registry: what is known of a library without loading it.

    package: the top-level module whose presence says that the library is installed. module: ours for it. default:
    whether `instrument()` without names takes it; else it must be asked for by name. background: whether the library
    carries nothing, and starts work that outlives requests.
    """

    package: str
    module: str
    default: bool = True
    background: bool = False


class Descriptor(NamedTuple):
    """What a module of ours says about its library, as its constant `DESCRIPTOR`.

    distribution: the library's name on PyPI; None for the standard library. sends: how requests and messages that go
    out get the fields; None where the library sends nothing. receives: how the work on what comes in gets them; None
    where nothing comes in. explicit: full names of our objects for use without `instrument`. probe: sends one GET
    request to a URL by the library alone, for the doctor, which looks at what arrives; None for a library that speaks
    no plain HTTP.
    """

    distribution: str | None
    sends: Carried | None = None
    receives: Carried | None = None
    explicit: tuple[str, ...] = ()
    probe: Callable[[str], None] | None = None


REGISTRY = {
    "httpx": Library("httpx", "propagation.clients.httpx"),
    "httpx2": Library("httpx2", "propagation.clients.httpx2"),
    "requests": Library("requests", "propagation.clients.requests"),
    "urllib3": Library("urllib3", "propagation.clients.urllib3"),
    "aiohttp": Library("aiohttp", "propagation.clients.aiohttp"),
    "niquests": Library("niquests", "propagation.clients.niquests"),
    "http_client": Library("http", "propagation.clients.http_client"),
    "tornado": Library("tornado", "propagation.clients.tornado"),
    "websockets": Library("websockets", "propagation.clients.websockets"),
    "grpc": Library("grpc", "propagation.clients.grpc"),
    "celery": Library("celery", "propagation.messaging.celery"),
    "confluent_kafka": Library("confluent_kafka", "propagation.messaging.confluent_kafka"),
    "aiokafka": Library("aiokafka", "propagation.messaging.aiokafka"),
    "kafka": Library("kafka", "propagation.messaging.kafka_python"),
    "kombu": Library("kombu", "propagation.messaging.kombu"),
    "pika": Library("pika", "propagation.messaging.pika"),
    "aio_pika": Library("aio_pika", "propagation.messaging.aio_pika"),
    "nats": Library("nats", "propagation.messaging.nats"),
    "faststream": Library("faststream", "propagation.messaging.faststream"),
    "rq": Library("rq", "propagation.messaging.rq"),
    "dramatiq": Library("dramatiq", "propagation.messaging.dramatiq"),
    "huey": Library("huey", "propagation.messaging.huey"),
    "arq": Library("arq", "propagation.messaging.arq"),
    "taskiq": Library("taskiq", "propagation.messaging.taskiq"),
    "apscheduler": Library("apscheduler", "propagation.background.apscheduler", background=True),
    "aiojobs": Library("aiojobs", "propagation.background.aiojobs", background=True),
    "grpc_server": Library("grpc", "propagation.servers.grpc", default=False),
    "aiohttp_server": Library("aiohttp", "propagation.servers.aiohttp", default=False),
    "tornado_server": Library("tornado", "propagation.servers.tornado", default=False),
    "threading": Library("threading", "propagation.executors", default=False),
    "logging": Library("logging", "propagation.logs", default=False),
}


def is_installed(name: str) -> bool:
    """Whether the library of this entry of the registry can be imported; it is not."""
    package = REGISTRY[name].package
    if package in sys.modules:  # of a loaded one, `find_spec` fails where it has put another object in its place: kombu
        return sys.modules[package] is not None
    return find_spec(package) is not None


def module_of(name: str) -> Any:
    """Our module for this entry. Raises ImportError where its library cannot be imported."""
    return import_module(REGISTRY[name].module)


def descriptor(name: str) -> Descriptor:
    """What our module says about the library of this entry. Raises as `module_of` does."""
    found: Descriptor = module_of(name).DESCRIPTOR
    return found
