"""Message queues that carry the fields on, one file for each; `messaging.celery` loads celery when it is named."""

from propagation.lazy import submodules
from propagation.messaging.message import consumed

__all__ = ["consumed"]

__getattr__ = submodules(__name__)
