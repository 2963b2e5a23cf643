"""What servers with a framework of their own share: from a request's headers to the context of its work."""

from collections.abc import Callable, Sequence

from opentelemetry.context import Context, get_current

from propagation.config import PropagationConfig, default_config
from propagation.context import STATE_KEY, State, forgetting, outgoing
from propagation.extract import read_request


class Reader:
    """Reads requests by one config; default, that of the environment. A request keeps who read it first."""

    def __init__(self, config: PropagationConfig | None) -> None:
        self.config = default_config() if config is None else config
        self.names = self.config.names_read
        self._fresh = State(self.config)
        # A request without fields needs a context of its own only where having none would mean something else.
        self._always = self.config.has_origin or not self.config.trust_inbound or self.config != default_config()

    def has_read(self, first: "Reader | None") -> bool:
        """Whether `first`, who read the request, did so by the same config."""
        return first is not None and first.config == self.config

    def read(self, values: Callable[[str], Sequence[str]]) -> Context | None:
        """The context for the work of one request; None where it can have the current one.

        values: all values of a header that the request has, by its name in lower case.
        """
        found = {name: list(sent) for name in self.names if (sent := values(name))}
        current = get_current()
        # A server's connections begin in the context of whoever started it: of no request, but perhaps of a `use`.
        stale = STATE_KEY in current
        if not (found or stale or self._always):
            return None
        return read_request(forgetting(current) if stale else current, found, self._fresh)

    def echoed(self, context: Context) -> list[tuple[str, str]]:
        """The headers that repeat the request's fields, for the answer."""
        fields = [(one.wire_names[0], outgoing(one.name, context, self.config)) for one in self.config.fields]
        return [(name, value) for name, value in fields if value]
