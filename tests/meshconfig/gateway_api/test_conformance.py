"""What Gateway API's own conformance tests expect of their manifests is what `simulate` says."""

import conformance
import pytest

from meshconfig.istio import Resources
from meshconfig.simulate import Destination, Index, simulate

# No rule of its manifest rewrites `/unnamed`, which the test says is to arrive as `/named`.
NOT_SO = [("mesh/httproute-named-rule", "/unnamed")]


def wrong(index, one):
    """Where `simulate` says something else than a conformance test expects; empty where it does not."""
    decision = simulate(index, one.request)
    assert not decision.undecided
    shares = [share.outcome for share in decision.shares]
    if one.status and 200 not in one.status:
        return "" if all(getattr(share, "status", 200) in one.status for share in shares) else f"{shares}"
    for share in shares:
        if not isinstance(share, Destination) or not share.host.startswith(one.backend):
            return f"{share}"
        # The suite's backends show the lines of a header as one.
        headers = {name: ",".join(v for n, v in share.headers if n == name) for name, _ in share.headers}
        if one.path and share.path != one.path:
            return f"path {share.path}"
        if {name: headers.get(name) for name in one.headers} != one.headers or set(one.absent) & set(headers):
            return f"headers {headers}"
    return ""


@pytest.mark.parametrize("case", conformance.CASES)
def test_simulate_says_what_the_conformance_tests_expect(case):
    index = Index(Resources.parse([*conformance.base(case), *conformance.routes(case)]))
    asked = [one for one in conformance.expected(case) if (case, one.request.path) not in NOT_SO]
    found = [(one, why) for one in asked if (why := wrong(index, one))]
    assert found == []


def test_the_expectations_are_read():
    assert sum(1 for case in conformance.CASES for _ in conformance.expected(case)) > 150
