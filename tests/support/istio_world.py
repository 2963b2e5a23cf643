"""A small mesh for tests of routing: terse manifests, and what `simulate` says in words."""

from meshconfig.istio import Resources
from meshconfig.simulate import ANY_GATEWAY, Destination, Index, Request, simulate

NETWORKING = "networking.istio.io/v1"
PORT = 9001
GRAY, PROD = {"env": "gray"}, {"env": "prod"}


def manifest(kind, name, spec, namespace="demo", api="networking.istio.io/v1", **metadata):
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }


def virtual_service(name, *http, hosts=("shop.example.com",), gateways=("gw",), namespace="demo", created="", **spec):
    spec = {"hosts": list(hosts), "gateways": list(gateways), "http": list(http), **spec}
    return manifest("VirtualService", name, spec, namespace, creationTimestamp=created)


def in_mesh(name, *http, hosts=("cat",), **more):
    return virtual_service(name, *http, hosts=hosts, gateways=("mesh",), **more)


def target(subset="", host="cat", weight=None, port=None, headers=None):
    destination = {"host": host, "subset": subset, **({"port": {"number": port}} if port else {})}
    given = {"weight": weight, "headers": headers}
    return {"destination": destination, **{name: value for name, value in given.items() if value is not None}}


def to(subset="", *match, host="cat", **route):
    """A route to one destination, for any of these matches."""
    return {"route": [target(subset, host)], **({"match": list(match)} if match else {}), **route}


def says(status, *match, **route):
    """A route that answers by itself: told apart by its status."""
    return {"directResponse": {"status": status}, **({"match": list(match)} if match else {}), **route}


def gateway(
    name="gw", hosts=("*.example.com",), *, port=80, protocol="HTTP", namespace="demo", selector=None, **server
):
    served = {"port": {"number": port, "name": f"p{port}", "protocol": protocol}, "hosts": list(hosts), **server}
    spec = {"selector": selector or {"istio": "ingressgateway"}, "servers": [served]}
    return manifest("Gateway", name, spec, namespace)


def rule(host="cat", subsets=("prod", "gray"), *, name="", namespace="demo", created="", **spec):
    listed = [{"name": one, "labels": {"env": one}} for one in subsets]
    spec = {"host": host, "subsets": listed, **spec}
    return manifest("DestinationRule", name or host, spec, namespace, creationTimestamp=created)


def service(name="cat", *, ports=((PORT, "http"),), namespace="demo", annotations=None, **spec):
    listed = [{"port": number, "name": label} for number, label in ports]
    spec = {"selector": {"app": name}, "ports": listed, **spec}
    return manifest("Service", name, spec, namespace, "v1", annotations=annotations or {})


def deployment(app, env, namespace="demo", **labels):
    template = {"metadata": {"labels": {"app": app, "env": env, **labels}}}
    return manifest("Deployment", f"{app}-{env}", {"template": template}, namespace, "apps/v1")


BASE = (
    gateway(),
    *(one for app in ("cat", "mouse") for one in (service(app), rule(app))),
    *(deployment(app, env) for app in ("cat", "mouse") for env in ("prod", "gray")),
    service("dog", namespace="other"),
    deployment("dog", "prod", "other"),
)


def world(*manifests, base=BASE):
    return Index(Resources.parse([*base, *manifests]))


def at_gateway(index, path="/", headers=(), host="shop.example.com", gateway=ANY_GATEWAY, **more):
    return simulate(index, Request(host, path, headers=headers, gateway=gateway, **more))


def from_pod(index, host="cat", path="/", headers=(), namespace="demo", labels=None, port=PORT, **more):
    sender = {"source_namespace": namespace, "source_labels": {"app": "probe"} if labels is None else labels}
    return simulate(index, Request(host, path, headers=headers, port=port, **sender, **more))


def who(decision):
    """`cat/gray`, `cat` for all its Pods, or the status; a distribution when there is more than one."""
    assert sum(share.probability for share in decision.shares) == 1
    said = {_said(share.outcome): share.probability for share in decision.shares}
    return next(iter(said)) if len(said) == 1 else said


def _said(outcome):
    if isinstance(outcome, Destination):
        return "/".join(part for part in (outcome.host.partition(".")[0], outcome.subset) if part)
    return getattr(outcome, "status", type(outcome).__name__)
