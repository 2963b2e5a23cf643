"""Receives log records by OTLP, over gRPC and over HTTP with protobuf, within bounds of memory.

Source: OpenTelemetry, "OTLP Specification" 1.x; `opentelemetry-proto` has its messages.
What is heavy (grpc, protobuf) is imported by the modules that need it, when they are.
"""

from meshconfig.otlp.intake import Intake, LogRecord
from meshconfig.otlp.listen import Listen, listening

__all__ = ["Intake", "Listen", "LogRecord", "listening"]
