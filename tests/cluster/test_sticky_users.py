"""Users of a sticky split, under load, while its share goes up and back: each keeps its lane, except by the step that
moves its bucket. 1,000 users; 20,000 with `make soak`.
"""

import math
import re
import time
from collections import Counter
from dataclasses import replace

import pytest
import sticky_load
from load import count_ended
from load_judge import Step, judge, total, wrong
from load_mesh import Graylane, apply, available
from load_world import HOST, NAMESPACE, World, deployments, everywhere, surroundings
from mesh_cluster import WRITTEN, gateway_address, kubectl
from soak import SOAK

pytestmark = pytest.mark.cluster
USERS = 20_000 if SOAK else 1_000
SHARES = (5, 25, 50, 100, 50, 5)
BUCKETS = 100
SIGMAS = 4
LONGEST = 0.4 * USERS  # seconds until every user has asked once more
LANES = {"prod": everywhere("v1"), "gray": everywhere("v2")}
COOKIE = re.compile(r"graylane-bucket=(\d+)")


def world(share):
    return World(("v1", "v2"), LANES, split={"gray": share, "prod": 100 - share}, sticky=True)


@pytest.fixture(scope="module")
def graylane(tmp_path_factory):
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    apply(surroundings())
    for version in ("v1", "v2"):
        apply(deployments(version))
    available()
    kubectl("delete", WRITTEN, "--all", "-n", NAMESPACE)
    yield Graylane(tmp_path_factory.mktemp("sticky"))
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def everybody_asks(out):
    """Returns when each user has asked once since now."""
    before, end = count_ended(out), time.monotonic() + LONGEST
    # They ask in turn; a request that was under way counts for the round before.
    while count_ended(out) - before < USERS + sticky_load.CONNECTIONS:
        assert time.monotonic() < end, f"not within {LONGEST:.0f} s: every user asks once more"
        time.sleep(0.5)


def lane_of(bucket, share):
    return "gray" if bucket < share else "prod"


def test_nobody_changes_lane_except_by_the_step_that_moves_the_bucket(graylane, tmp_path):
    out, times = tmp_path / "requests.jsonl", []
    graylane.apply(world(SHARES[0]))
    with sticky_load.sticky_load(gateway_address(), HOST, USERS, out):
        everybody_asks(out)
        for share in SHARES[1:]:
            began = time.monotonic()
            graylane.apply(world(share))
            times.append((began, time.monotonic()))
            everybody_asks(out)
    asked = sticky_load.read(out)

    buckets = drawn(asked)
    assert set(buckets.values()) <= set(range(BUCKETS))
    steps = [
        Step(f"{before} % to {after} %", began, ended, allowed(buckets, before), allowed(buckets, after))
        for before, after, (began, ended) in zip(SHARES, SHARES[1:], times, strict=False)
    ]
    first = replace(steps[0], name=f"{SHARES[0]} %", began=0.0, ended=0.0, after=steps[0].before)
    rows = judge([one.sent for one in asked], [first, *steps])
    whole = total(rows)
    print(f"\n{USERS} users, {whole.sent} requests, {whole.failed} failed, {whole.mixed} in another lane or mixed")
    assert (whole.failed, whole.mixed) == (0, 0), wrong(rows)
    shares_are_right(buckets)


def drawn(asked):
    """Each user's bucket. It is drawn once: who has one is set no other."""
    given = Counter(one.sent.tag for one in asked if one.given)
    assert set(given.values()) == {1}
    assert len(given) == USERS
    return {one.sent.tag: int(COOKIE.fullmatch(one.given)[1]) for one in asked if one.given}


def allowed(buckets, share):
    chains = {lane: frozenset([world(share).chain(lane)]) for lane in LANES}
    return {user: chains[lane_of(bucket, share)] for user, bucket in buckets.items()}


def shares_are_right(buckets):
    for share in dict.fromkeys(SHARES):
        users = sum(lane_of(bucket, share) == "gray" for bucket in buckets.values())
        part = share / 100
        sigma = math.sqrt(USERS * part * (1 - part))
        print(
            f"at {share:3} %: {users} users in gray, {abs(users - USERS * part) / sigma if sigma else 0:.1f} sigma off"
        )
        assert abs(users - USERS * part) <= SIGMAS * sigma
