"""HTTP routes for a Service whose ports are declared as something else."""

from collections.abc import Iterator

from meshconfig.istio.ports import may_be_http, protocol
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for host, owners in index.mesh_virtual_services.items():
        service = index.services.get(host)
        if service is None or not service.spec.ports:
            continue
        protocols = {port.port: protocol(port) for port in service.spec.ports}
        if any(map(may_be_http, protocols.values())):
            continue
        shown = ", ".join(f"port {port} is {name}" for port, name in protocols.items())
        for owner in owners:
            if owner.spec.http:
                yield Hit(owner, ("spec", "http"), f"no route here is ever used: of {host}, {shown}")


RULE = Rule(
    code="GL502",
    level=Level.ERROR,
    title="HTTP routes are for a Service that has no HTTP port.",
    fix="Name the port http or http-SOMETHING, or set appProtocol: http.",
    why="Istio forwards such a port byte by byte and reads no header: every caller gets any version.",
    needs=("Service",),
    resources=check,
)
