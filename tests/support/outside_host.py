"""Hosts outside the mesh, behind TLS with an authority of their own: each answers who it is and what reached it.

    python tests/support/outside_host.py --folder certificates --listen 127.0.0.1:8443 --host api.pay --host sandbox.pay

The certificate of a host, in the folder, names this host alone, and a client without a server name gets none. An answer
is a chain of one hop, as `load.py` reads it: the host that was asked for, and `clean` or what should be inside alone.
Headers are in `headers`. Standard library only, but for the certificates.
"""

import argparse
import asyncio
import contextlib
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CA = "ca.pem"
INSIDE = ("env", "x-graylane-trail")  # headers that no host outside may see
BEAT, STILL = 0.2, 1.0  # seconds between two looks at the clock, and after which a look is late


def certify(folder: Path, hosts: Sequence[str]) -> Path:
    """Makes an authority and a certificate for each host; returns the authority's file, which proxies can read."""
    import trustme  # the process that serves needs no such library

    authority = trustme.CA()
    folder.chmod(0o755)
    authority.cert_pem.write_to_path(str(folder / CA))
    for host in hosts:
        authority.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(str(folder / f"{host}.pem"))
    (folder / CA).chmod(0o644)
    return folder / CA


@contextmanager
def serving(folder: Path, listen: Sequence[str], hosts: Sequence[str]) -> Iterator[None]:
    """The hosts while the block runs, listening when it begins."""
    named = [flag for host in hosts for flag in ("--host", host)]
    places = [flag for place in listen for flag in ("--listen", place)]
    process = subprocess.Popen([sys.executable, __file__, "--folder", str(folder), *places, *named])
    try:
        for place in listen:
            _until_listening(place)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _until_listening(place: str) -> None:
    import socket

    host, _, port = place.rpartition(":")
    end = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        assert time.monotonic() < end, f"nothing listens at {place}"
        time.sleep(0.05)


def leaked(headers: Sequence[tuple[str, str]]) -> str:
    """What should have stayed inside, of the headers that came; `clean` for nothing."""
    found = [f"{name}: {value}" for name, value in headers if name in INSIDE]
    members = [one for name, value in headers if name == "baggage" for one in value.split(",")]
    found += [f"baggage: {one}" for one in members if one.partition("=")[0].strip().lower() == "env"]
    return "; ".join(found) or "clean"


class Hosts:
    """A TLS server that chooses the certificate by the server's name and reads HTTP/1.1 without bodies."""

    def __init__(self, folder: Path, hosts: Sequence[str]) -> None:
        self.contexts = {host: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for host in hosts}
        for host, context in self.contexts.items():
            context.load_cert_chain(folder / f"{host}.pem")
        self.outer = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.outer.load_cert_chain(folder / f"{hosts[0]}.pem")
        self.outer.sni_callback = self.choose

    def choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        if name not in self.contexts:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = self.contexts[name]
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                writer.write(self.answer((await reader.readuntil(b"\r\n\r\n")).decode("latin-1")))
                await writer.drain()
        writer.close()

    def answer(self, head: str) -> bytes:
        pairs = [line.partition(":") for line in head.split("\r\n")[1:] if line]
        headers = [(name.lower(), value.strip()) for name, _, value in pairs]
        hop = {"service": dict(headers).get("host", ""), "env": leaked(headers)}
        body = json.dumps({"chain": [hop], "headers": headers}).encode()
        return (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-graylane-trail: forged/outside\r\n"
            + f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )


async def run(given: argparse.Namespace) -> None:
    hosts = Hosts(given.folder, given.host)
    for place in given.listen:
        address, _, port = place.rpartition(":")
        await asyncio.start_server(hosts.serve, address, int(port), ssl=hosts.outer, backlog=256)
    await reporting_standstills()


async def reporting_standstills() -> None:
    """Prints how long this process stood still, whatever the reason: no host answers or shakes hands meanwhile."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(BEAT)
        now = time.monotonic()
        if now - began > STILL:
            print(f"hosts outside: no answer for {now - began:.1f} s, until {now:.2f}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--listen", action="append", required=True, help="ADDRESS:PORT")
    parser.add_argument("--host", action="append", required=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
