"""The right answers on ServiceEntries and Sidecars."""

from admission_case import BAD, CLASH, MISSING, NAME, TWICE, UNKNOWN, Case, cases

ENTRIES: list[Case] = [
    *cases(
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
    *cases(
        "ServiceEntry",
        "{hosts: [a.com], ports: […]}",
        ("{number: 80, name: http, protocol: QUIC}", {"spec.ports[0].protocol": BAD}),
        ("{number: 0, name: http}", {"spec.ports[0].number": BAD}),
        ("{number: 80, name: a}, {number: 81, name: a}", {"spec.ports[1]": TWICE}),
        ("{number: 80, name: a}, {number: 80, name: b}", {"spec.ports[1].number": TWICE}),
        ("{number: 80}", {"spec.ports[0]": MISSING}),
    ),
    *cases(
        "ServiceEntry",
        "{hosts: [a.com, b.com], …}",
        ("resolution: STATIC, ports: [{number: 80, name: a, protocol: TCP}]", {"spec.ports[0].protocol": CLASH}),
        ("ports: [{number: 80, name: a, protocol: TCP}]", {}),
        ("ports: [{number: 80, name: a_b}]", {"spec.ports[0].name": BAD}),
        ("ports: [{number: 80, name: a, targetPort: 0}]", {"spec.ports[0].targetPort": BAD}),
        ("workloadSelector: {labels: {'*': a}}", {"spec.workloadSelector.labels.*": BAD}),
        ("resolution: DNS_ROUND_ROBIN, endpoints: [{address: a.com}, {address: b.com}]", {"spec.endpoints": CLASH}),
        ("resolution: DNS, endpoints: [{address: a_b}]", {"spec.endpoints[0].address": BAD}),
        ("resolution: STATIC, endpoints: [{address: 'unix:///a'}]", {"spec.endpoints[0].address": CLASH}),
        (
            "resolution: STATIC, endpoints: [{address: 'unix:///a', ports: {}}], "
            "ports: [{number: 80, name: a, protocol: HTTP}]",
            {
                "spec.endpoints[0].ports": CLASH,
            },
        ),
        (
            "resolution: STATIC, endpoints: [{address: 'unix://a'}], ports: [{number: 80, name: a, protocol: HTTP}]",
            {
                "spec.endpoints[0].address": BAD,
            },
        ),
        (
            "resolution: STATIC, endpoints: [{address: 10.0.0.1, ports: {a: null}}], "
            "ports: [{number: 80, name: a, protocol: HTTP}]",
            {
                "spec.endpoints[0].ports.a": MISSING,
            },
        ),
        ("resolution: STATIC, endpoints: [{address: 10.0.0.1, ports: {a_b: 80}}]", {"spec.endpoints[0].ports": BAD}),
        (
            "resolution: STATIC, endpoints: [{address: 10.0.0.1, labels: {a b: c}}]",
            {"spec.endpoints[0].labels.a b": BAD},
        ),
        ("resolution: STATIC, endpoints: [{network: a}]", {}),
    ),
    *cases(
        "ServiceEntry",
        "{hosts: ['*.a.com'], resolution: DYNAMIC_DNS, …}",
        ("addresses: [10.0.0.1]", {"spec.addresses": CLASH}),
        ("endpoints: [{address: 10.0.0.1}]", {"spec.endpoints": CLASH}),
        ("ports: [{number: 80, name: a, protocol: TCP}]", {"spec.ports[0].protocol": BAD}),
        ("location: MESH_INTERNAL, ports: [{number: 80, name: a, protocol: HTTP}]", {}),
    ),
    *cases(
        "ServiceEntry",
        "{…}",
        ("hosts: [a_b]", {"spec.hosts[0]": BAD}),
        ("hosts: [a.com], exportTo: ['~', demo]", {"spec.exportTo": CLASH}),
        (
            "hosts: [a.com], resolution: DNS, endpoints: [{address: b.com, labels: {a b: c}}]",
            {"spec.endpoints[0].labels.a b": BAD},
        ),
    ),
    *cases(
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
    *cases(
        "Sidecar",
        "{ingress: [{port: {number: 9080, protocol: HTTPS, name: a}, …}]}",
        ("tls: {mode: SIMPLE, privateKey: a, serverCertificate: b}", {}),
        ("tls: {mode: SIMPLE, credentialName: a}", {"spec.ingress[0].tls.credentialName": CLASH}),
        ("tls: {mode: AUTO_PASSTHROUGH}", {"spec.ingress[0].tls.mode": CLASH}),
        ("bind: x", {"spec.ingress[0].bind": BAD}),
        ("defaultEndpoint: unix://a", {"spec.ingress[0].defaultEndpoint": BAD}),
        ("defaultEndpoint: '[::1]:80'", {}),
        ("defaultEndpoint: '::1:80'", {"spec.ingress[0].defaultEndpoint": BAD}),
        ("defaultEndpoint: '127.0.0.1:http'", {"spec.ingress[0].defaultEndpoint": BAD}),
        ("connectionPool: {}", {"spec.ingress[0].connectionPool": MISSING}),
    ),
    *cases(
        "Sidecar",
        "{ingress: [{port: {…}}]}",
        ("number: 80, protocol: HTTP, name: a_b", {"spec.ingress[0].port.name": BAD}),
        ("number: 80, protocol: QUIC", {"spec.ingress[0].port.protocol": BAD}),
        ("number: 80, protocol: HTTP, targetPort: 8", {"spec.ingress[0].port.targetPort": CLASH}),
        ("protocol: HTTP", {"spec.ingress[0].port.number": BAD}),
    ),
    Case(
        "Sidecar",
        "{ingress: [{port: {number: 80, protocol: HTTP}, tls: {mode: SIMPLE, privateKey: a, serverCertificate: b}}]}",
        {
            "spec.ingress[0].tls": CLASH,
        },
    ),
    *cases(
        "Sidecar",
        "{egress: [{hosts: [./*], …}]}",
        ("port: {number: 0, protocol: HTTP}, bind: unix:///a", {}),
        ("port: {protocol: HTTP}, bind: 10.0.0.1", {"spec.egress[0].port": MISSING}),
        ("port: {protocol: HTTP}, bind: unix:///a, captureMode: IPTABLES", {"spec.egress[0].captureMode": CLASH}),
        ("port: {number: 70000, protocol: HTTP}", {"spec.egress[0].port.number": BAD}),
    ),
    *cases(
        "Sidecar",
        "{egress: [{hosts: […]}]}",
        ("istio-system/*, '~/*', '~a/b.com', '*/*.com'", {}),
        ("a_b/*", {"spec.egress[0].hosts[0]": BAD}),
        ("./cat", {"spec.egress[0].hosts[0]": BAD}),
        ("./*a.com", {"spec.egress[0].hosts[0]": BAD}),
    ),
    Case(
        "Sidecar",
        "{egress: [{port: {protocol: HTTP}, bind: unix:///a, hosts: [./*]}, "
        "{port: {protocol: HTTP}, bind: unix:///a, hosts: [./*]}]}",
        {
            "spec.egress[1].bind": TWICE,
        },
    ),
    Case(
        "Sidecar",
        "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a.com}}}",
        {
            "spec.outboundTrafficPolicy.egressProxy": MISSING,
        },
    ),
    *cases(
        "Sidecar",
        "{…}",
        (
            "workloadSelector: {labels: {'*': a}}, egress: [{hosts: [./*]}]",
            {"spec.workloadSelector.labels.*": BAD},
        ),
        ("inboundConnectionPool: {}", {"spec.inboundConnectionPool": MISSING}),
        (
            "ingress: [{port: {number: 443, protocol: TLS}, tls: {mode: SIMPLE}}]",
            {"spec.ingress[0].tls": MISSING},
        ),
        (
            "egress: [{port: {number: 80, protocol: QUIC, name: a_b}, bind: x, hosts: [./*]}]",
            {"spec.egress[0].port.protocol": BAD, "spec.egress[0].port.name": BAD, "spec.egress[0].bind": BAD},
        ),
        (
            "egress: [{port: {number: 80, protocol: HTTP}, hosts: [./*]}, "
            "{port: {number: 80, protocol: HTTP}, hosts: [./*]}]",
            {"spec.egress[1].port.number": TWICE},
        ),
        ("egress: [{port: {protocol: HTTP}, bind: unix://a, hosts: [./*]}]", {"spec.egress[0].bind": BAD}),
        (
            "outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: a_b, subset: v1.2, port: {number: 80}}}",
            {"spec.outboundTrafficPolicy.egressProxy.host": BAD, "spec.outboundTrafficPolicy.egressProxy.subset": NAME},
        ),
        (
            "outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: '*.a.com', port: {number: 80}}}",
            {"spec.outboundTrafficPolicy.egressProxy.host": BAD},
        ),
        (
            "outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: '*a.com', port: {number: 80}}}",
            {"spec.outboundTrafficPolicy.egressProxy.host": BAD},
        ),
    ),
]
