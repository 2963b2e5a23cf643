"""FastStream: a middleware for its brokers, whatever they speak: published messages have the fields, subscribers run
with those of their message."""

from collections.abc import Callable
from typing import Any

from faststream import BaseMiddleware
from faststream._internal.broker import BrokerUsecase

from propagation.config import PropagationConfig
from propagation.messaging.message import consumed, with_fields
from propagation.patching import InForce, Undo, patch_made
from propagation.registry import Carried, Descriptor

DESCRIPTOR = Descriptor(
    "faststream",
    sends=Carried.INSTRUMENT,
    receives=Carried.INSTRUMENT,
    explicit=("propagation.messaging.faststream.PropagationMiddleware",),
)


class PropagationMiddleware(BaseMiddleware[Any, Any]):
    """For `Broker(middlewares=[PropagationMiddleware])`. Its config is that of the environment."""

    config: PropagationConfig | None = None

    async def publish_scope(self, call_next: Callable[[Any], Any], cmd: Any) -> Any:
        """As FastStream asks of it."""
        if self._carries():
            cmd.headers = with_fields(cmd.headers, self.config)
        return await call_next(cmd)

    async def consume_scope(self, call_next: Callable[[Any], Any], msg: Any) -> Any:
        """As FastStream asks of it."""
        if not self._carries():
            return await call_next(msg)
        with consumed(msg, config=self.config):
            return await call_next(msg)

    def _carries(self) -> bool:
        return True


def install(config: PropagationConfig | None) -> Undo:
    """Have every broker that is made from now on carry the fields; the answer takes it back, for these brokers too."""

    def set_up(broker: Any, in_force: InForce) -> None:
        broker.insert_middleware(_instrumented(config, in_force))

    return patch_made(BrokerUsecase, set_up)


def _instrumented(given: PropagationConfig | None, in_force: InForce) -> type[PropagationMiddleware]:
    class Instrumented(PropagationMiddleware):
        config = given

        def _carries(self) -> bool:
            return in_force()

    return Instrumented
