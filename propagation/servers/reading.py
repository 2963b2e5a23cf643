"""What servers with a framework of their own share: from a request to its context, and what its answer gets."""

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.context import Context

from propagation.attachment import current
from propagation.config import PropagationConfig, default_config
from propagation.context import STATE_KEY, State, forgetting, outgoing, shown_trail
from propagation.extract import read_request
from propagation.trail import HEADER, with_own


class Reader:
    """Reads requests by one config; default, that of the environment. A request keeps who read it first."""

    def __init__(self, config: PropagationConfig | None) -> None:
        self.config = default_config() if config is None else config
        self.names = self.config.names_read
        self.answers = self.config.echo or self.config.trail
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
        around = current()
        # A server's connections begin in the context of whoever started it: of no request, but perhaps of a `use`.
        stale = STATE_KEY in around
        if not (found or stale or self._always):
            return None
        return read_request(forgetting(around) if stale else around, found, self._fresh)

    def answer(self, context: Context, headers: Any, own: Sequence[str]) -> None:
        """Add to the headers of an answer what the config says: the fields, and the trail as it is now.

        headers: with a method `add`. own: the trail that the app itself has written there.
        """
        if self.config.echo:
            for field in self.config.fields:
                if value := outgoing(field.name, context, self.config):
                    headers.add(field.wire_names[0], value)
        trail = shown_trail(context, self.config)
        if trail is not None and (hops := trail.hops()):
            if own:
                del headers[HEADER]
            for hop in with_own(hops, own):
                headers.add(HEADER, hop)
