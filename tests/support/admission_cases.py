"""The right answers on all kinds; those on DestinationRules and Gateways stand here."""

from admission_case import BAD, CLASH, MISSING, NAME, SUBSETS, TWICE, TYPE, UNKNOWN, Case, cases
from admission_entries import ENTRIES
from admission_routes import ROUTES
from admission_telemetry import TELEMETRIES

CASES: list[Case] = [
    *ROUTES,
    *ENTRIES,
    *TELEMETRIES,
    *cases(
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
    *cases(
        "DestinationRule",
        "{host: cat, trafficPolicy: {loadBalancer: {…}}}",
        (
            "zoneAwareLbSetting: {failoverPriority: [topology.kubernetes.io/zone]}",
            {
                "spec.trafficPolicy.loadBalancer.zoneAwareLbSetting.failoverPriority[0]": CLASH,
            },
        ),
        (
            "zoneAwareLbSetting: {failover: [{from: a, to: b/c}]}",
            {
                "spec.trafficPolicy.loadBalancer.zoneAwareLbSetting.failover[0]": BAD,
            },
        ),
        (
            "zoneAwareLbSetting: {minClusterSize: 0}",
            {"spec.trafficPolicy.loadBalancer.zoneAwareLbSetting.minClusterSize": BAD},
        ),
        (
            "consistentHash: {minimumRingSize: 5, maglev: {tableSize: 5}}",
            {
                "spec.trafficPolicy.loadBalancer.consistentHash.minimumRingSize": CLASH,
            },
        ),
        (
            "consistentHash: {useSourceIp: true, ringHash: {}, maglev: {tableSize: 5}}",
            {
                "spec.trafficPolicy.loadBalancer.consistentHash": CLASH,
            },
        ),
        ("consistentHash: {maglev: {tableSize: 3}}", {}),
        (
            "consistentHash: {maglev: {tableSize: 5000011}}",
            {
                "spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize": BAD,
            },
        ),
        (
            "consistentHash: {httpCookie: {name: '', ttl: soon}}",
            {
                "spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.name": MISSING,
                "spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.ttl": BAD,
            },
        ),
        (
            "consistentHash: {httpCookie: {name: a, attributes: [{name: b}, {name: ''}, {name: b}]}}",
            {
                "spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.attributes[1]": MISSING,
                "spec.trafficPolicy.loadBalancer.consistentHash.httpCookie.attributes[2]": TWICE,
            },
        ),
        ("consistentHash: {httpCookie: {name: a, ttl: 0s}}", {}),
        (
            "localityLbSetting: {distribute: [{from: a, to: {b: 100}}], failover: [{from: a, to: b}]}",
            {
                "spec.trafficPolicy.loadBalancer.localityLbSetting.failover": CLASH,
            },
        ),
        (
            "localityLbSetting: {failover: [{from: a, to: b}], failoverPriority: [topology.istio.io/subzone]}",
            {
                "spec.trafficPolicy.loadBalancer.localityLbSetting.failoverPriority[0]": CLASH,
            },
        ),
        ("localityLbSetting: {failoverPriority: [topology.istio.io/subzone]}", {}),
        (
            "localityLbSetting: {distribute: [{from: a, to: {b: 0, c: 100}}]}",
            {
                "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to": BAD,
            },
        ),
        (
            "localityLbSetting: {distribute: [{from: a*b, to: {b: 100}}]}",
            {
                "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute": BAD,
            },
        ),
        (
            "localityLbSetting: {distribute: [{from: a//b, to: {b: 100}}]}",
            {
                "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute": BAD,
            },
        ),
        ("localityLbSetting: {distribute: [{from: a/b/c, to: {b: 100}}, {from: a/b/*, to: {b: 100}}]}", {}),
        (
            "localityLbSetting: {distribute: [{from: a/b/*, to: {b: 100}}, {from: a/b/c, to: {b: 100}}]}",
            {
                "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute": TWICE,
            },
        ),
        ("localityLbSetting: {distribute: [{from: a/b, to: {b: 100}}, {from: a/c, to: {b: 100}}]}", {}),
    ),
    *cases(
        "DestinationRule",
        "{host: cat, …}",
        ("exportTo: ['~']", {"spec.exportTo[0]": BAD}),
        ("subsets: [{name: a, trafficPolicy: {}}]", {"spec.subsets[0].trafficPolicy": MISSING}),
        (
            "trafficPolicy: {portLevelSettings: [{port: {number: 80}, connectionPool: {}}]}",
            {"spec.trafficPolicy.portLevelSettings[0].connectionPool": MISSING},
        ),
    ),
    *cases(
        "DestinationRule",
        "{host: cat, trafficPolicy: {…}}",
        (
            "loadBalancer: {warmup: {duration: 1.5ms}}",
            {"spec.trafficPolicy.loadBalancer.warmup.duration": BAD},
        ),
        ("outlierDetection: {interval: 1.5ms}", {"spec.trafficPolicy.outlierDetection.interval": BAD}),
        ("connectionPool: {http: {idleTimeout: 1.5ms}}", {"spec.trafficPolicy.connectionPool.http.idleTimeout": BAD}),
        (
            "connectionPool: {tcp: {connectTimeout: 1.5ms}}",
            {"spec.trafficPolicy.connectionPool.tcp.connectTimeout": BAD},
        ),
        (
            "connectionPool: {tcp: {tcpKeepalive: {time: 1.5ms}}}",
            {"spec.trafficPolicy.connectionPool.tcp.tcpKeepalive.time": BAD},
        ),
        (
            "connectionPool: {http: {http2KeepAlive: {interval: 1.5ms, timeout: 1s}}}",
            {"spec.trafficPolicy.connectionPool.http.http2KeepAlive.interval": BAD},
        ),
    ),
    *cases(
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
    *cases(
        "Gateway",
        "{servers: [{hosts: ['*'], …}]}",
        ("port: {number: 0, name: a, protocol: HTTP}, bind: unix:///run/a", {}),
        ("port: {number: 80, name: a, protocol: HTTP}, bind: unix:///run/a", {"spec.servers[0].port.number": CLASH}),
        ("port: {number: 0, name: a, protocol: HTTP}, bind: unix://a", {"spec.servers[0].bind": BAD}),
        (
            "port: {number: 443, name: a, protocol: HTTPS}, tls: {mode: SIMPLE, serverCertificate: b}",
            {
                "spec.servers[0].tls": MISSING,
            },
        ),
        (
            "port: {number: 443, name: a, protocol: HTTPS}, "
            "tls: {mode: SIMPLE, tlsCertificates: [{serverCertificate: b}]}",
            {
                "spec.servers[0].tls.tlsCertificates[0]": MISSING,
            },
        ),
        (
            "port: {number: 443, name: a, protocol: HTTPS}, tls: {credentialName: a, caCrl: b}",
            {
                "spec.servers[0].tls.caCrl": CLASH,
            },
        ),
        (
            "port: {number: 443, name: a, protocol: HTTPS}, tls: {mode: SIMPLE, credentialNames: [a, b, c]}",
            {
                "spec.servers[0].tls.credentialNames": BAD,
            },
        ),
    ),
    Case("Gateway", "{servers: []}", {"spec": MISSING}),
]
