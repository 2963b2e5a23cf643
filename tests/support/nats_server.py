"""A NATS server on loopback, as small as nats-py lets it be: publish, subscribe, headers; no JetStream."""

import asyncio
import json
from contextlib import asynccontextmanager


@asynccontextmanager
async def nats_server():
    """The port of a server in this event loop."""
    subscriptions = []  # subject, sid, writer
    tasks = []

    async def serve(reader, writer):
        tasks.append(asyncio.current_task())
        try:
            await talk(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def talk(reader, writer):
        port = writer.get_extra_info("sockname")[1]
        about = {"server_id": "tests", "version": "2.10.0", "proto": 1, "host": "127.0.0.1", "port": port}
        writer.write(b"INFO " + json.dumps(about | {"headers": True, "max_payload": 1 << 20}).encode() + b"\r\n")
        while line := await reader.readline():
            verb, *words = line.decode().split()
            if verb == "PING":
                writer.write(b"PONG\r\n")
            elif verb == "SUB":
                subscriptions.append((words[0], words[-1], writer))
            elif verb == "UNSUB":
                subscriptions[:] = [one for one in subscriptions if one[1:] != (words[0], writer)]
            elif verb in ("PUB", "HPUB"):
                await publish(verb, words, await reader.readexactly(int(words[-1]) + 2))

    async def publish(verb, words, payload):
        subject, sizes = words[0], words[-2:] if verb == "HPUB" else words[-1:]
        reply = words[1 : len(words) - len(sizes)]
        for wanted, sid, writer in subscriptions:
            if matches(wanted, subject):
                line = " ".join([verb.replace("PUB", "MSG"), subject, sid, *reply, *sizes])
                writer.write(line.encode() + b"\r\n" + payload)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # a closed transport lets go of its socket in the loop's next turn


def matches(wanted, subject):
    """Whether a subscription's subject, which may have wildcards, takes this one."""
    parts, given = wanted.split("."), subject.split(".")
    if parts[-1] == ">":
        parts, given = parts[:-1], given[: len(parts) - 1]
    return len(parts) == len(given) and all(one in ("*", other) for one, other in zip(parts, given, strict=True))
