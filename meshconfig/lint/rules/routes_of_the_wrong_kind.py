"""Routes of a kind that the Gateway's servers for their hosts do not use."""

from collections.abc import Iterator

from meshconfig.istio import MESH, Server, VirtualService
from meshconfig.istio.gateways import in_mesh, passes_tls, routes_http
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.shadowing.unreachable import gateways_of


def check(index: Index) -> Iterator[Hit]:
    for owner in index.bound_to_gateways:
        names = [name for name in gateways_of(owner) if name != MESH]
        if in_mesh(owner.spec.gateways) or any(name not in index.gateways for name in names):
            continue  # its routes may be for sidecars, or for a Gateway that is not here
        servers = [server for name in names for server in _serving(index, owner, name)]
        if servers and owner.spec.http and not any(map(routes_http, servers)):
            message = f"no route here is ever used: {_shown(servers)} forwards bytes, and http routes need HTTP"
            yield Hit(owner, ("spec", "http"), message)
        if servers and owner.spec.tls and not any(map(passes_tls, servers)):
            message = f"no route here is ever used: {_shown(servers)} does not pass TLS through, which tls routes need"
            yield Hit(owner, ("spec", "tls"), message)


def _serving(index: Index, owner: VirtualService, name: str) -> list[Server]:
    """The servers of a Gateway for the hosts of a VirtualService."""
    servers = index.servers(name, owner.namespace)
    found = {number for host in owner.spec.hosts for number in servers.overlapping(host)}
    return [index.gateways[name].spec.servers[number] for number in sorted(found)]


def _shown(servers: list[Server]) -> str:
    modes = dict.fromkeys(
        f"port {one.port.number} ({one.port.protocol}{f' {one.tls.mode}' if one.tls and one.tls.mode else ''})"
        for one in servers
    )
    return " and ".join(modes)


RULE = Rule(
    code="GL404",
    level=Level.ERROR,
    title="The routes are of a kind that the Gateway's server does not use.",
    fix="Write http routes for a server that ends TLS (SIMPLE, MUTUAL) or takes HTTP, tls routes for PASSTHROUGH.",
    why="A server that ends TLS reads HTTP and routes by it. One that passes TLS through reads the server name only. "
    "Requests get 404, or no connection.",
    needs=("Gateway",),
    resources=check,
)
