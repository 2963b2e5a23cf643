"""What every client of RabbitMQ declares for messages by lane, beside the queues of the program.

`orders.gray.alive` has no messages. Each consumer of the queue `orders.gray` also consumes from it, on the same
channel. How many consumers it has tells whether the lane is there, also while the baseline's consumers take from
`orders.gray`. It expires after a minute without consumers.

`orders.lanes` has a message for each lane's queue that there ever was: a lane that has left the roster may have left
messages too, and AMQP cannot list queues.
"""

from collections.abc import Mapping
from typing import Any

TICK_SECONDS = 1.0  # between two looks at who is there
ALIVE_ARGUMENTS: Mapping[str, Any] = {"x-expires": 60_000}  # milliseconds
PERSISTENT = 2  # AMQP's delivery mode
NOT_FOUND = 404  # AMQP's reply code


def alive_queue(queue: str) -> str:
    """The name of the queue whose consumers are those of a lane's queue."""
    return f"{queue}.alive"


def registry_queue(queue: str) -> str:
    """The name of the queue that has the names of the lanes' queues, for the baseline's queue `queue`."""
    return f"{queue}.lanes"
