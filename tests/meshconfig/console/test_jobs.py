"""Changes under way: how many a person may have."""

from threading import Event

import pytest

from meshconfig.console.faults import BusyError
from meshconfig.console.jobs import EACH, Begun, Jobs
from meshconfig.console.refs import GroupRef

REF = GroupRef("demo", "pets")


def test_a_person_has_a_few_changes_under_way_and_does_not_keep_others_from_theirs():
    go = Event()

    def work(job):
        go.wait(30)
        return []

    jobs, begun = Jobs(), Begun("weights", True, work)
    running = [jobs.begin(REF, "ann", "ann", begun) for _ in range(EACH)]
    try:
        with pytest.raises(BusyError, match="under way"):
            jobs.begin(REF, "ann", "ann", begun)
        jobs.begin(REF, "bob", "bob", begun)
        running[0].finish(running[0].state.DONE, [])
        jobs.begin(REF, "ann", "ann", begun)
    finally:
        go.set()
