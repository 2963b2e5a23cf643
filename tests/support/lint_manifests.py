"""Manifests for the tests of lint: Services, workloads, VirtualServices, DestinationRules and Gateways of `demo`."""

ISTIO = "apiVersion: networking.istio.io/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\nspec:\n"
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: demo}
spec: {selector: {%s}, ports: [{port: 80, name: http}]}
---
"""
WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: demo}
spec: {template: {metadata: {labels: {%s}}, spec: {}}}
---
"""


def service(name, selector=""):
    return SERVICE % (name, selector or f"app: {name}")


def host(name):
    return name if "." in name or "*" in name else f"{name}.demo.svc.cluster.local"


def to(name, subset="", weight=None):
    extra = "" if weight is None else f", weight: {weight}"
    return f"{{destination: {{host: {host(name)}{f', subset: {subset}' if subset else ''}}}{extra}}}"


def virtual_service(name, http, hosts=None, gateways="", kind="http"):
    hosts = f"  hosts: [{hosts or host('cat')}]\n" if hosts != "" else ""
    bound = f"  gateways: [{gateways}]\n" if gateways else ""
    return f"{ISTIO % ('VirtualService', name, 'demo')}{hosts}{bound}  {kind}: [{http}]\n---\n"


def rule(name, subsets, policy=""):
    text = f"  host: {host(name)}\n  subsets: [{subsets}]\n"
    return (
        ISTIO % ("DestinationRule", name, "demo") + text + (f"  trafficPolicy: {policy}\n" if policy else "") + "---\n"
    )


def server(hosts, port=80, protocol="HTTP", tls=""):
    more = f", tls: {{{tls}}}" if tls else ""
    return f"{{port: {{number: {port}, name: p{port}, protocol: {protocol}}}, hosts: [{hosts}]{more}}}"


def gateway(name, *servers, selector="istio: ingressgateway"):
    return f"{ISTIO % ('Gateway', name, 'demo')}  selector: {{{selector}}}\n  servers: [{', '.join(servers)}]\n---\n"


TO_CAT = f"{{route: [{to('cat')}]}}"
