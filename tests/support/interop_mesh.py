"""The mesh of the interop tests: five services in four stacks, three lanes."""

import sys
from typing import Any

from interop_builds import HERE

from meshconfig.model import Carries

LANES = ("prod", "gray", "blue")
# Service → in which headers it carries the tag. `otel` is Go with stock OpenTelemetry, `go` the same with the
# propagator of docs/other-languages.md.
CARRIES: dict[str, Carries] = {"asgi": "both", "wsgi": "both", "sleuth": "header", "otel": "baggage", "go": "both"}
VERSIONS = {name: ("prod", "gray") if name == "sleuth" else LANES for name in CARRIES}
ENTRIES: dict[str, dict[str, Any]] = {
    "trusted": {"tag": "trusted"},
    "untrusted": {"tag": "untrusted"},
    "admit": {"tag": "untrusted", "admit": [{"lane": "gray", "match": {"headers": {"x-tester": "1"}}}]},
    "keep": {"tag": "trusted", "baggage": "keep"},
}


def spec():
    services = {
        name: {
            "host": f"{name}-svc",
            "port": 9001,
            "calls": [other for other in CARRIES if other != name],
            "carries": carries,
            "versions": {version: {"labels": {"env": version}} for version in VERSIONS[name]},
        }
        for name, carries in CARRIES.items()
    }
    entries = [
        {"hosts": [f"{kind}.{name}.example.com"], **entry, "routes": [{"path": {"prefix": "/"}, "service": name}]}
        for name in CARRIES
        for kind, entry in ENTRIES.items()
    ]
    body = {"tag": {"baggage": True}, "lanes": {lane: {} for lane in LANES}, "services": services, "entries": entries}
    return _document("LaneGroup", body)


def workloads(programs):
    return _document(
        "LocalMesh",
        {
            "examplePath": "/chain/",
            "workloads": {
                name: {version: {"command": command(programs, name, version)} for version in VERSIONS[name]}
                for name in CARRIES
            },
        },
    )


def command(programs, name, version):
    peers = ",".join(f"{other}={{{other}}}" for other in CARRIES if other != name)
    match name:
        case "asgi" | "wsgi":
            return [sys.executable, str(HERE / "peer.py"), name, name, version, "{port}", peers]
        case "sleuth":
            java = ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", str(programs["sleuth"])]
            return [*java, f"--name={name}", f"--version={version}", "--server.port={port}", f"--peers={peers}"]
    header = ["-header", "env"] if name == "go" else []
    return [str(programs["go"]), "-name", name, "-version", version, "-port", "{port}", "-peers", peers, *header]


def _document(kind, body):
    return {
        "apiVersion": "graylane/v1",
        "kind": kind,
        "metadata": {"name": "stacks", "namespace": "demo"},
        "spec": body,
    }
