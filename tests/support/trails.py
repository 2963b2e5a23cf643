"""The trail of a request that a test stands in."""

from opentelemetry.context import Context, get_current

from propagation import PropagationConfig, use
from propagation.context import State, trail_of
from propagation.extract import read_request

TRAIL = PropagationConfig(trail=True)


def tagged(config=TRAIL):
    """Inside a request whose server shows the trail."""
    return use(read_request(Context(), {"env": ["gray"]}, State(config)))


def hops():
    """What the calls of the request at hand have added so far."""
    return trail_of(get_current()).hops()
