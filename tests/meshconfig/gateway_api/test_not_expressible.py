"""What the Gateway API cannot express is an error with file, line and what to write instead."""

import pytest

from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.render import render

SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  backend: gateway
  lanes:
    prod: {}
    gray: {}
  services:
    cat:
      host: cat-svc
      port: 9001
      selector: {app: cat}
      versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}, v2: {labels: {env: v2}}}
      #service
    mouse:
      host: mouse-svc
      port: 80
      selector: {app: mouse}
      versions: {prod: {labels: {env: prod}}}
  entries:
    - hosts: [cat.example.com]
      #entry
      routes: [{service: cat}]
"""


def manifests(old, new, **options):
    assert old in SPEC
    return render([group.model for group in groups(parse(SPEC.replace(old, new), "in.yaml"))], **options)


REGEX_PATH = """rules:
        - {match: {path: {regex: "/a."}}, weights: {v2: 1}}
        - {match: {path: {prefix: /abc}}, weights: {gray: 1}}"""


MANY_HOSTS = ", ".join(f"host-{number}.example.com" for number in range(65))


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "said"),
    [
        ("gray: {}\n", "gray: {fallback: runtime}\n", 8, "spec.lanes.gray.fallback", "write fallback: compiled"),
        (
            "#entry",
            "admit: [{lane: gray, match: {claims: {sub: ann}}}]",
            23,
            "spec.entries[0].admit[0].match.claims",
            "match a header",
        ),
        ("#entry", "sticky: {buckets: 100}", 23, "spec.entries[0].sticky.buckets", "write buckets: 10"),
        ("      selector: {app: mouse}\n", "", 14, "spec.services.cat.versions.prod.labels", None),
        (
            "host: mouse-svc\n",
            "host: cat-svc-gray\n",
            14,
            "spec.services.cat.versions.gray",
            "cat-svc-gray, which is the host of another service",
        ),
        ("host: mouse-svc\n", "host: api.example.org\n", 17, "spec.services.mouse.host", "write external"),
        (
            "#service",
            "policy: {fault: {delay: {fixedDelay: 1s}}}",
            15,
            "spec.services.cat.policy.fault",
            "no HTTPRoute",
        ),
        ("#service", "policy: {retries: {attempts: 2}}", 15, "spec.services.cat.policy.retries", "--experimental"),
        (
            "#service",
            "policy: {corsPolicy: {allowOrigins: [{prefix: a}]}}",
            15,
            "spec.services.cat.policy.corsPolicy",
            "write exact",
        ),
        ("#service", "rules: [{match: {method: PURGE}, weights: {v2: 1}}]", 15, "spec.services.cat.rules[0]", "PURGE"),
        (
            "#service",
            "rules: [{match: {path: {exact: /a//b}}, weights: {v2: 1}}]",
            15,
            "spec.services.cat.rules[0]",
            "Gateway API takes no path /a//b",
        ),
        ("#service", REGEX_PATH, 16, "spec.services.cat.rules[0]", "match one of them exactly"),
        (
            "routes: [{service: cat}]",
            "routes: [{path: {prefix: /api}, rewrite: /v1, service: cat}]",
            24,
            "spec.entries[0].routes[0].rewrite",
            "write path: {prefix: /api/} and rewrite: /v1/",
        ),
        (
            "#service",
            "weights: {prod: 1000001, gray: 1, v2: 3}",
            15,
            "spec.services.cat.weights",
            "a weight is at most 1000000",
        ),
        ("hosts: [cat.example.com]", f"hosts: [{MANY_HOSTS}]", 22, "spec.entries[0].hosts", "at most 64 listeners"),
    ],
)
def test_it_is_named_with_its_line_and_what_to_write(old, new, line, field, said):
    with pytest.raises(InputError) as caught:
        manifests(old, new)
    found = next(one for one in caught.value.problems if one.path.startswith(field))
    assert found.location.line == line
    assert said is None or said in found.message


def test_the_same_spec_is_fine_for_istio():
    assert manifests("backend: gateway", "backend: istio")


def test_retries_are_written_for_the_experimental_channel():
    policy = 'policy: {timeout: 1500ms, retries: {attempts: 2, perTryTimeout: 0.5s, retryOn: "503,gateway-error"}}'
    made = manifests("#service", policy, experimental=True)
    (rule,) = {
        str({name: rule.get(name) for name in ("timeouts", "retry")})
        for one in made
        if one["kind"] == "HTTPRoute" and one["metadata"]["name"] == "cat-svc"
        for rule in one["spec"]["rules"]
    }
    timeouts, retry = {"request": "1s500ms", "backendRequest": "500ms"}, {"codes": [503, 502, 504], "attempts": 2}
    assert rule == str({"timeouts": timeouts, "retry": retry})


def test_a_backend_is_chosen_for_one_command(graylane, tmp_path):
    spec = tmp_path / "graylane.yaml"
    spec.write_text(SPEC.replace("backend: gateway", "backend: istio"))
    assert "kind: VirtualService" in graylane("render", "-f", spec)[1]
    assert "kind: HTTPRoute" in graylane("render", "-f", spec, "--backend", "gateway")[1]
    ask = ("explain", "-f", spec, "--host", "cat.example.com", "-H", "env:gray")
    assert "→ cat / gray   (cat-svc-gray.demo" in graylane(*ask, "--backend", "gateway")[1]
    assert "VirtualService demo/cat-example-com" in graylane(*ask)[1]
