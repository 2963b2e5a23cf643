"""What a rollout of two services that depend on each other breaks: by Argo Rollouts, by Flagger, and by graylane.

    make bench-peers

A caller of one version must meet a callee of the same version: a chain with two versions counts as mixed. Each tool
moves the chain from v1 to v2 and then to v3, by 10, 50, 80 and 100 %, under 125 requests a second, on one lab. Printed
is a row for each tool. The exit status is 1 if graylane fails or mixes a single request; what the peers break is
printed alone. It needs the lab with both peers, the API server's audit log, and `prometheus` on PATH (Debian's
package) for Flagger: benchmarks/peers_lab.sh.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import load
from audit_log import AuditLog, Calls
from load_judge import Row, total
from load_story import Story
from mesh_cluster import gateway_address, kubectl
from peer_argo import ArgoRollouts
from peer_flagger import Flagger
from peer_graylane import Graylane
from peer_mesh import VERSIONS, OneVersion, Tool, host

AUDIT = "GRAYLANE_AUDIT_LOG"
TOOLS: Sequence[Tool] = (ArgoRollouts(), Flagger(), Graylane())
OURS = TOOLS[-1].name
LONGEST = 900.0  # seconds of load for one tool, at most
PATIENCE = 360.0  # seconds for a move
LOOK = 1.0  # seconds between two looks at a tool's status
REST = 10.0  # seconds of load after a move, in which what is late shows


@dataclass(frozen=True)
class Result:
    tool: str
    requests: Row
    calls: Calls

    @property
    def intact(self) -> bool:
        return bool(self.requests.sent and not self.requests.failed and not self.requests.mixed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [tool.name for tool in TOOLS]
    parser.add_argument("--tool", action="append", choices=names, help="this one alone; may be repeated")
    chosen = parser.parse_args().tool or names
    if AUDIT not in os.environ or not shutil.which("prometheus"):
        sys.exit(
            f"peers.py: needs the lab, with {AUDIT}, and `prometheus` on PATH (Debian's package): make bench-peers"
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what it has started ends with it
    log = AuditLog(Path(os.environ[AUDIT]))
    results = [measured(tool, log) for tool in TOOLS if tool.name in chosen]
    print(table(results))
    return exit_status(results)


def measured(tool: Tool, log: AuditLog) -> Result:
    print(f"\n== {tool.name}", flush=True)
    with tempfile.TemporaryDirectory() as name, tool.ready(Path(name)):
        story = Story(gateway_address(), host(tool.namespace), Path(name) / "requests.jsonl", OneVersion())
        story.ready()
        with load.load(story.address, story.host, ("",), story.out, seconds=LONGEST):
            time.sleep(REST)
            begin = log.end()
            for old, new in pairwise(VERSIONS):
                move(tool, story, old, new)
                time.sleep(REST)
            calls = log.calls(begin, tool.is_caller)
        print(story.tell(tool.name), flush=True)
        found = Result(tool.name, total(story.rows()), calls)
    kubectl("delete", "namespace", tool.namespace, "--wait=false")
    return found


def move(tool: Tool, story: Story, old: str, new: str) -> None:
    with story.change(f"{old} to {new}", OneVersion()):
        end = time.monotonic() + PATIENCE
        tool.move(old, new)
        while not tool.moved(new):
            assert time.monotonic() < end, f"{tool.name}: not at {new} after {PATIENCE:.0f} s"
            time.sleep(LOOK)


def exit_status(results: Sequence[Result]) -> int:
    """1 if graylane has failed or mixed a request, or got none."""
    return int(any(not one.intact for one in results if one.tool == OURS))


def table(results: Sequence[Result]) -> str:
    lines = [
        "",
        f"{'':14} {'requests':>9} {'failed':>7} {'mixed':>7} {'seconds':>8} {'API calls':>10} {'reads':>7} "
        f"{'writes':>7} {'watches':>8} {'Leases':>7}",
    ]
    for one in results:
        row, calls = one.requests, one.calls
        lines.append(
            f"{one.tool:14} {row.sent:9,} {row.failed:7,} {row.mixed:7,} {row.seconds:8.0f} {calls.total:10,} "
            f"{calls.reads:7,} {calls.writes:7,} {calls.watches:8,} {calls.leases:7,}"
        )
    lines += [
        "mixed: a chain with two versions. seconds: of both moves.",
        "API calls: of the tool's own controller, by the API server's audit log. Leases: how many of the calls are for",
        "Leases; the peers run without leader election here, graylane with it.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
