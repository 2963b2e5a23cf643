"""Message queues that carry the fields on, one file for each; `messaging.celery` loads celery when it is named."""

from propagation.lazy import submodules

__getattr__ = submodules(__name__)
