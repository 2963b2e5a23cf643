"""How much memory commands and the controller take on a cluster whose records somebody filled to every limit.

Each store is crafted: as many values, names or bytes as are let through, packed a thousandfold. Printed are the peaks
of resident memory (VmHWM) of each command; beyond 200 MB the script exits with 1. An empty store is beside them, as
Python and the Kubernetes client alone take a part of it. It needs the tests' stand-in for an API server:

    PYTHONPATH=tests/support python benchmarks/hostile_store.py
    PYTHONPATH=tests/support python benchmarks/hostile_store.py --command controller --store "100 of each"
"""

import argparse
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from fake_api import FakeApi, api_server, deployment, service
from rollout_objects import rollout_object
from rollout_world import GROUP, Run, group, rollout

from meshconfig.bounded import DEPTH, UNPACKED, VALUES, pack
from meshconfig.cluster import revision, rollouts
from meshconfig.cluster.objects import Key
from meshconfig.cluster.revision import MOST, Parts, Revision, RevisionStatus, document

LIMIT = 200  # MB
COUNT = 10  # revisions, and rollouts
MANY, LARGE = 2_000, 100  # revisions and rollouts of a store that has many, and of one whose objects are large, too
SERVICES = 1_000  # of each group that a rollout of the store "valid groups" began from
NOWHERE = "http://127.0.0.1:1"
NOW = (f"--istiod={NOWHERE}", "--wait=0", "--drain=0")
START = datetime(2026, 1, 1, tzinfo=UTC)
WATCHED = 20.0  # seconds that the controller drives; on a busy machine it needs more to get as far
BEGUN = b"drives rollouts"  # what it says then
COMMAND = """
import os, sys
from meshconfig.cli import main
sys.argv = ["graylane", *sys.argv[1:]]
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    os.write(2, f"\\npeak {peak.split()[1]}\\n".encode())
"""


def padded(spec: bytes, more: str) -> bytes:
    """The spec's JSON with one more field at its end."""
    return spec[:-1] + f',"more":{more}}}'.encode()


def nested(count: int) -> str:
    """So many mappings, as deep in each other as is let through."""
    deep = DEPTH - 3
    one = '{"":' * deep + "0" + "}" * deep
    return "[" + ",".join([one] * (count // (deep + 1))) + "]"


def with_spec(number: int, spec: bytes, keys: Iterable[Key] = (), changed: Iterable[str] = ()) -> Revision:
    return Revision(
        "demo", "pets", number, Parts.of(spec, keys, changed), revision.digest(spec), "eva", "eva@here", "", START,
        START, "apply", RevisionStatus.SUCCEEDED, "", "0",
    )  # fmt: skip


def many_keys(number: int) -> list[Key]:
    return [Key("VirtualService", "demo", f"{number}-{index:x}") for index in range(MOST)]


SPEC = document(group())
# What each revision has, by its number.
STORES: Mapping[str, Callable[[int], Revision]] = {
    "mappings in each other": lambda number: with_spec(number, padded(SPEC, nested(VALUES - 1000))),
    "as many bytes": lambda number: with_spec(number, padded(SPEC, '"' + "x" * (UNPACKED - len(SPEC) - 20) + '"')),
    "as many resources": lambda number: with_spec(number, SPEC, many_keys(number)),
    "as many changes": lambda number: with_spec(
        number, SPEC, changed=[f"created VirtualService demo/{number}-{index:x}" for index in range(MOST)]
    ),
}  # fmt: skip


def everything(number: int) -> Revision:
    spec = STORES["mappings in each other"](number).parts.spec
    changed = STORES["as many changes"](number).parts.changed
    most = STORES["as many resources"](number)
    return replace(most, parts=most.parts._replace(spec=spec, changed=changed))


def spec_of(group_name: str, services: int) -> bytes:
    """A group that is valid, with so many services beside its own."""
    value = json.loads(SPEC)
    value["metadata"]["name"] = group_name
    versions = {version: {"labels": {"v": version}} for version in ("prod", "gray")}
    for number in range(services):
        value["spec"]["services"][f"s{number}"] = {"host": f"s{number}", "port": 9001, "versions": versions}
    return json.dumps(value).encode()


def stored_rollout(
    number: int, packed: bytes, *, phase: str = "Progressing", group_name: str = "pets", log: int = 1
) -> dict[str, Any]:
    """A rollout that has begun, from a group that is packed. `log`: bytes, as many as there is room for at most."""
    state = json.loads(Run(rollout([{"weight": 10}, {"pause": {}}, {"weight": 100}])).start().state.to_json())
    named = {**state["rollout"], "metadata": {**state["rollout"]["metadata"], "name": f"r{number}"}}
    named["spec"] = {**named["spec"], "group": group_name}
    entry = {**state["log"][-1], "why": ""}
    base = base64.b64encode(packed).decode()
    count = min(log, rollouts.LARGEST - len(base) - 20_000) // (len(json.dumps(entry)) + 5)
    more = ({**entry, "number": entry["number"] + one} for one in range(1, count))
    text = json.dumps({**state, "rollout": named, "log": [*state["log"], *more]})
    return rollout_object(text, f"r{number}", packed=base, group=group_name, phase=phase)


def full(make: Callable[[int], Revision]) -> list[dict[str, Any]]:
    """Ten revisions, and active rollouts whose groups are as large as is let through and whose logs fill their
    objects."""
    made = [make(number) for number in range(1, COUNT + 1)]
    packed = made[0].parts.spec
    active = [stored_rollout(number, packed, log=rollouts.LARGEST) for number in range(COUNT)]
    return [*map(revision.manifest, made), *active]


def empty() -> list[dict[str, Any]]:
    return [revision.manifest(with_spec(number, SPEC)) for number in range(1, COUNT + 1)]


def valid_groups() -> list[dict[str, Any]]:
    """Active rollouts of groups that a controller compiles and plans."""
    active = [
        stored_rollout(number, pack(spec_of(f"pets{number}", SERVICES)), group_name=f"pets{number}")
        for number in range(COUNT)
    ]
    return [*empty(), *active]


def many() -> list[dict[str, Any]]:
    """Small objects, half of the rollouts active."""
    revisions = [with_spec(number, SPEC) for number in range(1, MANY + 1)]
    stored = [
        stored_rollout(number, pack(SPEC), phase=("Progressing", "Aborted")[number % 2]) for number in range(MANY)
    ]
    return [*map(revision.manifest, revisions), *stored]


def many_and_large() -> list[dict[str, Any]]:
    """Objects that are full, of bytes that cannot be packed."""
    noise = '"' + os.urandom(420_000).hex() + '"'
    revisions = [with_spec(number, padded(SPEC, noise)) for number in range(1, LARGE + 1)]
    stored = [stored_rollout(number, pack(SPEC), log=rollouts.LARGEST) for number in range(LARGE)]
    return [*map(revision.manifest, revisions), *stored]


CONTENTS: Mapping[str, Callable[[], list[dict[str, Any]]]] = {
    "empty": empty,
    **{name: partial(full, make) for name, make in STORES.items()},
    "all of it": lambda: full(everything),
    f"{SERVICES} services in each group": valid_groups,
    f"{MANY} of each": many,
    f"{LARGE} of each, full": many_and_large,
}


def fill(api: FakeApi, stored: Iterable[dict[str, Any]]) -> None:
    api.objects.clear()
    api.put(*[service(f"{name}-svc") for name in ("cat", "mouse", "dog")])
    for name in ("cat", "mouse"):
        api.put(*[deployment(f"{name}-{version}", {"v": version}, 2) for version in ("v1", "v2")])
    api.put(*stored)


def peak(*arguments: str, seconds: float = 0.0) -> tuple[int, int]:
    """(megabytes, exit status) of a command; the controller is ended a while after it has begun to work."""
    with tempfile.TemporaryFile("w+b") as said:
        process = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=said)
        if seconds:
            while process.poll() is None and BEGUN not in text_of(said):
                time.sleep(0.1)
            time.sleep(seconds)
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=600)
        text = text_of(said)
    if os.environ.get("SAID"):
        print(text.decode()[:1500])
    return int(text.rpartition(b"peak ")[2]) // 1024, process.returncode


