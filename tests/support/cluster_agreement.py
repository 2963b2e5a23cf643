"""What `simulate` says comes of a request, held against what the proxies of a cluster do with it."""

import math
from collections import Counter

from mesh_cluster import answered

from meshconfig.simulate import Destination, DirectResponse, Failure, Redirect, simulate

SAMPLES = 60  # requests where the answer is a matter of chance


def expected(decision, index):
    """(status, service, version, the tag as the backend sees it) → probability."""
    chances = Counter()
    for share in decision.shares:
        one = share.outcome
        if isinstance(one, Destination):
            tag = tuple(value for name, value in one.headers if name == "env")
            chances[(200, *who(one, index), tag)] += share.probability
        else:
            assert isinstance(one, DirectResponse | Failure | Redirect), one
            chances[(one.status, "", "", ())] += share.probability
    return chances


def who(one, index):
    """The service and the version that answer: a subset of a Service, or a Service that is a version."""
    known = index.registry.get(one.host)
    labels = {**(known.selector if known else {}), **dict(one.labels)}
    return one.host.partition("-svc")[0], labels["env"]


def seen(answer):
    return answer.status, answer.service, answer.version, tuple(answer.header("env"))


def agree(index, request, ask):
    decision, what = simulate(index, request), f"{request}"
    assert not decision.undecided, what
    chances = expected(decision, index)
    times = 1 if len(chances) == 1 else SAMPLES
    refused = any(status == 503 for status, *_ in chances)
    got = Counter(seen(ask() if refused else answered(ask)) for _ in range(times))
    assert set(got) <= set(chances), f"{what}: {got} is not among {chances}"
    for key, chance in chances.items():
        share = float(chance)
        slack = 5 * math.sqrt(share * (1 - share) / times) + 1 / times
        assert abs(got[key] / times - share) <= slack, f"{what}: {got} for {chances}"
    return times
