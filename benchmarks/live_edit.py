"""Ten edits of a spec while `graylane local up` serves a constant load: how many requests fail, how soon is it live?

    python benchmarks/live_edit.py [--rate 300] [--seconds 10] [--edits 10]

The example's spec is edited in a copy: mouse's gray version is taken out and put back in turn. Every answer is checked:
200, cat gray, and mouse in a version that one of the two specs gives. "Live" is the first answer that follows the edit.
On a machine too busy for the rate, requests wait for a connection; how many did is printed, for their wait counts too.
"""

import argparse
import asyncio
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "cat-mouse"
GRAYLANE = [sys.executable, "-c", "from meshconfig.cli import main; main()"]
REQUEST = b"GET /sayHello HTTP/1.1\r\nhost: cat.example.com\r\nenv: gray\r\n\r\n"
CONNECTIONS = 32
GRAY_MOUSE = "        gray: {labels: {env: gray}, workload: mouse-dp-gray}\n"


@dataclass
class Count:
    """What came back, by what it says; and when mouse was first seen to answer in each version, anew at each edit."""

    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    seen: dict[str, float] = field(default_factory=dict)
    late: int = 0

    def add(self, answer: str) -> None:
        self.answers[answer] += 1
        self.seen.setdefault(answer, time.monotonic())

    @property
    def failed(self) -> int:
        return self.sent - sum(self.answers[good] for good in ("cat gray → mouse gray", "cat gray → mouse prod"))


@contextlib.asynccontextmanager
async def local_up(spec: Path) -> AsyncIterator[str]:
    """The address of the gateway of a mesh that follows the spec."""
    process = await asyncio.create_subprocess_exec(
        *GRAYLANE, "local", "up", "-f", str(spec), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while b"gateway" not in (line := await process.stdout.readline()):
                if not line:
                    raise SystemExit("graylane local up did not start")
        reading = asyncio.create_task(_read(process.stdout))
        yield line.split()[1].decode().removeprefix("http://")
        reading.cancel()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()


async def _read(output: asyncio.StreamReader) -> None:
    """Show what graylane says of edits, and pass over the way of each request."""
    async for line in output:
        if b"live after" in line:
            print("  graylane:", line.decode().strip())


async def load(address: str, rate: int, seconds: float, count: Count) -> None:
    """Send so many requests a second, by as many connections as that takes, at most CONNECTIONS."""
    start, numbers = time.monotonic(), iter(range(int(rate * seconds)))

    async def connection() -> None:
        host, port = address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        for number in numbers:
            wait = start + number / rate - time.monotonic()
            await asyncio.sleep(max(wait, 0))
            count.late += wait < -0.1
            count.sent += 1
            count.add(await ask(reader, writer))
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(connection())


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Who answered a request, or what came instead."""
    try:
        writer.write(REQUEST)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
        status = head.split()[1]
        return (
            status if status != "200" else " → ".join(f"{h['service']} {h['env']}" for h in json.loads(body)["chain"])
        )
    except (OSError, EOFError, ValueError, LookupError) as error:
        return repr(error)


async def edit(spec: Path, edits: int, seconds: float, count: Count) -> list[float]:
    """Save the spec so many times, evenly; gives the seconds until the first answer that followed each edit."""
    whole = spec.read_text(encoding="utf-8")
    assert GRAY_MOUSE in whole
    live = []
    for number in range(edits):
        await asyncio.sleep(seconds / (edits + 1))
        text, version = (whole, "gray") if number % 2 else (whole.replace(GRAY_MOUSE, ""), "prod")
        new = spec.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        count.seen.clear()
        saved = time.monotonic()
        new.replace(spec)
        while f"cat gray → mouse {version}" not in count.seen and time.monotonic() < saved + 5:
            await asyncio.sleep(0.005)
        live.append(count.seen.get(f"cat gray → mouse {version}", saved + 5) - saved)
    return live


async def run(rate: int, seconds: float, edits: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
        spec, count = Path(folder) / "graylane.yaml", Count()
        async with local_up(spec) as gateway:
            start = time.monotonic()
            sending = asyncio.create_task(load(gateway, rate, seconds, count))
            live = await edit(spec, edits, seconds, count)
            await sending
            took = time.monotonic() - start
    for answer, times in count.answers.most_common():
        print(f"  {times:6}  {answer}")
    print(f"sent {count.sent} in {took:.1f} s ({count.late} of them more than 0.1 s late), failed {count.failed}")
    print("seconds until an edit was live:", " ".join(f"{one:.2f}" for one in live), f"(longest {max(live):.2f})")
    return int(count.failed > 0 or max(live) > 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=300, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--edits", type=int, default=10)
    arguments = parser.parse_args()
    sys.exit(asyncio.run(run(arguments.rate, arguments.seconds, arguments.edits)))
