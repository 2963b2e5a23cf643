"""From one YAML spec to YAML documents, beside `helm template` of a chart that writes the same: ratios inside one run.

    PYTHONPATH=tests/support python benchmarks/compile.py [--services 10000]

Each tool runs as a user runs it, as its own process; they alternate and the median counts. Peak memory is that of the
process. The fit over 1,000, 3,000 and the full number shows whether time grows with the services or faster.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from helm import helm

ROUNDS = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10_000)
    services = parser.parse_args().services
    with tempfile.TemporaryDirectory() as folder:
        return compare(Path(folder), services)


def compare(folder: Path, services: int) -> int:
    spec, chart = write_spec(folder, services), write_chart(folder, services)
    commands = {"graylane render": graylane("render", spec), "helm template": [helm(), "template", "big", str(chart)]}
    taken = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            taken[name].append(run(command, folder / "out"))
    times = {name: statistics.median(seconds for seconds, _ in runs) for name, runs in taken.items()}
    peaks = {name: max(peak for _, peak in runs) for name, runs in taken.items()}
    print(f"{services:,} services x 2 lanes, {os.cpu_count()} cores, median of {ROUNDS}\n")
    print(f"{'':18}{'seconds':>9}{'peak MB':>9}")
    for name in commands:
        print(f"{name:18}{times[name]:9.2f}{peaks[name] / 1e6:9.0f}")
    ours, theirs = commands
    ratio, memory = times[ours] / times[theirs], peaks[ours] / peaks[theirs]
    print(f"\ntime   {ratio:.2f} of helm's (to reach: at most 2.0)")
    print(f"memory {memory:.2f} of helm's (to reach: at most 1.5)\n")
    fit(folder, services, times[ours])
    other = by_gateway_api(folder, services)
    lint = run(graylane("lint", spec), folder / "out", check=False)[0]
    print(f"lint of the same: {lint:.1f} s (to reach: at most 3)")
    # Last, because a child's peak memory counts from what this process holds when it starts it.
    same(commands, folder)
    explain(spec)
    return 0 if ratio <= 2.0 and memory <= 1.5 and lint <= 3 and other <= 1.5 else 1


def fit(folder: Path, services: int, at_full: float) -> None:
    """A straight line through three sizes; how far the times are from it says whether the cost is linear."""
    sizes = [services // 10, services * 3 // 10, services]
    times = [time_of(folder, size) for size in sizes[:2]] + [at_full]
    slope, start = statistics.linear_regression(sizes, times)
    print(f"{'services':>10}{'seconds':>9}{'on the line':>13}")
    for size, seconds in zip(sizes, times, strict=True):
        print(f"{size:10,}{seconds:9.2f}{start + slope * size:13.2f}")
    print(f"{start:.2f} s to start, {slope * 1e6:.0f} us for each service\n")


def by_gateway_api(folder: Path, services: int) -> float:
    """The backend `gateway`'s time for each document, as a share of the backend `istio`'s; they alternate here too."""
    spec = folder / "selectors.yaml"  # the Service of a version needs to know its service's Pods
    text = write_spec(folder, services).read_text()
    spec.write_text(re.sub(r"host: (s\d+)-svc\n", r"host: \1-svc\n      selector: {app: \1}\n", text))
    taken: dict[str, list[float]] = {"istio": [], "gateway": []}
    documents = {}
    for _ in range(ROUNDS):
        for backend, runs in taken.items():
            runs.append(run([*graylane("render", spec), "--backend", backend], folder / "out")[0])
            documents[backend] = (folder / "out").read_text().count("\nkind: ")
    each = {backend: statistics.median(runs) / documents[backend] for backend, runs in taken.items()}
    for backend, seconds in each.items():
        print(f"backend {backend:8}{documents[backend]:8,} documents, {seconds * 1e6:.0f} us each")
    ratio = each["gateway"] / each["istio"]
    print(f"a document of Gateway API: {ratio:.2f} of one of Istio's API (to reach: at most 1.5)\n")
    return ratio


def time_of(folder: Path, services: int) -> float:
    spec = write_spec(folder, services)
    return statistics.median(run(graylane("render", spec), folder / "out")[0] for _ in range(ROUNDS))


def explain(spec: Path) -> None:
    """One question after the spec is loaded."""
    from meshconfig.compile import compile_group
    from meshconfig.groups import read
    from meshconfig.istio import Resources
    from meshconfig.render import render
    from meshconfig.simulate import Index, Request, simulate

    index = Index(Resources.parse(render([compile_group(group.spec) for group in read([str(spec)])])))
    started = time.perf_counter()
    simulate(index, Request("s7-svc.demo.svc.cluster.local", headers=(("env", "gray"),), port=9001))
    print(f"explain after load: {(time.perf_counter() - started) * 1000:.1f} ms (to reach: under 300)")


def graylane(command: str, spec: Path) -> list[str]:
    return [str(Path(sys.executable).with_name("graylane")), command, "-f", str(spec)]


def run(command: list[str], out: Path, *, check: bool = True) -> tuple[float, int]:
    """Wall seconds and peak bytes of one process that writes to a file."""
    started = time.perf_counter()
    with out.open("wb") as file:
        process = subprocess.Popen(command, stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if check and process.returncode:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - started, resource.struct_rusage(usage).ru_maxrss * unit


def same(commands: dict[str, list[str]], folder: Path) -> None:
    """Both write the same documents; a comparison of anything else would be worth nothing."""
    documents = []
    for command in commands.values():
        run(command, folder / "out")
        with (folder / "out").open() as stream:
            found = list(yaml.load_all(stream, Loader=yaml.CSafeLoader))
        documents.append(sorted(found, key=lambda one: (one["kind"], one["metadata"]["name"])))
    assert documents[0] == documents[1], "the chart does not write what graylane writes"


def write_spec(folder: Path, services: int) -> Path:
    file = folder / f"spec-{services}.yaml"
    head = "apiVersion: graylane.dev/v1\nkind: LaneGroup\nmetadata: {name: big, namespace: demo}\n"
    body = "".join(
        f"    s{i}:\n      host: s{i}-svc\n      port: 9001\n      calls: [s{(i + 1) % services}]\n      versions:\n"
        "        prod: {labels: {env: prod}}\n        gray: {labels: {env: gray}}\n"
        for i in range(services)
    )
    file.write_text(f"{head}spec:\n  lanes: {{prod: {{}}, gray: {{}}}}\n  services:\n{body}")
    return file


def write_chart(folder: Path, services: int) -> Path:
    chart = folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: big\nversion: 0.1.0\n")
    values = {
        "services": {f"s{i}": {"host": f"s{i}-svc", "port": 9001} for i in range(services)},
        "lanes": ["prod", "gray"],
    }
    (chart / "values.yaml").write_text(yaml.dump(values, Dumper=yaml.CSafeDumper))
    (chart / "templates" / "mesh.yaml").write_text(TEMPLATE)
    return chart


METADATA = """\
metadata:
  name: {{ $service.host }}
  namespace: demo
  labels:
    app.kubernetes.io/managed-by: graylane
    graylane.dev/group: big
"""
DESTINATION = """\
    route:
    - destination:
        host: {{ $host }}
        port:
          number: {{ $service.port }}
        subset: %s
"""
TEMPLATE = f"""\
{{{{- range $name, $service := .Values.services }}}}
{{{{- $host := printf "%s.demo.svc.cluster.local" $service.host }}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
{METADATA}spec:
  host: {{{{ $host }}}}
  subsets:
{{{{- range $.Values.lanes }}}}
  - name: {{{{ . }}}}
    labels:
      env: {{{{ . }}}}
{{{{- end }}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
{METADATA}spec:
  hosts:
  - {{{{ $host }}}}
  gateways:
  - mesh
  http:
{{{{- range $.Values.lanes }}}}
  - name: {{{{ . }}}}
    match:
    - headers:
        env:
          exact: {{{{ . }}}}
{DESTINATION % "{{ . }}"}{{{{- end }}}}
  - name: default
{DESTINATION % "prod"}{{{{- end }}}}
"""

if __name__ == "__main__":
    sys.exit(main())
