"""Sends log records by OTLP, as a proxy or a collector does."""

import gzip
from collections.abc import Iterable, Mapping

import grpc
import urllib3
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource


def message(records: Iterable[Mapping[str, str]], **resource: str) -> ExportLogsServiceRequest:
    """A message with these records; `time` of a record is in seconds."""
    logs = [
        LogRecord(
            time_unix_nano=int(float(one.get("time", "1")) * 1e9),
            attributes=[pair(name, value) for name, value in one.items() if name != "time"],
        )
        for one in records
    ]
    where = Resource(attributes=[pair(name, value) for name, value in resource.items()])
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=where, scope_logs=[ScopeLogs(log_records=logs)])]
    )


def pair(name: str, value: str | int | float | bool) -> KeyValue:
    match value:
        case bool():
            return KeyValue(key=name, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=name, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=name, value=AnyValue(double_value=value))
    return KeyValue(key=name, value=AnyValue(string_value=value))


def by_grpc(address: str, sent: ExportLogsServiceRequest, *, zipped: bool = False) -> str:
    """The status' name."""
    compression = grpc.Compression.Gzip if zipped else grpc.Compression.NoCompression
    with grpc.insecure_channel(address, compression=compression) as channel:
        try:
            LogsServiceStub(channel).Export(sent, timeout=20)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def by_http(
    address: str, body: bytes, *, path: str = "/v1/logs", headers: Mapping[str, str] | None = None, zipped: bool = False
) -> tuple[int, bytes, Mapping[str, str]]:
    """The status, the body and the headers of the answer."""
    given = {
        "content-type": "application/x-protobuf",
        **({"content-encoding": "gzip"} if zipped else {}),
        **(headers or {}),
    }
    with urllib3.PoolManager(retries=False) as pool:
        data = gzip.compress(body) if zipped else body
        answer = pool.request("POST", f"http://{address}{path}", body=data, headers=given, timeout=20)
        return answer.status, answer.data, answer.headers
