"""The tag fields of a context, for a span."""

from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span

from propagation.config import PropagationConfig
from propagation.context import config_of, get


def tag(span: Span, context: Context, config: PropagationConfig | None = None) -> None:
    """Set the tag fields that have a value in `context` as attributes of `span`, under their own names."""
    for name in config_of(context, config).tag_fields:
        if (value := get(name, context)) is not None:
            span.set_attribute(name, value)


def tag_current_span(context: Context) -> None:
    """Tag the span that is current in `context`, such as that of an instrumentation further out."""
    tag(get_current_span(context), context)
