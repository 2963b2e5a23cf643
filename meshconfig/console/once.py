"""Forms that are sent twice, as by a second click: the second one gets the answer to the first, and does nothing else.

Each form that changes something has a key of its own page in the field `once`. Without the key, the second one would
meet what the first one has changed, and its answer, which is the one that the browser shows, would be a refusal.
"""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

FIELD = "once"
KEPT = 500  # answers
EACH = 20  # of one person, so that nobody takes all of them
LIFE = 600.0  # seconds; the same form is a new wish after that

Name = tuple[str, bytes]  # of a form that was sent: whose it is, and what is in it


@dataclass(frozen=True, slots=True)
class _Sent:
    answer: "asyncio.Task[Response]"
    at: float


class Once:
    """Answers to forms. For the event loop's thread alone.

    Parameters:
        clock: the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: OrderedDict[Name, _Sent] = OrderedDict()

    async def answer(
        self, owner: str, path: str, form: Mapping[str, str], work: Callable[[], Awaitable[Response]]
    ) -> Response:
        """What `work` gives; for a form that was sent before, what it gave then, also if it is still under way.

        An answer that leads nowhere, and an error, are of no use the second time: then the form is a new wish.

        Parameters:
            owner: who sends the form.
            path: where it is sent.
            form: all of its fields. One without a key is always new.
        """
        if not form.get(FIELD):
            return await work()
        name = owner, hashlib.sha256(json.dumps([path, sorted(form.items())]).encode()).digest()
        self._drop_old()
        if name not in self._sent:
            self._make_room(owner)
            task = asyncio.ensure_future(_run(work))
            self._sent[name] = _Sent(task, self._clock())
            task.add_done_callback(lambda ended: self._ended(name, ended))
        # The browser closes the first one's connection at the second click; its work goes on.
        return await asyncio.shield(self._sent[name].answer)

    def _ended(self, name: Name, task: "asyncio.Task[Response]") -> None:
        if task.cancelled() or task.exception() or "location" not in task.result().headers:
            self._sent.pop(name, None)

    def _drop_old(self) -> None:
        now = self._clock()
        while self._sent and now - next(iter(self._sent.values())).at > LIFE:
            self._sent.popitem(last=False)

    def _make_room(self, owner: str) -> None:
        own = [name for name in self._sent if name[0] == owner]
        if len(own) >= EACH:
            del self._sent[own[0]]
        elif len(self._sent) >= KEPT:
            self._sent.popitem(last=False)


async def _run(work: Callable[[], Awaitable[Response]]) -> Response:
    return await work()
