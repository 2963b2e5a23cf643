"""A consumer by lane as a process or a thread of the tests: it notes in a file what it handles.

python kafka_worker.py CLIENT BOOTSTRAP GROUP TOPIC ROSTER LANE NAME LOG
"""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from propagation.messaging.lanes import LaneFilter

BASELINE = "-"
LINGER = 6.0
PATIENCE = 180.0  # seconds for anything that happens at all; a machine may have much else to do


def lane_filter(roster, lane):
    return LaneFilter(None if lane == BASELINE else lane, roster, consumer="orders")


def confluent(bootstrap, group, topic, roster, lane, handle, ended):
    from propagation.messaging.lanes.confluent_kafka import LaneConsumer

    config = {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "log_level": 0}
    config |= {"session.timeout.ms": 6000, "heartbeat.interval.ms": 2000, "auto.commit.interval.ms": 1000}
    consumer = LaneConsumer(config, lane_filter(roster, lane), linger=LINGER)
    consumer.subscribe([topic])
    while not ended():
        message = consumer.poll(0.3)
        if message is not None and message.error() is None:
            handle(message.value())
    consumer.close()


def aio(bootstrap, group, topic, roster, lane, handle, ended):
    from propagation.messaging.lanes.aiokafka import LaneConsumer

    async def run():
        consumer = LaneConsumer(
            topic,
            lanes=lane_filter(roster, lane),
            group_id=group,
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            session_timeout_ms=6000,
            heartbeat_interval_ms=2000,
            auto_commit_interval_ms=1000,
            linger=LINGER,
        )
        async with consumer:
            while not ended():
                for message in await consumer.getmany(timeout_ms=300, max_records=1):
                    handle(message.value)

    asyncio.run(run())


CLIENTS = {"confluent": confluent, "aiokafka": aio}


class Workers:
    """Processes that consume one topic, and what each noted: the number of the message, who handled it, and when."""

    def __init__(self, bootstrap, group, topic, roster, folder):
        self._common = [bootstrap, group, topic, str(roster)]
        self._folder, self._processes = Path(folder), {}
        self.killed = {}  # by worker, when
        self.lanes = {}  # by worker

    def start(self, name, lane=BASELINE, client="confluent"):
        """Start a consumer of a lane."""
        self.lanes[name] = lane
        command = [sys.executable, __file__, client, *self._common, lane, name, str(self._log(name))]
        with self._log(f"{name}-errors").open("ab") as errors:
            self._processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors)

    def stop(self, *names):
        """Let workers end in order; without names, all."""
        ending = [self._processes.pop(name) for name in names or list(self._processes)]
        for process in ending:
            process.terminate()
        for process in ending:
            process.wait(PATIENCE)

    def kill(self, *names):
        """End workers as a crash would."""
        for name in names:
            self._processes[name].kill()
            self._processes.pop(name).wait()
            self.killed[name] = time.time()

    def fallen(self):
        """The workers that ended by themselves, which none should, and how."""
        found = {name: process.poll() for name, process in self._processes.items()}
        return {name: code for name, code in found.items() if code is not None}

    def at_work(self, *names, since=0.0, patience=PATIENCE):
        """Wait until each of these has handled a message after the time `since`; the answer is those that have not."""
        end = time.monotonic() + patience
        waiting = set(names)
        while waiting and time.monotonic() < end:
            time.sleep(0.3)
            waiting -= {name for noted in self.handled().values() for name, at in noted if at > since}
        return waiting

    def end(self):
        """Whatever is still there goes."""
        for name in list(self._processes):
            self.kill(name)

    def handled(self):
        """For each message the list of (worker, time), in order of time."""
        found = {}
        for name in self.lanes:
            if self._log(name).exists():
                for line in self._log(name).read_text().splitlines():
                    number, at = line.split()
                    found.setdefault(int(number), []).append((float(at), name))
        return {number: [(name, at) for at, name in sorted(noted)] for number, noted in found.items()}

    def wait_for(self, numbers, patience=PATIENCE):
        """Wait until these messages are handled; the answer is those that are not."""
        end = time.monotonic() + patience
        while (left := set(numbers) - self.handled().keys()) and time.monotonic() < end:
            time.sleep(0.3)
        return left

    def errors(self):
        """What the workers said, for the message of a test that failed."""
        return "".join(self._log(f"{name}-errors").read_text()[-2000:] for name in self.lanes)

    def _log(self, name):
        return self._folder / f"{name}.log"


def main(client, bootstrap, group, topic, roster, lane, name, log):
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def handle(value):
        os.write(out, b"%s %f\n" % (value, time.time()))

    CLIENTS[client](bootstrap, group, topic, roster, lane, handle, end.is_set)


if __name__ == "__main__":
    main(*sys.argv[1:])
