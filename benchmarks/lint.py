"""Whether the time of lint grows with its input or faster: 1,000 beside 10,000 of each, in one run.

    python benchmarks/lint.py [--small 1000 --large 10000]

Each row is one kind of input: what a spec has many of, what a VirtualService, a DestinationRule or a Gateway has many
of, and many resources in one file. A ratio of 10 is linear, 100 is quadratic; above 20 the run fails. CPU time counts,
since other work on the machine disturbs it less. The last line is the command as a user runs it, with 10,000 services.
"""

import argparse
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from math import isqrt
from pathlib import Path

from meshconfig.cli.batch import batch
from meshconfig.lint import index, lint, rules
from meshconfig.load import parse

GRAYLANE = str(Path(sys.executable).with_name("graylane"))
LIMIT = 2.0  # times as much as the input grows
SECONDS = 3.0
RUNS = 3  # the least of them counts: other work on the machine can only add to it


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
        return min(_cpu_seconds([GRAYLANE, "lint", "-f", str(file)]) for _ in range(RUNS))


def _cpu_seconds(command: list[str]) -> float:
    # Modules are compiled in the first run, and read from their caches in each later one, unless this is set.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, check=False, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def spec(
    services: int = 2,
    lanes: int = 2,
    paths: int = 1,
    tag: str = "{}",
    rules: int = 0,
    versions: int = 0,
    hosts: int = 1,
    entries: int = 1,
) -> str:
    """A spec. Each service has a version for each lane, and `versions` others; each has the `rules`."""
    names = ["prod", *(f"lane-{number}" for number in range(1, lanes))]
    every = [*names, *(f"v{number}" for number in range(versions))]
    labelled = ", ".join(f"{name}: {{labels: {{env: {name}}}}}" for name in every)
    ruled = ", ".join(f"{{match: {{headers: {{user: u{one}}}}}, weights: {{prod: 1}}}}" for one in range(rules))
    own = f"port: 80, versions: {{{labelled}}}, rules: [{ruled}]"
    routes = [f"        - {{path: {{prefix: /p{number}/}}, service: s0}}" for number in range(paths)]
    return "\n".join(
        [
            "apiVersion: graylane.dev/v1\nkind: LaneGroup\nmetadata: {name: bench, namespace: demo}\nspec:",
            f"  tag: {tag}",
            "  lanes:",
            *(f"    {name}: {{}}" for name in names),
            "  services:",
            *(f"    s{one}: {{host: s{one}-svc, {own}}}" for one in range(services)),
            "  entries:",
            *(line for one in range(entries) for line in (entry(f"e{one}", hosts), *routes)),
            "",
        ]
    )


def outside(services: int) -> str:
    """A spec of services outside the mesh, each with a sandbox for lane gray."""
    hosts = (f"s{one}.example.com" for one in range(services))
    own = "port: 80, external: {port: 443, tls: SIMPLE}"
    named = (f"{{prod: {{host: {host}}}, gray: {{host: sandbox.{host}}}}}" for host in hosts)
    return "\n".join(
        [
            "apiVersion: graylane.dev/v1\nkind: LaneGroup\nmetadata: {name: bench, namespace: demo}\nspec:",
            "  lanes: {prod: {}, gray: {}}\n  services:",
            *(
                f"    s{number}: {{host: s{number}.example.com, {own}, versions: {one}}}"
                for number, one in enumerate(named)
            ),
            "",
        ]
    )


def entry(name: str, hosts: int) -> str:
    names = ", ".join(f"h{number}.{name}.example.com" for number in range(hosts))
    return f"    - hosts: [{names}]\n      tag: trusted\n      routes:"


CAT = "cat.demo.svc.cluster.local"


def istio(kind: str, spec: str, name: str = "cat", namespace: str = "demo") -> str:
    head = (
        f"---\napiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
    )
    return f"{head}spec: {spec}\n"


def service(name: str) -> str:
    head = f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: demo}}\n"
    return f"{head}spec: {{ports: [{{port: 80, name: http}}]}}\n"


def routed(matches: Iterator[str]) -> str:
    """A VirtualService with a route for each match, and a last one without."""
    to = f"route: [{{destination: {{host: {CAT}}}}}]"
    routes = "".join(f"    - {{match: [{match}], {to}}}\n" for match in matches)
    return istio("VirtualService", f"\n  hosts: [{CAT}]\n  http:\n{routes}    - {{{to}}}")


