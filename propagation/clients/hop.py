"""One call of one client: what goes into its headers, by the host that this very hop goes to.

Clients follow redirects and try again by themselves, mostly with the headers of the hop before. So each client hands in
headers that are this hop's alone, and nothing of one hop is left for the next.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from propagation.attachment import current
from propagation.carriers import carrier_for
from propagation.config import PropagationConfig
from propagation.context import State, config_of, use, without_fields
from propagation.inject import add_fields, remove_fields

_AS_IT_IS: AbstractContextManager[object] = nullcontext()


def prepare(
    headers: Any, hosts: Iterable[str | None], config: PropagationConfig | None, url: str | bytes = ""
) -> AbstractContextManager[object]:
    """Write the fields into `headers`, or take them out where one of `hosts` may not have them.

    hosts: all that will read the headers, None for one that is not known. url: where they go, or its query alone, since
    a URL can hold a signature of headers; those are left as they are. Gives the context to send in: without the fields
    where they may not be sent, since OpenTelemetry's instrumentation may stand further in, and would write them.
    """
    context = current()
    config = config_of(context, config)
    carrier = carrier_for(headers)
    if all(map(config.allows, hosts)):
        add_fields(carrier, context, config, url)
        return _AS_IT_IS
    remove_fields(carrier, context, config, url)
    return use(without_fields(context, State(config)))
