"""How much memory commands and the controller take on a cluster whose ConfigMaps somebody filled to every limit.

Each store is crafted: as many values, names or bytes as are let through, packed a thousandfold. Printed are the peaks
of resident memory (VmHWM) of each command; beyond 200 MB the script exits with 1. An empty store is beside them, as
Python and the Kubernetes client alone take a part of it. It needs the tests' stand-in for an API server:

    PYTHONPATH=tests/support python benchmarks/hostile_store.py
"""

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
from pathlib import Path
from typing import Any

from fake_api import FakeApi, api_server, deployment, service
from rollout_world import GROUP, Run, group, rollout

from meshconfig.bounded import DEPTH, UNPACKED, VALUES
from meshconfig.cluster import revision, rollouts
from meshconfig.cluster.objects import Key
from meshconfig.cluster.revision import MOST, Parts, Revision, RevisionStatus, document
from meshconfig.cluster.rollouts import Standing, Stored

LIMIT = 200  # MB
COUNT = 10  # revisions, and rollouts
NOWHERE = "http://127.0.0.1:1"
NOW = (f"--istiod={NOWHERE}", "--wait=0", "--drain=0")
START = datetime(2026, 1, 1, tzinfo=UTC)
WATCHED = 8.0  # seconds that the controller drives
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
    "empty": lambda number: with_spec(number, SPEC),
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


def stored_rollouts(packed: bytes) -> list[dict[str, Any]]:
    """Active rollouts: their groups are as large as is let through, and their logs fill their ConfigMaps."""
    state = json.loads(Run(rollout([{"weight": 10}, {"pause": {}}, {"weight": 100}])).start().state.to_json())
    found = []
    for number in range(COUNT):
        named = {**state["rollout"], "metadata": {**state["rollout"]["metadata"], "name": f"r{number}"}}
        entry = {**state["log"][-1], "why": ""}
        count = (rollouts.LARGEST - len(packed) - 20_000) // (len(json.dumps(entry)) + 5)
        first = entry["number"]
        log = [*state["log"], *({**entry, "number": first + more} for more in range(1, count))]
        text = json.dumps({**state, "rollout": named, "log": log})
        found.append(rollouts.manifest(Stored("demo", f"r{number}", "pets", Standing.ACTIVE, text, {}, packed)))
    return found


def contents(store: str, make: Callable[[int], Revision]) -> list[dict[str, Any]]:
    made = [make(number) for number in range(1, COUNT + 1)]
    rest = [] if store == "empty" else stored_rollouts(made[0].parts.spec)
    return [*map(revision.manifest, made), *rest]


def fill(api: FakeApi, stored: Iterable[dict[str, Any]]) -> None:
    api.objects.clear()
    api.put(*[service(f"{name}-svc") for name in ("cat", "mouse", "dog")])
    for name in ("cat", "mouse"):
        api.put(*[deployment(f"{name}-{version}", {"v": version}, 2) for version in ("v1", "v2")])
    api.put(*stored)


def peak(*arguments: str, seconds: float = 0.0) -> tuple[int, int]:
    """(megabytes, exit status) of a command; the controller is ended after a while."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if seconds:
        time.sleep(seconds)
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    if os.environ.get("SAID"):
        print(said.decode()[:1500])
    return int(said.rpartition(b"peak ")[2]) // 1024, process.returncode


def main() -> int:
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
            "rollout run": (("rollout", "run", "-n", "demo", *NOW), WATCHED),
        }
        print(f"{'peak MB of resident memory':28}", *(f"{one:>13}" for one in commands))
        for store, make in {**STORES, "all of it": everything}.items():
            peaks, stored = [], contents(store, make)
            for arguments, seconds in commands.values():
                fill(api, stored)
                peaks.append(peak(*arguments, seconds=seconds)[0])
            worst = max(worst, *peaks)
            print(f"{store:28}", *(f"{one:13}" for one in peaks), flush=True)
    print(f"the most is {worst} MB; the limit is {LIMIT} MB")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
