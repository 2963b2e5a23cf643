"""Cases of `graylane test`, as values to write into a file, and what they are about."""

from pathlib import Path
from typing import Any

from istio_world import deployment, gateway, in_mesh, rule, service, to, virtual_service

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "examples" / "cat-mouse" / "graylane.yaml"
GRAY = {"headers": {"env": {"exact": "gray"}}}
MESH = (service(), rule(), in_mesh("cat", to("gray", GRAY), to("prod")), deployment("cat", "gray"))
OUTSIDE = (*MESH, gateway(), virtual_service("shop", to("gray", GRAY), to("prod")))


def written_as(*written: Any, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "graylane.dev/v1", "kind": "RouteTest", "spec": {"cases": list(written)}, **more}


def case(expect: Any, host: Any = "cat.example.com", name: Any = "it", **request: Any) -> dict[str, Any]:
    return {"name": name, "request": {"host": host, **request}, "expect": expect}
