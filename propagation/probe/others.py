"""Installed client libraries that this package has no module for: what it knows nothing of, it says."""

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, version
from typing import NamedTuple

from propagation.registry import REGISTRY

# Top-level modules. Written in C, C++, Rust or Go, with sockets of their own: no hook of Python's sees what they send.
_NATIVE = frozenset(
    "pycurl curl_cffi primp rnet pyreqwest tls_client hrequests zmq pynng pulsar proton uamqp pymqi".split()
)
# Of these, known for other reasons: they are carried, and all the same not seen.
NATIVE_CARRIED = frozenset({"grpc", "confluent_kafka"})
# Clients whose metadata does not say so.
_CLIENTS = frozenset(
    "Pyro5 aiomqtt asks geventhttpclient grpclib nsq paho purerpc rpyc stomp thrift thriftpy2 treq zerorpc".split()
)
# What the libraries of the registry are built on, and what is built on them.
_PARTS = frozenset("aiormq amqp httpcore httpcore2 httplib2 slack_sdk urllib3_future zeep".split())
_SAYS_CLIENT = re.compile(
    r"(?=.*\bclients?\b)(?=.*\b(https?|websockets?|grpc|rpc|amqp|mqtt|stomp|kafka|rabbitmq|nats|soap|(lib)?curl)\b)",
    re.IGNORECASE | re.DOTALL,
)


class Other(NamedTuple):
    """An installed client library that the registry has no entry for. native: its calls cannot be seen."""

    package: str
    version: str
    native: bool


def others() -> Iterator[Other]:
    """Those that are installed: known by name, or by what their metadata says that they are."""
    known = {entry.package for entry in REGISTRY.values()} | _PARTS
    installed = packages_distributions()
    for package in sorted(installed.keys() - known, key=str.lower):
        distribution = installed[package][0]
        if package in _NATIVE | _CLIENTS or _says_client(distribution):
            yield Other(package, _version(distribution), package in _NATIVE)


def native(packages: Iterable[str]) -> list[str]:
    """Those of these top-level modules whose calls cannot be seen."""
    return sorted((_NATIVE | NATIVE_CARRIED) & set(packages))


def _says_client(distribution: str) -> bool:
    try:
        summary = metadata(distribution)["Summary"]
    except (PackageNotFoundError, KeyError):
        return False
    return bool(_SAYS_CLIENT.match(summary or ""))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
