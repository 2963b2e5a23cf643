"""Stands for `graylane controller`: a thread that writes statuses of LaneGroup or Lane objects as a script says."""

import threading
from contextlib import contextmanager
from datetime import UTC, datetime

from meshconfig.cluster import conditions

PATH = "/apis/graylane.dev/v1/namespaces/{namespace}/{plural}/{name}"
FINALIZER = "graylane.dev/routes"


class Controller:
    """`work(controller, object)` is called for each new generation of an object, in order."""

    def __init__(self, api, work, plural="lanegroups"):
        self.api, self.work, self.plural, self.error = api, work, plural, None
        self._seen, self._stop = {}, False

    def status(self, one, stated, generation=None, **more):
        """Writes a status with these conditions, about the object's generation if no other is given."""
        metadata = one["metadata"]
        about = generation or metadata["generation"]
        before = ((self.live(one) or {}).get("status") or {}).get("conditions") or ()
        written = conditions.written(stated, before, about, datetime.now(UTC))
        status = {"observedGeneration": about, "conditions": written, "change": None, **more}
        self.api.answer("PATCH", f"{PATH.format(plural=self.plural, **metadata)}/status", {"status": status})

    def live(self, one):
        return self.api.get(self.plural, one["metadata"]["name"], one["metadata"]["namespace"])

    def let_go(self, one):
        self.api.answer("PATCH", PATH.format(plural=self.plural, **one["metadata"]), {"metadata": {"finalizers": []}})

    def watched(self):
        """Waits until somebody follows an object: what comes before that, nobody sees."""
        for _ in range(2000):
            if any(method == "WATCH" for method, _ in self.api.seen):
                return
            threading.Event().wait(0.01)
        raise AssertionError("nobody follows the object")

    def run(self):
        while one := self._next():
            try:
                self.work(self, one)
            except BaseException as error:  # noqa: BLE001  the test says it
                self.error = error
                return

    def stop(self):
        with self.api.changed:
            self._stop = True
            self.api.changed.notify_all()

    def _next(self):
        """The next object of which a generation has not been seen; None at the end."""
        with self.api.changed:
            while not self._stop:
                for key, one in self.api.objects.items():
                    uid, generation = one["metadata"]["uid"], one["metadata"]["generation"]
                    if key[0] == self.plural and self._seen.get(uid, 0) < generation:
                        self._seen[uid] = generation
                        return one
                self.api.changed.wait(5)
        return None


@contextmanager
def controller(api, work, plural="lanegroups"):
    """A controller of one kind, for the time of the block."""
    one = Controller(api, work, plural)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one
    finally:
        one.stop()
        thread.join(20)
    if one.error:
        raise one.error


def carried_out(steps=(), **more):
    """Work that carries the plan's steps out, lets what is deleted go, and is ready.

    Parameters:
        steps: the title of each.
    """

    def work(one, seen):
        if steps:
            one.watched()
        for number, title in enumerate(steps, 1):
            change = {"steps": len(steps), "step": number, "title": title, "waitingFor": ["demo/cat-1"]}
            one.status(seen, conditions.reconciling("Applying", title), change=change)
        if seen["metadata"].get("deletionTimestamp"):
            one.let_go(seen)
        else:
            one.status(seen, conditions.ready("Applied", "at every proxy"), revision=7, **more)

    return work


def stalled(message):
    def work(one, seen):
        one.status(seen, conditions.stalled("NotReady", message))

    return work


def owned(manager, fields=("spec",), time="2026-01-01T00:00:00Z", operation="Apply"):
    """`managedFields` of an object whose fields one manager owns."""
    return [
        {
            "manager": manager,
            "operation": operation,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": {f"f:{name}": {} for name in fields},
        }
    ]
