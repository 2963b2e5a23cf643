"""An AMQP 0-9-1 server on loopback, as small as pika and aio-pika let it be: queues by name on the default exchange."""

import asyncio
import threading
from collections import defaultdict, deque
from contextlib import contextmanager
from itertools import count
from typing import Any

import pamqp.exceptions
from pamqp import body, commands, frame, header

SIMPLE = {
    commands.Channel.Open: lambda one: commands.Channel.OpenOk(),
    commands.Channel.Close: lambda one: commands.Channel.CloseOk(),
    commands.Basic.Qos: lambda one: commands.Basic.QosOk(),
    commands.Connection.StartOk: lambda one: commands.Connection.Tune(channel_max=100, frame_max=131072, heartbeat=0),
    commands.Connection.Open: lambda one: commands.Connection.OpenOk(),
    commands.Connection.Close: lambda one: commands.Connection.CloseOk(),
    commands.Queue.Declare: lambda one: commands.Queue.DeclareOk(one.queue, 0, 0),
}


class _Broker:
    def __init__(self):
        self.waiting = defaultdict(deque)
        self.consumers = {}  # queue: (connection, channel, tag)

    def put(self, queue, message, first=False):
        (self.waiting[queue].appendleft if first else self.waiting[queue].append)(message)
        self.deliver(queue)

    def deliver(self, queue):
        while queue in self.consumers and self.waiting[queue]:
            connection, channel, tag = self.consumers[queue]
            connection.deliver(channel, tag, queue, self.waiting[queue].popleft())


class _Connection:
    def __init__(self, broker, writer):
        self.broker, self.writer = broker, writer
        self.confirming, self.published, self.unacked = set(), defaultdict(int), {}
        self.numbers = count(1)
        self.publishing = {}  # channel: [queue, content header, what of the body came]

    def send(self, channel, *frames):
        for one in frames:
            self.writer.write(frame.marshal(one, channel))

    def receive(self, channel, one):
        if type(one) in SIMPLE:
            self.send(channel, SIMPLE[type(one)](one))
        elif isinstance(one, commands.Confirm.Select):
            self.confirming.add(channel)
            self.send(channel, commands.Confirm.SelectOk())
        elif isinstance(one, commands.Basic.Consume):
            tag = one.consumer_tag or f"tag-{one.queue}"
            self.send(channel, commands.Basic.ConsumeOk(tag))
            self.broker.consumers[one.queue] = self, channel, tag
            self.broker.deliver(one.queue)
        elif isinstance(one, commands.Basic.Cancel):
            self.forget(one.consumer_tag)
            self.send(channel, commands.Basic.CancelOk(one.consumer_tag))
        elif isinstance(one, commands.Basic.Get):
            self.get(channel, one.queue)
        elif isinstance(one, commands.Basic.Ack):
            self.unacked.pop(one.delivery_tag)
        elif isinstance(one, (commands.Basic.Nack, commands.Basic.Reject)):
            queue, message = self.unacked.pop(one.delivery_tag)
            if one.requeue:
                self.broker.put(queue, message, first=True)
        elif isinstance(one, commands.Basic.Publish):
            self.publishing[channel] = [one.routing_key, None, b""]
        elif isinstance(one, header.ContentHeader):
            self.publishing[channel][1] = one
            self.published_whole(channel)
        elif isinstance(one, body.ContentBody):
            self.publishing[channel][2] += one.value
            self.published_whole(channel)

    def published_whole(self, channel):
        queue, head, content = self.publishing[channel]
        if len(content) == head.body_size:
            self.broker.put(queue, (head.properties, content))
            self.published[channel] += 1
            if channel in self.confirming:
                self.send(channel, commands.Basic.Ack(self.published[channel]))

    def content(self, message):
        properties, content = message
        head = header.ContentHeader(body_size=len(content), properties=properties)
        return (head, body.ContentBody(content)) if content else (head,)

    def deliver(self, channel, tag, queue, message):
        number = self.keep(queue, message)
        self.send(channel, commands.Basic.Deliver(tag, number, False, "", queue), *self.content(message))

    def get(self, channel, queue):
        if not self.broker.waiting[queue]:
            self.send(channel, commands.Basic.GetEmpty())
            return
        message = self.broker.waiting[queue].popleft()
        number = self.keep(queue, message)
        self.send(channel, commands.Basic.GetOk(number, False, "", queue, 0), *self.content(message))

    def keep(self, queue, message):
        """Until it is acknowledged; its delivery tag."""
        number = next(self.numbers)
        self.unacked[number] = queue, message
        return number

    def forget(self, tag=None):
        for queue, (connection, _, of_it) in list(self.broker.consumers.items()):
            if connection is self and tag in (None, of_it):
                del self.broker.consumers[queue]


async def _serve(broker, reader, writer):
    connection = _Connection(broker, writer)
    await reader.readexactly(8)  # the protocol's header
    able: Any = {"publisher_confirms": True, "basic.nack": True}
    connection.send(0, commands.Connection.Start(0, 9, {"capabilities": able}, "PLAIN AMQPLAIN", "en_US"))
    data = b""
    while more := await reader.read(65536):
        data += more
        while data:
            try:
                used, channel, one = frame.unmarshal(data)
            except pamqp.exceptions.UnmarshalingException:  # the rest of a frame is still to come
                break
            data = data[used:]
            connection.receive(channel, one)
    connection.forget()


@contextmanager
def amqp_server():
    """The port of a server in a thread of its own."""
    loop = asyncio.new_event_loop()
    broker, tasks = _Broker(), []

    async def serve(reader, writer):
        tasks.append(asyncio.current_task())
        try:
            await _serve(broker, reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, "127.0.0.1", 0), loop).result(10)

    async def stop():
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # a closed transport lets go of its socket in the loop's next turn

    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
