"""GL616 and GL617: services outside the mesh."""

import pytest

OUTSIDE = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    shop: {host: shop, port: 9001, calls: [pay], versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}}}
    pay:
      host: api.pay.example.com
      port: %s
      external: {%s}
      versions: {prod: {host: api.pay.example.com}, gray: {host: sandbox.pay.example.com}}
      %s
"""


def outside(external="tls: SIMPLE", port=80, more=""):
    return OUTSIDE % (port, external, more)


MUTUAL = "trafficPolicy: {tls: {mode: MUTUAL, clientCertificate: /c, privateKey: /k}}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (outside("port: 443"), "add tls: SIMPLE"),
        (outside("port: 8443"), "add tls: SIMPLE"),
        (outside("port: 80, tls: SIMPLE"), "write port: 443"),
        (
            outside("port: 8080", more=MUTUAL),
            "write port: 443",
        ),
        (outside(port=443), "have them call http://api.pay.example.com"),
    ],
)
def test_gl616_ports_and_tls_fit(findings, text, says):
    (finding,) = findings(text)
    assert (finding.code, finding.path.startswith("spec.services.pay.")) == ("GL616", True)
    assert says in finding.message


@pytest.mark.parametrize(
    "external", ["tls: SIMPLE", "port: 443, tls: SIMPLE", "port: 8443, tls: SIMPLE", "", "port: 80"]
)
def test_gl616_is_quiet_where_they_do(codes, external):
    assert codes(outside(external)) == []
    assert codes(outside("port: 443", more=MUTUAL)) == []


SIDECAR = """\
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: %s}
spec: {%s}
"""
HIDING = "egress: [{hosts: [./shop.demo.svc.cluster.local]}]"


@pytest.mark.parametrize(
    ("namespace", "given", "found"),
    [
        ("demo", HIDING, ["GL617"]),
        ("demo", "egress: [{hosts: [other/*, istio-system/*]}]", ["GL617"]),
        ("demo", "egress: [{hosts: ['./*.pay.example.com']}]", []),
        ("demo", "egress: [{hosts: ['demo/api.pay.example.com']}]", ["GL617"]),
        ("demo", "egress: [{hosts: ['*/*']}]", []),
        ("demo", "egress: [{hosts: [./*]}]", []),
        ("demo", "outboundTrafficPolicy: {mode: REGISTRY_ONLY}", []),
        ("elsewhere", HIDING, []),
    ],
)
def test_gl617_a_sidecar_shows_the_hosts_to_who_calls_them(codes, namespace, given, found):
    assert codes(outside() + SIDECAR % (namespace, given)) == found


def test_gl617_says_what_becomes_of_the_calls(findings):
    (passed,) = findings(outside() + SIDECAR % ("demo", HIDING))
    (refused,) = findings(outside() + SIDECAR % ("demo", f"{HIDING}, outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}"))
    assert ("with their tag" in passed.message, "refuse its calls" in refused.message) == (True, True)
