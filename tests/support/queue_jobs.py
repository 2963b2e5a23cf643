"""The jobs that queues under test run; importable by name, as workers need them."""

from opentelemetry.context import get_current

from propagation import get

SEEN = []  # the tag that each run of a job saw, in order


def note():
    """Note the tag."""
    SEEN.append(get("env"))


def flaky():
    """Fail the first time."""
    note()
    if len(SEEN) % 2:
        raise ValueError("on purpose")


def failing():
    """Fail."""
    note()
    raise ValueError("on purpose")


def left():
    """What a worker's context holds outside a job."""
    return dict(get_current())
