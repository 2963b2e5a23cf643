"""One call of one client: what goes into its headers, by the host that this very hop goes to.

Clients follow redirects and try again by themselves, mostly with the headers of the hop before. So each client hands in
headers that are this hop's alone, and nothing of one hop is left for the next.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from opentelemetry.context import Context

from propagation.attachment import current
from propagation.carriers import Carrier, carrier_for
from propagation.config import PropagationConfig
from propagation.context import Block, State, config_of, trail_of, use, without_fields
from propagation.inject import add_fields, remove_fields
from propagation.trail import Trail

R = TypeVar("R")
_AS_IT_IS: AbstractContextManager[Trail | None] = nullcontext()


def prepare(
    headers: Any, hosts: Iterable[str | None], config: PropagationConfig | None, url: str | bytes = ""
) -> AbstractContextManager[Trail | None]:
    """Write the fields into `headers`, or take them out where one of `hosts` may not have them.

    hosts: all that will read the headers, None for one that is not known. url: where they go, or its query alone, since
    a URL can hold a signature of headers; those are left as they are. Gives the context to send in: without the fields
    where they may not be sent, since OpenTelemetry's instrumentation may stand further in, and would write them. `with`
    it comes the trail that the answer is to be added to, None where nobody asks or the host is a stranger.
    """
    context = current()
    config = config_of(context, config)
    allowed = config.allowed_hosts is None or all(map(config.allows, hosts))
    return written(carrier_for(headers), allowed, context, config, url)


def written(
    carrier: Carrier, allowed: bool, context: Context, config: PropagationConfig, url: str | bytes
) -> AbstractContextManager[Trail | None]:
    """As `prepare`, for a client that knows already what holds: whether all hosts may have the fields of `context`."""
    if allowed:
        add_fields(carrier, context, config, url)
        trail = trail_of(context)
        return _AS_IT_IS if trail is None else nullcontext(trail)
    remove_fields(carrier, context, config, url)
    return _Outside(use(without_fields(context, State(config))))


def like(request: R, headers: Any) -> R:
    """A request as this one, with these headers. A library's own ways to copy one check or copy all else too."""
    sent = type(request).__new__(type(request))
    inside = vars(sent)
    inside.update(vars(request))
    inside["headers"] = headers
    return sent


def trail_for(hosts: Iterable[str | None], config: PropagationConfig | None) -> Trail | None:
    """The trail that an answer of `hosts` is to be added to, as `prepare` gives it."""
    context = current()
    trail = trail_of(context)
    return trail if trail is not None and all(map(config_of(context, config).allows, hosts)) else None


class _Outside(AbstractContextManager[None]):
    """The context in which a stranger is sent a request; the answer's trail is nobody's."""

    def __init__(self, using: Block) -> None:
        self._using = using

    def __enter__(self) -> None:
        self._using.__enter__()

    def __exit__(self, *error: object) -> None:
        self._using.__exit__(*error)
