"""aiokafka: looks at the consumer groups of a topic, for `aiokafka`."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, TypeVar

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code

from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kafka_handover import Committed, Partition, View, is_stand_in, looked

Answer = TypeVar("Answer")
ASK_SECONDS = 5.0  # for one answer of the broker


class Look:
    """Looks at the groups again and again, in a task of its own: the broker's answers take their time.

    group: the baseline's. others: whether to ask for the lanes' groups too, as the baseline's consumers need it.
    """

    def __init__(self, admin: AIOKafkaAdminClient, group: str, lanes: LaneFilter, others: bool) -> None:
        self.view = View(lanes.roster)
        self._admin, self._group, self._lanes, self._others = admin, group, lanes, others

    async def start(self, every: float) -> None:
        """Look once, and then again and again."""
        await self._admin.start()
        await self._try_to_look()
        self._task = asyncio.create_task(self._run(every), name="propagation-lanes")

    async def stop(self) -> None:
        """Look no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._admin.close()

    async def offsets(self, group: str, partitions: list[TopicPartition] | None = None) -> Any:
        """What a group has committed, as the AdminClient answers. Raises KafkaError."""
        return await self._admin.list_consumer_group_offsets(group, partitions=partitions)

    async def _run(self, every: float) -> None:
        now = asyncio.get_running_loop().time
        due = now() + every
        while True:
            await asyncio.sleep(max(every / 2, due - now()))
            due = now() + every
            await self._try_to_look()

    async def _try_to_look(self) -> None:
        try:
            await self._look()
        except Exception as error:  # noqa: BLE001  # a look that fails must not be the last
            self.view = replace(self.view, present={}, reached={})  # it is not known who is there
            self._warn(self._group, error)

    async def _look(self) -> None:
        offsets = await self._answer(self._group, self._committed(self._group))
        view = looked(self.view, self._lanes.roster, offsets)
        groups = sorted(view.groups()) if self._others else []
        # All at once: it tells sooner who is gone.
        reached, described = await asyncio.gather(
            asyncio.gather(*(self._answer(group, self._committed(group)) for group in groups)),
            asyncio.gather(*(self._answer(group, self._describe(group)) for group in groups)),
        )
        found = {group: it for group, it in zip(groups, described, strict=True) if it is not None}
        self.view = replace(
            view,
            present={group: any(not is_stand_in(one) for one in clients) for group, (_, clients) in found.items()},
            served=[group for group, (state, _) in found.items() if state == "Stable"],
            reached={group: it for group, it in zip(groups, reached, strict=True) if it is not None},
        )

    async def _answer(self, group: str, asked: Awaitable[Answer]) -> Answer | None:
        """What the broker answers; None where it does not, or refuses."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await asked
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            self._warn(group, error)
            return None

    async def _committed(self, group: str) -> dict[Partition, Committed]:
        return as_committed(await self.offsets(group))

    async def _describe(self, group: str) -> tuple[str, list[str]]:
        """The state of a group, and the client.id of each member."""
        # One by one: aiokafka reads only the first of several groups right.
        answers = await self._admin.describe_consumer_groups([group])
        code, _, state, _, _, members, *_ = answers[0].groups[0]
        if code:
            raise for_code(code)()
        return state, [client_id for _, client_id, *_ in members]

    def _warn(self, group: str, error: Exception) -> None:
        text = "group %s cannot be asked (%r); each lane's messages stay with whom they are"
        self._lanes.warnings.warn("broker", text, group, error)


def as_committed(found: Any) -> dict[Partition, Committed]:
    """What a group has committed, from an answer of the AdminClient."""
    return {
        (one.topic, one.partition): Committed(
            now.offset if now.offset >= 0 else None, (now.metadata or "").rstrip("\0")
        )
        for one, now in found.items()
    }