def text_of(said: IO[bytes]) -> bytes:
    return os.pread(said.fileno(), 1 << 24, 0)


def chosen(names: Iterable[str], parts: list[str]) -> list[str]:
    """The names that begin with one of these parts; all where none is given."""
    return [name for name in names if not parts or name.startswith(tuple(parts))]


def main() -> int:
    parser = argparse.ArgumentParser(description="Prints how much memory commands take on hostile stores.")
    parser.add_argument("--store", action="append", default=[], help="only stores that begin so; may be repeated")
    parser.add_argument("--command", action="append", default=[], help="only commands that begin so; may be repeated")
    parser.add_argument("--seconds", type=float, default=WATCHED, help=f"that the controller drives: {WATCHED:.0f}")
    options = parser.parse_args()
    worst = 0
    with tempfile.TemporaryDirectory() as name, api_server() as api:
        folder = Path(name)
        os.environ["KUBECONFIG"] = str(api.kubeconfig(folder))
        spec = folder / "graylane.yaml"
        spec.write_text(GROUP)
        commands: dict[str, tuple[tuple[str, ...], float]] = {
            "history": (("history", "pets", "-n", "demo"), 0),
            "status": (("status", "pets", "-n", "demo", NOW[0]), 0),
            "diff": (("diff", "-f", str(spec)), 0),
            "rollback": (("rollback", "pets", "-n", "demo", *NOW), 0),
            "apply": (("apply", "-f", str(spec), *NOW), 0),
            "rollout list": (("rollout", "list", "-n", "demo"), 0),
            "controller": (("controller", "-n", "demo", *NOW), options.seconds),
        }
        columns = chosen(commands, options.command)
        print(f"{'peak MB of resident memory':30}", *(f"{one:>13}" for one in columns))
        for store in chosen(CONTENTS, options.store):
            peaks, stored = [], CONTENTS[store]()
            for arguments, seconds in (commands[one] for one in columns):
                fill(api, stored)
                peaks.append(peak(*arguments, seconds=seconds)[0])
            worst = max(worst, *peaks)
            print(f"{store:30}", *(f"{one:13}" for one in peaks), flush=True)
    print(f"the most is {worst} MB; the limit is {LIMIT} MB")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
