"""Tag fields as span attributes. Needs opentelemetry-sdk, and is loaded only when asked for."""

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from propagation.attachment import current
from propagation.config import PropagationConfig
from propagation.tags import tag


class TagFieldsSpanProcessor(SpanProcessor):
    """For `tracer_provider.add_span_processor(TagFieldsSpanProcessor())`: each span gets the tag fields when it starts.

    A server's span that began before the request was read gets them when it is read.
    config: default, that of the request at hand, else that of the environment.
    """

    def __init__(self, config: PropagationConfig | None = None) -> None:
        self._config = config

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """As OpenTelemetry's SDK asks of a processor."""
        tag(span, current() if parent_context is None else parent_context, self._config)