def to_subsets(size: int) -> str:
    """A DestinationRule, and a VirtualService with a route to each of its subsets."""
    subsets = ", ".join(f"{{name: v{one}, labels: {{v: v{one}}}}}" for one in range(size))
    to = f"route: [{{destination: {{host: {CAT}, subset: v%d}}}}]"
    routes = "".join(f"\n    - {{match: [{header(f'{{exact: v{one}}}')}], {to % one}}}" for one in range(size))
    return istio("DestinationRule", f"{{host: {CAT}, subsets: [{subsets}]}}") + istio(
        "VirtualService", f"\n  hosts: [{CAT}]\n  http:{routes}"
    )


def to_subsets_of(size: int, namespace: str) -> str:
    """DestinationRules for one host, each in a namespace of its own or all in one, and a route to each one's subset."""
    rule = "{host: %s, subsets: [{name: v%d, labels: {v: v%d}}]}"
    to = "route: [{destination: {host: %s, subset: v%d}}]"
    rules = "".join(
        istio("DestinationRule", rule % (CAT, one, one), f"cat-{one}", namespace.format(one)) for one in range(size)
    )
    routes = "".join(f"\n    - {{match: [{header(f'{{exact: v{one}}}')}], {to % (CAT, one)}}}" for one in range(size))
    return rules + istio("VirtualService", f"\n  hosts: [{CAT}]\n  http:{routes}")


def of_hosts(size: int) -> str:
    """Services, and a VirtualService for all of them, with a route to each."""
    names = [f"h{one}.demo.svc.cluster.local" for one in range(size)]
    routes = "".join(f"\n    - {{match: [{header(f'{{exact: {one}}}')}], {to_host(one)}}}" for one in names)
    return "".join(service(f"h{one}") for one in range(size)) + istio(
        "VirtualService", f"\n  hosts: [{', '.join(names)}]\n  http:{routes}"
    )


def to_host(host: str) -> str:
    return f"route: [{{destination: {{host: {host}}}}}]"


def at_a_gateway(size: int) -> str:
    """A Gateway with as many servers, and a VirtualService for each of their hosts."""
    servers = ", ".join(
        f"{{port: {{number: {one % 60000 + 1}, name: http-{one}, protocol: HTTP}}, hosts: [h{one}.example.com]}}"
        for one in range(size)
    )
    bound = "{gateways: [shop], hosts: [h%d.example.com], http: [{%s}]}"
    return istio("Gateway", f"{{selector: {{istio: ingressgateway}}, servers: [{servers}]}}", "shop") + "".join(
        istio("VirtualService", bound % (one, to_host(CAT)), f"shop-{one}") for one in range(size)
    )


def documents(size: int) -> str:
    """Services, each with a DestinationRule and a VirtualService, in a document each."""
    rule, routes = "{host: c%d, subsets: [{name: a, labels: {v: a}}]}", "{hosts: [c%d], http: [{%s}]}"
    return "".join(
        service(f"c{one}")
        + istio("DestinationRule", rule % one, f"c{one}")
        + istio("VirtualService", routes % (one, to_host(f"c{one}")), f"c{one}")
        for one in range(size)
    )


def header(value: str) -> str:
    return f"{{headers: {{env: {value}}}}}"


INPUTS: dict[str, Callable[[int], str]] = {
    "services": lambda size: spec(services=size),
    "services outside the mesh": outside,
    "lanes": lambda size: spec(lanes=size),
    "lanes, in baggage too": lambda size: spec(lanes=size, tag="{baggage: true}"),
    "paths": lambda size: spec(paths=size),
    "paths times as many lanes": lambda size: spec(paths=isqrt(size), lanes=isqrt(size)),
    "rules": lambda size: spec(services=1, rules=size),
    "versions": lambda size: spec(services=1, versions=size),
    "hosts of an entry": lambda size: spec(hosts=size),
    "entries": lambda size: spec(entries=size),
    "subsets, with a route to each": to_subsets,
    "DestinationRules of one host": lambda size: to_subsets_of(size, "demo"),
    "the same, in as many namespaces": lambda size: to_subsets_of(size, "n{}"),
    "hosts, with a route to each": of_hosts,
    "servers of a Gateway": at_a_gateway,
    "services as manifests": documents,
    "routes, exact": lambda size: routed(header(f"{{exact: v{one}}}") for one in range(size)),
    "routes, by path": lambda size: routed(f"{{uri: {{prefix: /p{one}/}}}}" for one in range(size)),
    "routes, by two headers": lambda size: routed(
        f"{{headers: {{a: {{exact: v{one % isqrt(size)}}}, b: {{exact: v{one // isqrt(size)}}}}}}}"
        for one in range(size)
    ),
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
