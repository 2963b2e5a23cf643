"""Manifests that a person got wrong: told with their place, or passed over, but never a traceback."""

import pytest

from meshconfig.errors import InputError
from meshconfig.lint import index, lint
from meshconfig.load import parse

VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: demo}
spec:
  hosts: [cat.demo.svc.cluster.local]
"""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{VIRTUAL_SERVICE}  tcp:\n  - route: [mesh]\n", "cat.yaml:7: spec.tcp[0].route[0]: "),
        (
            f"{VIRTUAL_SERVICE}  tls:\n  - route: [{{destination: {{host: 5}}}}]\n",
            "cat.yaml:7: spec.tls[0].route[0].destination.host: ",
        ),
        (
            f"{VIRTUAL_SERVICE}  http:\n  - mirrors:\n    - {{destination: x}}\n",
            "cat.yaml:8: spec.http[0].mirrors[0].destination: ",
        ),
        (VIRTUAL_SERVICE.replace("{name: cat, namespace: demo}", "cat"), "cat.yaml:3: metadata: "),
    ],
)
def test_a_wrong_type_is_told_with_its_place(text, place):
    with pytest.raises(InputError) as caught:
        lint(index(parse(text, "cat.yaml")))
    assert str(caught.value).startswith(place)
    assert len(str(caught.value).splitlines()) == 1


def test_a_match_on_baggage_that_istio_refuses_is_no_traceback():
    route = "{destination: {host: cat.demo.svc.cluster.local}}"
    http = f"  http:\n  - match: [{{headers: {{baggage: {{exact: env=gray, suffix: y}}}}}}]\n    route: [{route}]\n"
    findings = lint(index(parse(VIRTUAL_SERVICE + http, "cat.yaml")))
    assert [finding.code for finding in findings] == ["GL210"]
