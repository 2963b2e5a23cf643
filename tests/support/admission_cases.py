"""Specs of Istio's kinds, each with the right answer: the places that are refused and why, or nothing.

The unit tests hold the product to them, the cluster tests hold them to the API server and to Istio.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import yaml

from meshconfig.admission import Kind

UNKNOWN, TYPE, MISSING, BAD = Kind.UNKNOWN_FIELD, Kind.WRONG_TYPE, Kind.MISSING, Kind.BAD_VALUE
CLASH, TWICE, ZERO, REGEX = Kind.CONTRADICTION, Kind.REPEATED, Kind.ZERO_WEIGHTS, Kind.REGEX
NAME, SUBSETS = Kind.SUBSET_NAME, Kind.SUBSET_TWICE


class Case(NamedTuple):
    kind: str
    spec: str
    refused: Mapping[str, Kind] = MappingProxyType({})

    @property
    def manifest(self) -> dict[str, Any]:
        metadata = {"name": "case", "namespace": "demo"}
        return {
            "apiVersion": "networking.istio.io/v1",
            "kind": self.kind,
            "metadata": metadata,
            "spec": yaml.safe_load(self.spec),
        }


def _all(kind: str, form: str, *cases: tuple[str, dict[str, Kind]]) -> list[Case]:
    return [Case(kind, form.replace("…", text), refused) for text, refused in cases]


_TO = "route: [{destination: {host: cat}}]"
_HTTP = "{hosts: [cat], http: [{…}]}"
_MATCH = f"{{hosts: [cat], http: [{{match: [{{…}}], {_TO}}}]}}"
_ROUTE = "{hosts: [cat], http: [{route: […]}]}"
_BESIDE = f"{{hosts: [cat], http: [{{…, {_TO}}}]}}"

CASES: list[Case] = [
    *_all(
        "VirtualService",
        "{…}",
        (f"hosts: [cat], http: [{{{_TO}}}]", {}),
        ("hosts: [cat]", {"spec": MISSING}),
        (f"http: [{{{_TO}}}]", {}),
        (f"http: [{{{_TO}}}], gateways: [public]", {"spec.gateways": CLASH}),
        (f"hosts: ['*'], http: [{{{_TO}}}]", {"spec.hosts[0]": BAD}),
        (f"hosts: ['*'], gateways: [public], http: [{{{_TO}}}]", {}),
        (f"hosts: ['*'], gateways: [public, mesh], http: [{{{_TO}}}]", {"spec.hosts[0]": BAD}),
        (f"hosts: [a_b.com], http: [{{{_TO}}}]", {"spec.hosts[0]": BAD}),
        (f"hosts: [a.*.com], http: [{{{_TO}}}]", {"spec.hosts[0]": BAD}),
        (f"hosts: [''], http: [{{{_TO}}}]", {"spec.hosts[0]": BAD}),
        (f"hosts: [10.0.0.1, '2001:db8::1'], http: [{{{_TO}}}]", {}),
        (f"hosts: [a.com., '*.b.com'], http: [{{{_TO}}}]", {}),
        (f"hosts: [cat, dog, cat], http: [{{{_TO}}}]", {"spec.hosts[2]": TWICE}),
        (f"hosts: ['*.com', shop.com], http: [{{{_TO}}}]", {"spec.hosts[1]": TWICE}),
        (f"hosts: ['*.b.com', '*.com'], http: [{{{_TO}}}]", {"spec.hosts[0]": TWICE}),
        (f"hosts: ['*.com', com, '*.org'], http: [{{{_TO}}}]", {}),
        (f"hosts: [cat], gateways: [a/b/c], http: [{{{_TO}}}]", {"spec.gateways[0]": BAD}),
        (f"hosts: [cat], gateways: [a/, mesh], http: [{{{_TO}}}]", {"spec.gateways[0]": BAD}),
        (f"hosts: [cat], gateways: [a/b, c.d], http: [{{{_TO}}}]", {}),
        (f"hosts: [cat], exportTo: ['.', demo], http: [{{{_TO}}}]", {"spec.exportTo[1]": TWICE}),
        (f"hosts: [cat], exportTo: ['*', shop], http: [{{{_TO}}}]", {"spec.exportTo": CLASH}),
        (f"hosts: [cat], exportTo: ['~'], http: [{{{_TO}}}]", {"spec.exportTo[0]": BAD}),
        (f"hosts: [cat], exportTo: ['.', shop], http: [{{{_TO}}}]", {}),
        (f"hosts: cat, http: [{{{_TO}}}]", {"spec.hosts": TYPE}),
        (f"hosts: [cat], http: {{{_TO}}}", {"spec.http": TYPE}),
        (f"hosts: [cat, 5], http: [{{{_TO}}}]", {"spec.hosts[1]": TYPE}),
        (f"hosts: [cat, null], http: [{{{_TO}}}]", {"spec.hosts[1]": TYPE}),
        (f"hosts: [cat], gateways: null, http: [{{{_TO}}}]", {}),
        (f"hosts: [cat], htpp: [{{{_TO}}}]", {"spec.htpp": UNKNOWN}),
    ),
    *_all(
        "VirtualService",
        _HTTP,
        ("match: [{uri: {prefix: /}}]", {"spec.http[0]": MISSING}),
        ("directResponse: {status: 200}", {}),
        ("redirect: {uri: /x}", {}),
        (f"redirect: {{uri: /x}}, {_TO}", {"spec.http[0].redirect": CLASH}),
        (f"directResponse: {{status: 200}}, {_TO}", {"spec.http[0].directResponse": CLASH}),
        ("directResponse: {status: 200}, redirect: {uri: /x}", {"spec.http[0].directResponse": CLASH}),
        ("redirect: {uri: /x}, rewrite: {uri: /y}", {"spec.http[0].rewrite": CLASH}),
        ("directResponse: {status: 200}, fault: {abort: {httpStatus: 500}}", {"spec.http[0].fault": CLASH}),
        ("delegate: {name: other}", {}),
        (f"delegate: {{name: other}}, {_TO}", {"spec.http[0].route": CLASH}),
        ("delegate: {name: other}, redirect: {uri: /x}", {"spec.http[0].redirect": CLASH}),
        ("redirect: {}", {"spec.http[0].redirect": MISSING}),
        ("redirect: {uri: /a, prefixRewrite: /b}", {"spec.http[0].redirect": CLASH}),
        ("redirect: {prefixRewrite: /b}, match: [{uri: {exact: /a}}]", {"spec.http[0].redirect.prefixRewrite": CLASH}),
        ("redirect: {prefixRewrite: /b}, match: [{uri: {prefix: /a}}, {port: 80}]", {}),
        ("redirect: {uri: /a, redirectCode: 200}", {"spec.http[0].redirect.redirectCode": BAD}),
        ("redirect: {uri: /a, scheme: ftp}", {"spec.http[0].redirect.scheme": BAD}),
        ("redirect: {port: 70000}", {"spec.http[0].redirect.port": BAD}),
        ("redirect: {port: 80, derivePort: FROM_REQUEST_PORT}", {"spec.http[0].redirect": CLASH}),
        ("redirect: {derivePort: FROM_REQUEST_PORT}", {}),
        ("directResponse: {}", {"spec.http[0].directResponse": MISSING}),
        ("directResponse: {status: 99}", {"spec.http[0].directResponse.status": BAD}),
        ("directResponse: {status: 200, body: {string: a, bytes: YWI=}}", {"spec.http[0].directResponse.body": CLASH}),
        ("directResponse: {status: 200, body: {bytes: a}}", {"spec.http[0].directResponse.body.bytes": BAD}),
    ),
    *_all(
        "VirtualService",
        _ROUTE,
        ("{destination: {host: cat}, weight: 1}, {destination: {host: dog}, weight: 1}", {}),
        ("{destination: {host: cat}}, {destination: {host: dog}}", {"spec.http[0].route": ZERO}),
        ("{destination: {host: cat}, weight: 0}", {}),
        ("{destination: {host: cat}, weight: -1}", {"spec.http[0].route[0].weight": BAD}),
        ("{destination: {host: cat}, weight: '1'}", {"spec.http[0].route[0].weight": TYPE}),
        ("{destination: {host: cat}, weight: 1.5}", {"spec.http[0].route[0].weight": TYPE}),
        ("{destination: {host: cat}, wait: 1}", {"spec.http[0].route[0].wait": UNKNOWN}),
        ("{weight: 1}", {"spec.http[0].route[0]": MISSING}),
        ("{destination: cat}", {"spec.http[0].route[0].destination": TYPE}),
        ("{destination: {host: '*'}}", {"spec.http[0].route[0].destination.host": BAD}),
        ("{destination: {host: cat, port: 80}}", {"spec.http[0].route[0].destination.port": TYPE}),
        ("{destination: {host: cat, port: {number: 0}}}", {"spec.http[0].route[0].destination.port.number": BAD}),
        ("{destination: {host: cat, port: {}}}", {"spec.http[0].route[0].destination.port": MISSING}),
        ("{destination: {host: cat, subset: v1.2}}", {"spec.http[0].route[0].destination.subset": NAME}),
        ("{destination: {host: cat, subset: ''}}", {}),
        (
            "{destination: {host: cat}, headers: {response: {set: {host: x}}}}",
            {"spec.http[0].route[0].headers.response.set.host": BAD},
        ),
    ),
    *_all(
        "VirtualService",
        _MATCH,
        ("uri: {regex: '*'}", {"spec.http[0].match[0].uri.regex": REGEX}),
        ("uri: {regex: ''}", {"spec.http[0].match[0].uri.regex": REGEX}),
        ("uri: {prefix: ''}", {}),
        ("headers: {a: {prefix: ''}}", {"spec.http[0].match[0].headers.a.prefix": BAD}),
        ("headers: {a: {exact: ''}}", {}),
        ("headers: {a: {}, b: null}", {}),
        ("headers: {a: b}", {"spec.http[0].match[0].headers.a": TYPE}),
        ("headers: {a: {exact: b, prefix: c}}", {"spec.http[0].match[0].headers.a": CLASH}),
        ("headers: {a: {exact: b, prefix: null}}", {}),
        ("headers: {a: {suffix: b}}", {"spec.http[0].match[0].headers.a.suffix": UNKNOWN}),
        ("headers: {'a b': {exact: c}}", {"spec.http[0].match[0].headers.a b": BAD}),
        ("headers: {':path': {exact: /x}}", {}),
        ("headers: {':x': {exact: /x}}", {"spec.http[0].match[0].headers.:x": BAD}),
        ("withoutHeaders: {a: {regex: '*'}}", {}),
        ("withoutHeaders: {a: {regex: '('}}", {"spec.http[0].match[0].withoutHeaders.a.regex": REGEX}),
        ("queryParams: {a: {regex: '*'}}", {"spec.http[0].match[0].queryParams.a.regex": REGEX}),
        ("method: {regex: '(?=a)'}", {"spec.http[0].match[0].method.regex": REGEX}),
        ("authority: {prefix: ''}", {"spec.http[0].match[0].authority.prefix": BAD}),
        ("port: 70000", {"spec.http[0].match[0].port": BAD}),
        ("sourceLabels: {a: 'b c'}", {"spec.http[0].match[0].sourceLabels.a": BAD}),
        ("sourceNamespace: a.b", {"spec.http[0].match[0].sourceNamespace": BAD}),
        ("gateways: [A_b]", {"spec.http[0].match[0].gateways[0]": BAD}),
        (
            "headers: {'@request.auth.claims.group': {exact: a}}",
            {'spec.http[0].match[0].headers["@request.auth.claims.group"]': CLASH},
        ),
    ),
    *_all(
        "VirtualService",
        _BESIDE,
        ("timeout: 5", {"spec.http[0].timeout": TYPE}),
        ("timeout: 5x", {"spec.http[0].timeout": BAD}),
        ("timeout: 0s", {"spec.http[0].timeout": BAD}),
        ("timeout: 1.5ms", {"spec.http[0].timeout": BAD}),
        ("timeout: 1h1.5s", {}),
        ("retries: {attempts: 0, perTryTimeout: 1s}", {"spec.http[0].retries.attempts": CLASH}),
        ("retries: {attempts: -1}", {"spec.http[0].retries.attempts": BAD}),
        ("retries: {attempts: 0}", {}),
        ("retries: {attempts: 1, retryOn: '5xx, reset'}", {"spec.http[0].retries.retryOn": BAD}),
        ("retries: {attempts: 1, retryOn: '503,reset'}", {}),
        ("fault: {}", {"spec.http[0].fault": MISSING}),
        ("fault: {abort: {httpStatus: 700}}", {"spec.http[0].fault.abort.httpStatus": BAD}),
        ("fault: {abort: {httpStatus: 500, percent: 5}}", {"spec.http[0].fault.abort.percent": UNKNOWN}),
        ("fault: {abort: {grpcStatus: unavailable}}", {"spec.http[0].fault.abort.grpcStatus": BAD}),
        ("fault: {abort: {httpStatus: 500, grpcStatus: UNKNOWN}}", {"spec.http[0].fault.abort": CLASH}),
        (
            "fault: {delay: {fixedDelay: 1s, percentage: {value: 101}}}",
            {"spec.http[0].fault.delay.percentage.value": BAD},
        ),
        ("fault: {delay: {exponentialDelay: 1s}}", {"spec.http[0].fault.delay.exponentialDelay": BAD}),
        ("fault: {delay: {percentage: {value: 1}}}", {}),
        ("mirror: {host: dog}, mirrors: [{destination: {host: dog}}]", {"spec.http[0].mirror": CLASH}),
        ("mirrors: [{percentage: {value: 1}}]", {"spec.http[0].mirrors[0]": MISSING}),
        ("mirrorPercentage: {value: -1}", {"spec.http[0].mirrorPercentage.value": BAD}),
        ("mirrorPercentage: 10", {"spec.http[0].mirrorPercentage": TYPE}),
        ("mirrorPercent: 101", {"spec.http[0].mirrorPercent": BAD}),
        ("rewrite: {}", {"spec.http[0].rewrite": MISSING}),
        ("rewrite: {uri: /a, uriRegexRewrite: {match: a, rewrite: b}}", {"spec.http[0].rewrite": CLASH}),
        ("rewrite: {uriRegexRewrite: {match: '(', rewrite: b}}", {"spec.http[0].rewrite.uriRegexRewrite.match": REGEX}),
        ("rewrite: {uriRegexRewrite: {match: a}}", {"spec.http[0].rewrite.uriRegexRewrite": MISSING}),
        (
            "rewrite: {authority: a}, headers: {request: {set: {host: b}}}",
            {"spec.http[0].headers.request.set.host": CLASH},
        ),
        ("headers: {request: {set: {':path': /}}}", {"spec.http[0].headers.request.set.:path": BAD}),
        ("headers: {request: {remove: [':authority']}}", {"spec.http[0].headers.request.remove[0]": BAD}),
        ("headers: {request: {add: {a: 50%}}}", {"spec.http[0].headers.request.add.a": BAD}),
        ("headers: {request: {add: {a: '50%%', b: '%REQ(x)%', c: '%PER_REQUEST_STATE([\"a\", \"b\"])%'}}}", {}),
        ("headers: {request: {add: {a: '%REQ(x%'}}}", {"spec.http[0].headers.request.add.a": BAD}),
        ("corsPolicy: {allowOrigins: [{}]}", {"spec.http[0].corsPolicy.allowOrigins[0]": MISSING}),
        ("corsPolicy: {allowMethods: [get]}", {"spec.http[0].corsPolicy.allowMethods[0]": BAD}),
        ("corsPolicy: {maxAge: 1.5s}", {"spec.http[0].corsPolicy.maxAge": BAD}),
        ("corsPolicy: {allowHeaders: ['a b', '*']}", {"spec.http[0].corsPolicy.allowHeaders[0]": BAD}),
        ("corsPolicy: {unmatchedPreflights: forward}", {"spec.http[0].corsPolicy.unmatchedPreflights": BAD}),
    ),
    *_all(
        "VirtualService",
        f"{{hosts: [a.com, '*.b.com'], tls: [{{match: [{{…}}], {_TO}}}]}}",
        ("sniHosts: [a.com, x.b.com, '*.x.b.com']", {}),
        ("sniHosts: [c.com]", {"spec.tls[0].match[0].sniHosts[0]": CLASH}),
        ("sniHosts: ['*.com']", {"spec.tls[0].match[0].sniHosts[0]": CLASH}),
        ("sniHosts: []", {"spec.tls[0].match[0].sniHosts": MISSING}),
        ("port: 443", {"spec.tls[0].match[0]": MISSING}),
        ("sniHosts: [a.com], destinationSubnets: [10.0.0.0/33]", {"spec.tls[0].match[0].destinationSubnets[0]": BAD}),
        ("sniHosts: [10.0.0.1]", {}),
    ),
    *_all(
        "VirtualService",
        "{hosts: [cat], …}",
        ("tcp: [{match: [{port: 5432}]}]", {"spec.tcp[0]": MISSING}),
        ("tcp: [{route: [{destination: {host: a}}, {destination: {host: b}}]}]", {"spec.tcp[0].route": ZERO}),
        (f"tcp: [{{match: [{{port: 70000}}], {_TO}}}]", {"spec.tcp[0].match[0].port": BAD}),
        (f"tls: [{{{_TO}}}]", {"spec.tls[0]": MISSING}),
        (f"tls: [{{match: [], {_TO}}}]", {"spec.tls[0].match": MISSING}),
    ),
    *_all(
        "DestinationRule",
        "{host: cat, …}",
        ("subsets: [{name: v1}, {name: v2}]", {}),
        ("subsets: [{name: v1}, {name: v1}]", {"spec.subsets[1].name": SUBSETS}),
        ("subsets: [{name: v1.2}]", {"spec.subsets[0].name": NAME}),
        ("subsets: [{labels: {a: b}}]", {"spec.subsets[0]": MISSING}),
        ("subsets: [{name: a, labels: {version: 1}}]", {"spec.subsets[0].labels.version": TYPE}),
        ("subsets: [{name: a, labels: {'a b': c}}]", {"spec.subsets[0].labels.a b": BAD}),
        ("subsets: {v1: {labels: {a: b}}}", {"spec.subsets": TYPE}),
        ("trafficPolicy: {}", {"spec.trafficPolicy": MISSING}),
        ("trafficPolicy: {tls: {mode: STRICT}}", {"spec.trafficPolicy.tls.mode": BAD}),
        ("trafficPolicy: {tls: {mode: MUTUAL}}", {"spec.trafficPolicy.tls": MISSING}),
        (
            "trafficPolicy: {tls: {mode: SIMPLE, credentialName: a, caCertificates: b}}",
            {"spec.trafficPolicy.tls.caCertificates": CLASH},
        ),
        (
            "trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}}",
            {"spec.trafficPolicy.tls.subjectAltNames": CLASH},
        ),
        (
            "trafficPolicy: {tls: {mode: SIMPLE, credentialName: 'configmap://other/a'}}",
            {"spec.trafficPolicy.tls.credentialName": BAD},
        ),
        ("trafficPolicy: {tls: {mode: SIMPLE, credentialName: 'configmap://demo/a'}}", {}),
        (
            "trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {}}}",
            {"spec.trafficPolicy.loadBalancer": CLASH},
        ),
        ("trafficPolicy: {loadBalancer: ROUND_ROBIN}", {"spec.trafficPolicy.loadBalancer": TYPE}),
        (
            "trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: a, useSourceIp: true}}}",
            {"spec.trafficPolicy.loadBalancer.consistentHash": CLASH},
        ),
        (
            "trafficPolicy: {loadBalancer: {consistentHash: {maglev: {tableSize: 65536}}}}",
            {"spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize": BAD},
        ),
        (
            "trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {ttl: 1s}}}}",
            {"spec.trafficPolicy.loadBalancer.consistentHash.httpCookie": MISSING},
        ),
        (
            "trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 99}}]}}}",
            {"spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to": BAD},
        ),
        (
            "trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {a/b: 50, a: 50}}]}}}",
            {"spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to": TWICE},
        ),
        (
            "trafficPolicy: {loadBalancer: {localityLbSetting: {failover: [{from: a, to: a}]}}}",
            {"spec.trafficPolicy.loadBalancer.localityLbSetting.failover[0]": BAD},
        ),
        (
            "trafficPolicy: {loadBalancer: {localityLbSetting: {}, zoneAwareLbSetting: {}}}",
            {"spec.trafficPolicy.loadBalancer.zoneAwareLbSetting": CLASH},
        ),
        (
            "trafficPolicy: {loadBalancer: {warmup: {minimumPercent: 5}}}",
            {"spec.trafficPolicy.loadBalancer.warmup": MISSING},
        ),
        (
            "trafficPolicy: {loadBalancer: {warmup: {duration: 1s, aggression: 0}}}",
            {"spec.trafficPolicy.loadBalancer.warmup.aggression": BAD},
        ),
        ("trafficPolicy: {connectionPool: {}}", {"spec.trafficPolicy.connectionPool": MISSING}),
        (
            "trafficPolicy: {connectionPool: {tcp: {maxConnections: -1}}}",
            {"spec.trafficPolicy.connectionPool.tcp.maxConnections": BAD},
        ),
        (
            "trafficPolicy: {connectionPool: {http: {maxRequestsPerConnections: 1}}}",
            {"spec.trafficPolicy.connectionPool.http.maxRequestsPerConnections": UNKNOWN},
        ),
        (
            "trafficPolicy: {connectionPool: {http: {http2KeepAlive: {interval: 1s}}}}",
            {"spec.trafficPolicy.connectionPool.http.http2KeepAlive": MISSING},
        ),
        (
            "trafficPolicy: {connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}",
            {"spec.trafficPolicy.connectionPool.http.useClientProtocol": CLASH},
        ),
        ("trafficPolicy: {connectionPool: {tcp: {idleTimeout: 0s}}}", {}),
        (
            "trafficPolicy: {connectionPool: {tcp: {idleTimeout: never}}}",
            {"spec.trafficPolicy.connectionPool.tcp.idleTimeout": BAD},
        ),
        (
            "trafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}",
            {"spec.trafficPolicy.outlierDetection.maxEjectionPercent": BAD},
        ),
        (
            "trafficPolicy: {outlierDetection: {consecutiveLocalOriginFailures: 1}}",
            {"spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures": CLASH},
        ),
        (
            "trafficPolicy: {portLevelSettings: [{tls: {mode: SIMPLE}}]}",
            {"spec.trafficPolicy.portLevelSettings[0]": MISSING},
        ),
        (
            "trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}",
            {"spec.trafficPolicy.portLevelSettings[0]": MISSING},
        ),
        (
            "trafficPolicy: {tunnel: {targetHost: a, targetPort: 1}, proxyProtocol: {}}",
            {"spec.trafficPolicy.tunnel": CLASH},
        ),
        (
            "trafficPolicy: {tunnel: {targetHost: a_b, targetPort: 70000, protocol: GET}}",
            {
                "spec.trafficPolicy.tunnel.targetHost": BAD,
                "spec.trafficPolicy.tunnel.targetPort": BAD,
                "spec.trafficPolicy.tunnel.protocol": BAD,
            },
        ),
        (
            "trafficPolicy: {retryBudget: {budgetInterval: soon}}",
            {"spec.trafficPolicy.retryBudget.budgetInterval": BAD},
        ),
        ("exportTo: [other], workloadSelector: {matchLabels: {a: b}}", {"spec.exportTo": CLASH}),
        ("exportTo: [demo], workloadSelector: {matchLabels: {a: b}}", {}),
        ("workloadSelector: {matchLabels: {a: 'b*'}}", {"spec.workloadSelector.matchLabels.a": BAD}),
        ("workloadSelector: {labels: {a: b}}", {"spec.workloadSelector.labels": UNKNOWN}),
    ),
    Case("DestinationRule", "{host: ''}", {"spec.host": BAD}),
    Case("DestinationRule", "{subsets: []}", {"spec": MISSING}),
    Case("DestinationRule", "{host: ['cat']}", {"spec.host": TYPE}),
    *_all(
        "Gateway",
        "{servers: [{…}]}",
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']", {}),
        ("port: {number: 80, name: a, protocol: QUIC}, hosts: ['*']", {"spec.servers[0].port.protocol": BAD}),
        ("port: {number: 80, name: '', protocol: HTTP}, hosts: ['*']", {"spec.servers[0].port.name": MISSING}),
        ("port: {number: 80, protocol: HTTP}, hosts: ['*']", {"spec.servers[0].port": MISSING}),
        ("port: {number: 0, name: a, protocol: HTTP}, hosts: ['*']", {"spec.servers[0].port.number": BAD}),
        (
            "port: {number: 80, name: a, protocol: HTTP, targetPort: 8}, hosts: ['*']",
            {"spec.servers[0].port.targetPort": CLASH},
        ),
        ("hosts: ['*']", {"spec.servers[0]": MISSING}),
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: []", {"spec.servers[0].hosts": MISSING}),
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: [shop]", {"spec.servers[0].hosts[0]": BAD}),
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: ['*-a.com']", {"spec.servers[0].hosts[0]": BAD}),
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: [./a.com, '*/*', ns/10.0.0.1]", {}),
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: [a_b/c.com]", {"spec.servers[0].hosts[0]": BAD}),
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], bind: x", {"spec.servers[0].bind": BAD}),
        ("port: {number: 443, name: a, protocol: HTTPS}, hosts: ['*']", {"spec.servers[0]": MISSING}),
        ("port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tls: {httpsRedirect: true}", {}),
        (
            "port: {number: 80, name: a, protocol: HTTP}, hosts: ['*'], tls: {mode: ISTIO_MUTUAL}",
            {"spec.servers[0].tls": CLASH},
        ),
        ("port: {number: 80, name: a, protocol: TCP}, hosts: ['*'], tls: {}", {"spec.servers[0].tls": CLASH}),
        (
            "port: {number: 443, name: a, protocol: TLS}, hosts: ['*'], tls: {mode: SIMPLE}",
            {"spec.servers[0].tls": MISSING},
        ),
        ("port: {number: 443, name: a, protocol: TLS}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: a}", {}),
        (
            "port: {number: 443, name: a, protocol: TLS}, hosts: ['*'], tls: {mode: simple, credentialName: a}",
            {"spec.servers[0].tls.mode": BAD},
        ),
        (
            "port: {number: 443, name: a, protocol: TLS}, hosts: ['*'], "
            "tls: {mode: SIMPLE, credentialName: a, serverCertificate: b, privateKey: c}",
            {"spec.servers[0].tls": CLASH},
        ),
        (
            "port: {number: 443, name: a, protocol: TLS}, hosts: ['*'], tls: {mode: ISTIO_MUTUAL, credentialName: a}",
            {"spec.servers[0].tls.credentialName": CLASH},
        ),
        (
            "port: {number: 443, name: a, protocol: TLS}, hosts: ['*'], "
            "tls: {mode: MUTUAL, serverCertificate: b, privateKey: c}",
            {"spec.servers[0].tls": MISSING},
        ),
        (
            "port: {number: 443, name: a, protocol: TLS}, hosts: ['*'], "
            "tls: {mode: SIMPLE, serverCertificate: b, privateKey: c, caCrl: d}",
            {"spec.servers[0].tls.caCrl": CLASH},
        ),
        (
            "port: {number: 443, name: a, protocol: TLS}, hosts: ['*'], tls: {mode: SIMPLE, credentialNames: []}",
            {"spec.servers[0].tls.credentialNames": MISSING, "spec.servers[0].tls": MISSING},
        ),
    ),
    Case("Gateway", "{}", {"spec": MISSING}),
    Case(
        "Gateway",
        "{servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a.com]}, "
        "{port: {number: 81, name: a, protocol: HTTP}, hosts: [a.com]}]}",
        {"spec.servers[1].port.name": TWICE},
    ),
    *_all(
        "ServiceEntry",
        "{ports: [{number: 80, name: http, protocol: HTTP}], …}",
        ("hosts: [a.com]", {}),
        ("hosts: []", {"spec.hosts": MISSING}),
        ("hosts: ['*']", {"spec.hosts[0]": BAD}),
        ("hosts: [a.com], adresses: [10.0.0.1]", {"spec.adresses": UNKNOWN}),
        ("hosts: [a.com], addresses: [x]", {"spec.addresses[0]": BAD}),
        ("hosts: [a.com], addresses: [10.0.0.0/8], resolution: DNS", {"spec.addresses": CLASH}),
        ("hosts: [a.com], endpoints: [{address: 10.0.0.1}]", {"spec.endpoints": CLASH}),
        ("hosts: [a.com], resolution: STATIC, endpoints: [{address: b.com}]", {"spec.endpoints[0].address": BAD}),
        ("hosts: [a.com], resolution: STATIC, endpoints: [{}]", {"spec.endpoints[0]": MISSING}),
        ("hosts: ['*.a.com'], resolution: DNS", {"spec.hosts[0]": CLASH}),
        ("hosts: [a.com], resolution: dns", {"spec.resolution": BAD}),
        ("hosts: [a.com], exportTo: ['~']", {}),
        ("hosts: [a.com], resolution: DYNAMIC_DNS", {"spec.hosts[0]": CLASH}),
        ("hosts: ['*.a.com'], resolution: DYNAMIC_DNS", {}),
        (
            "hosts: [a.com], resolution: STATIC, endpoints: [{address: 10.0.0.1, ports: {https: 1}}]",
            {"spec.endpoints[0].ports.https": BAD},
        ),
        ("hosts: [a.com], workloadSelector: {labels: {a: b}}, endpoints: []", {"spec": CLASH, "spec.endpoints": CLASH}),
    ),
    *_all(
        "ServiceEntry",
        "{hosts: [a.com], ports: […]}",
        ("{number: 80, name: http, protocol: QUIC}", {"spec.ports[0].protocol": BAD}),
        ("{number: 0, name: http}", {"spec.ports[0].number": BAD}),
        ("{number: 80, name: a}, {number: 81, name: a}", {"spec.ports[1]": TWICE}),
        ("{number: 80, name: a}, {number: 80, name: b}", {"spec.ports[1].number": TWICE}),
        ("{number: 80}", {"spec.ports[0]": MISSING}),
    ),
    *_all(
        "Sidecar",
        "{…}",
        ("egress: [{hosts: [./*]}]", {}),
        ("", {"spec": MISSING}),
        ("egress: [{hosts: [cat]}]", {"spec.egress[0].hosts[0]": BAD}),
        ("egress: [{hosts: []}]", {"spec.egress[0].hosts": MISSING}),
        ("egress: [{hosts: [./*]}, {port: {number: 80, protocol: HTTP}, hosts: [./*]}]", {"spec.egress[0]": CLASH}),
        ("egres: [{hosts: [./*]}]", {"spec.egres": UNKNOWN}),
        (
            "ingress: [{port: {number: 80, protocol: HTTP}, defaultEndpoint: 'x:1'}]",
            {"spec.ingress[0].defaultEndpoint": BAD},
        ),
        ("ingress: [{defaultEndpoint: ':1'}]", {"spec.ingress[0]": MISSING}),
        (
            "ingress: [{port: {number: 80, protocol: HTTP}}, {port: {number: 80, protocol: HTTP}}]",
            {"spec.ingress[1].port.number": TWICE},
        ),
        (
            "outboundTrafficPolicy: {egressProxy: {host: a.com, port: {number: 80}}}",
            {"spec.outboundTrafficPolicy.egressProxy": CLASH},
        ),
        ("outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.com, port: {number: 80}}}", {}),
    ),
]
