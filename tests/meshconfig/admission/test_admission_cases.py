"""Each kind of mistake is refused at its field, and what stands right beside it is taken."""

import pytest
from admission_case import Case
from admission_cases import CASES

from meshconfig.admission import Kind, check, is_checked
from meshconfig.errors import dotted


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.spec[:60]}")
def test_a_mistake_is_refused_at_its_field_and_its_neighbours_are_taken(case: Case) -> None:
    found = check(case.manifest, "demo")
    assert {dotted(one.path): one.kind for one in found} == case.refused
    assert len(set(found)) == len(found)
    assert all(one.message and "\n" not in one.message for one in found)


def test_every_kind_of_mistake_has_a_case() -> None:
    assert {kind for case in CASES for kind in case.refused.values()} == set(Kind)
    assert all(is_checked(case.manifest) for case in CASES)
