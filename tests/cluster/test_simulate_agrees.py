"""For random specs, what `simulate` says a request meets is what the real Istio does with it: at the gateway and from a
Pod's sidecar, headers included, weights as frequencies."""

import math
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mesh_cluster import NAMESPACE, answered, istioctl
from random_specs import asked, specs
from soak import SOAK

from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.render import render, to_yaml
from meshconfig.simulate import ANY_GATEWAY, Destination, DirectResponse, Failure, Index, Redirect, Request, simulate

pytestmark = pytest.mark.cluster

SPECS = 60 if SOAK else 25
SAMPLES = 60  # requests where the answer is a matter of chance


@dataclass
class Case:
    """A spec that compiles, its resources, and requests to its entries and its services."""

    spec: dict
    manifests: list = field(repr=False)
    outside: list = field(repr=False)
    inside: list = field(repr=False)


@st.composite
def cases(draw):
    value = draw(specs(namespace=NAMESPACE).filter(compiles))
    (group,) = groups(parse(yaml.safe_dump(value), "random.yaml"))
    manifests = render([compile_group(group.spec)])
    hosts = tuple(entry.hosts[0] for entry in group.spec.spec.entries)
    outside = draw(st.lists(asked(hosts), min_size=3, max_size=5))
    called = st.tuples(st.sampled_from(sorted(group.spec.spec.services)), asked())
    inside = draw(st.lists(called, min_size=2, max_size=3))
    return Case(value, manifests, outside, inside)


def compiles(value):
    try:
        return bool(groups(parse(yaml.safe_dump(value), "random.yaml")))
    except InputError:
        return False


class Tally:
    specs = requests = 0


def expected(decision):
    """(status, service, version, the tag as the backend sees it) → probability."""
    chances = Counter()
    for share in decision.shares:
        one = share.outcome
        if isinstance(one, Destination):
            tag = tuple(value for name, value in one.headers if name == "env")
            chances[(200, one.host.split("-svc.")[0], dict(one.labels)["env"], tag)] += share.probability
        else:
            assert isinstance(one, DirectResponse | Failure | Redirect), one
            chances[(one.status, "", "", ())] += share.probability
    return chances


def seen(answer):
    return answer.status, answer.service, answer.version, tuple(answer.header("env"))


def agree(decision, ask, what):
    assert not decision.undecided, what
    chances = expected(decision)
    times = 1 if len(chances) == 1 else SAMPLES
    refused = any(status == 503 for status, *_ in chances)
    got = Counter(seen(ask() if refused else answered(ask)) for _ in range(times))
    Tally.requests += times
    assert set(got) <= set(chances), f"{what}: {got} is not among {chances}"
    for key, chance in chances.items():
        share = float(chance)
        slack = 5 * math.sqrt(share * (1 - share) / times) + 1 / times
        assert abs(got[key] / times - share) <= slack, f"{what}: {got} for {chances}"


@settings(
    max_examples=SPECS,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking on a live mesh would take hours; the spec that failed is printed whole
    suppress_health_check=list(HealthCheck),
)
@given(case=cases())
def check(cluster, case):
    cluster.apply(case.manifests)
    index = Index(Resources.parse(case.manifests))
    Tally.specs += 1
    for one in case.outside:
        host, method, path, headers = one
        decision = simulate(index, Request(host, path, method, headers, gateway=ANY_GATEWAY))
        agree(decision, partial(cluster.ask_gateway, host, path, headers, method), one)
    for one in case.inside:
        name, (_, method, path, headers) = one
        host = f"{name}-svc.{NAMESPACE}.svc.cluster.local"
        decision = simulate(index, Request(host, path, method, headers, source_namespace=NAMESPACE, port=9001))
        agree(decision, partial(cluster.ask_mesh, name, path, headers, method), one)
    istioctl_is_content(case.manifests)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # it would take the place of what has failed
def test_random_specs_meet_what_simulate_says(cluster):
    check(cluster)
    print(f"\n{Tally.specs} random specs, {Tally.requests} requests, no disagreement")
    assert Tally.specs >= SPECS


def istioctl_is_content(manifests):
    """`istioctl analyze` on the rendered resources has nothing of level error to say, in the live cluster."""
    binary = istioctl()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(to_yaml(manifests))
        file.flush()
        command = [binary, "analyze", "-n", NAMESPACE, "--failure-threshold", "Error", file.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
