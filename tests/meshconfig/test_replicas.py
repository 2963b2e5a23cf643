import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.errors import InputError
from meshconfig.replicas import replica_counts

WEIGHTS = st.dictionaries(st.sampled_from(("v1", "v2", "v3")), st.integers(0, 100), min_size=1).filter(
    lambda given: any(given.values())
)


def off(weights, counts):
    """The sum of errors of some counts, in shares."""
    whole, total = sum(weights.values()), sum(counts)
    return sum(abs(count / total - weight / whole) for weight, count in zip(weights.values(), counts, strict=True))


@given(WEIGHTS, st.integers(3, 9))
def test_no_other_counts_come_nearer(weights, total):
    mine = [count.replicas for count in replica_counts(weights, total)]
    assert sum(mine) == total
    others = itertools.product(range(total + 1), repeat=len(weights))
    allowed = [
        counts
        for counts in others
        if sum(counts) == total
        and all((count > 0) == (weight > 0) for count, weight in zip(counts, weights.values(), strict=True))
    ]
    assert off(weights, mine) <= min(off(weights, counts) for counts in allowed) + 1e-9


def test_the_error_that_is_left_is_told():
    one, two = replica_counts({"v1": 90, "v2": 10}, 4)
    assert (one.replicas, two.replicas) == (3, 1)
    assert float(two.error) == pytest.approx(0.15)


def test_too_few_pods_are_refused():
    with pytest.raises(InputError, match="1 Pods are too few for 2 versions"):
        replica_counts({"v1": 90, "v2": 10}, 1)


@given(WEIGHTS, st.integers(3, 10**40))
def test_any_number_of_pods_is_shared_at_once(weights, total):
    counts = replica_counts(weights, total)
    assert sum(count.replicas for count in counts) == total
    assert all(abs(count.got - count.wanted) * total < len(counts) + 1 for count in counts)
