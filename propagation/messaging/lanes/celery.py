"""Celery on RabbitMQ, messages by lane: a queue per lane.

    app = Celery("orders", broker="amqp://…")
    lanes = LaneFilter(os.environ.get("LANE"), os.environ["GRAYLANE_CONSUMERS"], consumer="orders")
    LaneQueues(app, {"celery": lanes}).install()

Producers and workers say the same; only a worker has a LANE. `LANE=gray celery -A orders worker` consumes
from `celery.gray`, the queue of gray in the roster, in place of `celery`.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from celery import Celery, bootsteps, signals
from celery.app.routes import Router
from celery.worker.consumer.tasks import Tasks
from kombu.entity import Exchange, Queue

from propagation.messaging.lanes.filter import LaneFilter
from propagation.messaging.lanes.kombu import AWAY, Questions
from propagation.messaging.lanes.rabbitmq import ALIVE_ARGUMENTS, TICK_SECONDS, alive_queue
from propagation.messaging.lanes.watch import QueueWatch


class LaneQueues:
    """Gives the queues of a Celery app one more for each lane.

    lanes: by name of the baseline's queue, a LaneFilter for it; as well `-Q` may name the baseline's queue for all
    workers. Queues that are not named here are consumed by each worker as ever. A lane's queue has the arguments of the
    baseline's. A task that is sent with an exchange and a routing key of its own goes there.

    It works with RabbitMQ. Celery's other brokers do not tell who consumes: the baseline handles every task there.
    """

    def __init__(self, app: Celery, lanes: Mapping[str, LaneFilter]) -> None:
        self.app = app
        self.watches = {queue: QueueWatch(decides, queue) for queue, decides in lanes.items()}
        self.questions = Questions(app.connection_for_write)

    def install(self) -> None:
        """Have the app's tasks go to the queue of their lane, and its worker consume from that of its own."""
        steps = type("LaneStep", (_LaneStep,), {"queues": self})
        self.app.steps["consumer"].add(steps)
        vars(self.app.amqp)["Router"] = self._router
        self.app.amqp.__dict__.pop("router", None)  # made anew when a task is sent
        signals.celeryd_after_setup.connect(self._select, weak=False)

    def queue_of(self, watch: QueueWatch, name: str, **options: Any) -> Queue:
        """A lane's queue, with the arguments of the baseline's."""
        base = self.app.amqp.queues[watch.queue]
        own = {key: getattr(base, key) for key in ("durable", "queue_arguments", "consumer_arguments", "max_priority")}
        return Queue(name, exchange=Exchange(""), routing_key=name, **own, **options)

    def route(self, options: dict[str, Any]) -> dict[str, Any]:
        """Where a task goes, by where it would go."""
        watch = self._watch_of(options.get("queue"))
        if watch is None:
            return options
        self.questions.ask(watch, watch.to_ask_before_sending())
        name = watch.destination()
        # The worker declares it; a producer that did would bring back a queue that somebody has deleted.
        return options if name == watch.queue else {**options, "queue": self.queue_of(watch, name, no_declare=True)}

    def back_to_baseline(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a task, for the baseline's queue where they are for a lane's: a retry chooses anew."""
        watch = self._watch_of(options.get("queue"))
        return {**options, "queue": watch.queue} if watch else dict(options)

    def _watch_of(self, queue: Any) -> QueueWatch | None:
        name = getattr(queue, "name", queue)
        for watch in self.watches.values():
            if name in (watch.queue, watch.own) or name in watch.lane_queues:
                return watch
        return None

    def _router(self, *args: Any, **kwargs: Any) -> Router:
        made = type(self.app.amqp).Router(self.app.amqp, *args, **kwargs)
        return _LaneRouter(self, made)

    def _select(self, instance: Any, **_: Any) -> None:
        """For a worker that starts: the lanes' queues in place of the baseline's."""
        if instance.app is not self.app:
            return
        queues = self.app.amqp.queues
        for watch in self.watches.values():
            selected = {watch.queue, watch.own} & set(queues.consume_from)
            if selected and watch.own != watch.queue:
                queues.deselect(list(selected))
                queues.select_add(self.queue_of(watch, watch.own))


class _LaneRouter:
    """Celery's router, whose answer is changed."""

    def __init__(self, queues: LaneQueues, router: Router) -> None:
        self._queues, self._router = queues, router

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router, name)

    def route(self, options: Mapping[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As Celery's own."""
        return self._queues.route(self._router.route(self._queues.back_to_baseline(options), *args, **kwargs))


class _LaneStep(bootsteps.StartStopStep):
    """Of a worker's consumer: it shows that its lane is there, or takes over from those that are not."""

    requires = (Tasks,)
    queues: LaneQueues

    def __init__(self, parent: Any, **options: Any) -> None:
        self._timer: Any = None
        self._alive: list[str] = []
        self._taken_over: set[str] = set()
        super().__init__(parent, **options)

    def start(self, parent: Any) -> None:
        """Each time that the worker has connected."""
        self._taken_over = set()
        consumed = {queue.name for queue in parent.task_consumer.queues}
        watches = [watch for watch in self.queues.watches.values() if watch.own in consumed]
        self._alive = [self._show(parent, watch) for watch in watches if watch.own != watch.queue]
        baselines = [watch for watch in watches if watch.lanes.is_baseline]
        if baselines:
            # By `call_soon`: before the worker's loop has begun, nothing takes the messages of a queue.
            parent.call_soon(self._look, parent, baselines)
            self._timer = parent.timer.call_repeatedly(
                TICK_SECONDS, parent.call_soon, args=(self._look, parent, baselines)
            )

    def stop(self, parent: Any) -> None:
        """Before the worker ends its consumers: at its end, or where its connection is lost."""
        if self._timer is not None:
            self._timer.cancel()
        for tag in self._alive:
            with suppress(*AWAY):  # where the connection is lost, the consumer is too
                parent.task_consumer.channel.basic_cancel(tag)

    def _show(self, parent: Any, watch: QueueWatch) -> str:
        self.queues.questions.register(watch)
        channel, alive = parent.task_consumer.channel, alive_queue(watch.own)
        channel.queue_declare(alive, durable=True, auto_delete=False, arguments=dict(ALIVE_ARGUMENTS))
        channel.basic_consume(alive, no_ack=True, consumer_tag=alive, callback=_ignore)
        return alive

    def _look(self, parent: Any, watches: list[QueueWatch]) -> None:
        wanted: frozenset[str] = frozenset()
        for watch in watches:
            self.queues.questions.read_register(watch)
            self.queues.questions.ask(watch, watch.to_ask())
            wanted |= watch.taken_over()
        self._take(parent, wanted)

    def _take(self, parent: Any, wanted: frozenset[str]) -> None:
        consumer = parent.task_consumer
        if consumer is None:  # the worker has lost its connection, and starts this anew
            return
        for name in self._taken_over - wanted:
            consumer.cancel_by_queue(name)
        self._taken_over &= wanted
        for name in wanted - self._taken_over:
            if self.queues.questions.is_there(name):
                consumer.add_queue(Queue(name, no_declare=True))
                consumer.consume()
                self._taken_over.add(name)


def _ignore(_: object) -> None:
    """Nobody sends to a queue of the living."""
