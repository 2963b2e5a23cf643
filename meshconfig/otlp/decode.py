"""Reads an OTLP message of logs, which anybody on the network may have sent."""

from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from meshconfig.otlp.intake import LogRecord

LONGEST = 8192  # characters of an attribute's value
ACCEPTED: bytes = ExportLogsServiceResponse().SerializeToString()
_NANO = 1e-9


def decode(message: bytes) -> list[LogRecord]:
    """The records of an ExportLogsServiceRequest.

    Raises:
        ValueError: the bytes are no such message.
    """
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(message)
    except DecodeError:
        raise ValueError("not an ExportLogsServiceRequest of OTLP") from None
    return list(_records(request))


def _records(request: ExportLogsServiceRequest) -> Iterator[LogRecord]:
    for resource in request.resource_logs:
        shared = dict(_attributes(resource.resource.attributes))
        for scope in resource.scope_logs:
            for record in scope.log_records:
                at = record.time_unix_nano or record.observed_time_unix_nano
                yield LogRecord(at * _NANO, {**shared, **dict(_attributes(record.attributes))})


def _attributes(given: Iterable[KeyValue]) -> Iterator[tuple[str, str]]:
    for one in given:
        if (text := _text(one.value)) is not None:
            yield one.key, text[:LONGEST]


def _text(value: AnyValue) -> str | None:
    """A simple value as text; None for a list, a map or bytes."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return f"{value.double_value:g}"
        case "bool_value":
            return str(value.bool_value).lower()
    return None
