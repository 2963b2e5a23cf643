"""Whether the time of lint grows with its input or faster: 1,000 beside 10,000 of each, in one run.

    python benchmarks/lint.py [--small 1000 --large 10000]

Each row is one kind of input: services, lanes or paths of a spec, routes of a VirtualService, alternatives of one route
or of one expression. A ratio of 10 is linear, 100 is quadratic; above 20 the run fails. CPU time counts, since other
work on the machine disturbs it less. The last line is the command as a user runs it, with 10,000 services.
"""

import argparse
import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from meshconfig.cli.batch import batch
from meshconfig.lint import index, lint, rules
from meshconfig.load import parse

GRAYLANE = str(Path(sys.executable).with_name("graylane"))
LIMIT = 2.0  # times as much as the input grows
SECONDS = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--large", type=int, default=10_000)
    given = parser.parse_args()
    rules()  # imported before the first is timed
    growth = given.large / given.small
    print(f"{'':34}{given.small:>9,}{given.large:>9,}{'ratio':>8}   CPU seconds; {growth:.0f} is linear")
    good = [row(name, make, given.small, given.large, growth) for name, make in INPUTS.items()]
    command = as_a_user(spec(services=given.large))
    print(f"\ngraylane lint, {given.large:,} services: {command:.1f} s of CPU (to reach: at most {SECONDS:.0f})")
    return 0 if all(good) and command <= SECONDS else 1


def row(name: str, make: Callable[[int], str], small: int, large: int, growth: float) -> bool:
    few, many = (seconds(make(size)) for size in (small, large))
    print(f"{name:34}{few:9.2f}{many:9.2f}{many / few:8.1f}", flush=True)
    return many / few <= LIMIT * growth


def seconds(text: str) -> float:
    gc.collect()
    with batch():
        began = time.process_time()
        lint(index(parse(text, "bench.yaml")))
        return time.process_time() - began


def as_a_user(text: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "graylane.yaml"
        file.write_text(text)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([GRAYLANE, "lint", "-f", str(file)], capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spec(services: int = 2, lanes: int = 2, paths: int = 1, tag: str = "{}") -> str:
    names = ["prod", *(f"lane-{number}" for number in range(1, lanes))]
    versions = ", ".join(f"{name}: {{labels: {{env: {name}}}}}" for name in names)
    return "\n".join(
        [
            "apiVersion: graylane/v1\nkind: LaneGroup\nmetadata: {name: bench, namespace: demo}\nspec:",
            f"  tag: {tag}",
            "  lanes:",
            *(f"    {name}: {{}}" for name in names),
            "  services:",
            *(f"    s{one}: {{host: s{one}-svc, port: 80, versions: {{{versions}}}}}" for one in range(services)),
            "  entries:\n    - hosts: [shop.example.com]\n      tag: trusted\n      routes:",
            *(f"        - {{path: {{prefix: /p{number}/}}, service: s0}}" for number in range(paths)),
            "",
        ]
    )


def routed(matches: Iterator[str]) -> str:
    """A VirtualService with a route for each match, and a last one without."""
    to = "route: [{destination: {host: cat.demo.svc.cluster.local}}]"
    head = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cat, namespace: demo}\n"
    routes = "".join(f"    - {{match: [{match}], {to}}}\n" for match in matches)
    return f"{head}spec:\n  hosts: [cat.demo.svc.cluster.local]\n  http:\n{routes}    - {{{to}}}\n"


def header(value: str) -> str:
    return f"{{headers: {{env: {value}}}}}"


INPUTS: dict[str, Callable[[int], str]] = {
    "services": lambda size: spec(services=size),
    "lanes": lambda size: spec(lanes=size),
    "lanes, in baggage too": lambda size: spec(lanes=size, tag="{baggage: true}"),
    "paths": lambda size: spec(paths=size),
    "routes, exact": lambda size: routed(header(f"{{exact: v{one}}}") for one in range(size)),
    "routes, by path": lambda size: routed(f"{{uri: {{prefix: /p{one}/}}}}" for one in range(size)),
    "routes, by expression": lambda size: routed(header(f"{{regex: 'v{one}[0-9]+'}}") for one in range(size)),
    "routes, by expression without start": lambda size: routed(header(f"{{regex: '.*v{one}'}}") for one in range(size)),
    "alternatives in match": lambda size: routed(
        iter([", ".join(header(f"{{exact: v{one}}}") for one in range(size))])
    ),
    "alternatives in match, by path": lambda size: routed(
        iter([", ".join(f"{{uri: {{prefix: /p{one}/}}}}" for one in range(size))])
    ),
    "alternatives in an expression": lambda size: routed(
        iter([header(f"{{regex: '{'|'.join(f'v{one}' for one in range(size))}'}}")] * 2)
    ),
}


if __name__ == "__main__":
    sys.exit(main())
