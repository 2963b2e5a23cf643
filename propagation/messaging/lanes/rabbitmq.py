"""What every client of RabbitMQ declares for messages by lane, beside the queues of the program.

`orders.gray.alive` has no messages. Each consumer of the queue `orders.gray` also consumes from it, on the same
channel. How many consumers it has tells whether the lane is there, also while the baseline's consumers take from
`orders.gray`. It expires after a minute without consumers.

`orders.lanes` has a message for each lane's queue that there ever was: a lane that has left the roster may have left
messages too, and AMQP cannot list queues.
"""

from collections.abc import Mapping
from typing import Any

from propagation.messaging.lanes.quiet import Warnings

TICK_SECONDS = 1.0  # between two looks at who is there
ALIVE_ARGUMENTS: Mapping[str, Any] = {"x-expires": 60_000}  # milliseconds
PERSISTENT = 2  # AMQP's delivery mode
NOT_FOUND = 404  # AMQP's reply code
REGISTERED = 1000  # messages of the register to read at a time
_NAME_BYTES = 255  # of AMQP for the name of a queue


def alive_queue(queue: str) -> str:
    """The name of the queue whose consumers are those of a lane's queue."""
    return f"{queue}.alive"


def registry_queue(queue: str) -> str:
    """The name of the queue that has the names of the lanes' queues, for the baseline's queue `queue`."""
    return f"{queue}.lanes"


def registered_name(body: Any, warnings: Warnings) -> str | None:
    """The name of a lane's queue in a message of the register.

    None, with a warning, for what is no name: a client would raise for it, or mean the queue before by it.
    """
    try:
        name = body if isinstance(body, str) else bytes(body).decode()
        if name and len(alive_queue(name).encode()) <= _NAME_BYTES:
            return name
    except (TypeError, ValueError):  # also what is not UTF-8
        pass
    warnings.warn("register", "the register of lanes' queues has something else, which is taken out: %.60a", body)
    return None
