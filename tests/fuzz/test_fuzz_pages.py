"""istiod's and Envoy's debug pages, whatever stands in them: a barrier looks, waits or gives up, and never crashes."""

import copy
import json
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mutations import as_json, mutated_values

from meshconfig.cluster.barrier.change import ProxyRefused, StepChange
from meshconfig.cluster.barrier.follow import Follower
from meshconfig.cluster.barrier.istiod import Unreadable, parsed
from meshconfig.cluster.barrier.need import push_need

pytestmark = pytest.mark.fuzz

FOLDER = Path(__file__).parents[1] / "meshconfig" / "cluster" / "test_barrier_pages"
PAGES = {file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))}
WRITTEN = [one for one in yaml.safe_load_all((FOLDER / "written.yaml").read_text()) if one]


def some(*names):
    return mutated_values([PAGES[name] for name in names])


# In place of a value: what a date, a version or a nonce may be that is none.
TIMES = (
    "9999-12-31T23:59:59-10:00",
    "0001-01-01T00:00:00+10:00",
    "2026-13-01T00:00:00Z/1",
    "2026-11-21T14:18:35Z/" + "9" * 5000,
    "²/²",
)


def with_time(page, time):
    """The page with another time wherever one stands."""
    page = copy.deepcopy(page)
    for one in page if isinstance(page, list) else ():
        for sent in (one.get("resources") or {}).values() if isinstance(one, dict) else ():
            if isinstance(sent, dict):
                sent["sentTime"] = time
                sent["sent"] = sent["acked"] = time + "0" * 36
    return page


syncz = some("syncz", "syncz-flat") | st.builds(with_time, st.just(PAGES["syncz"]), st.sampled_from(TIMES))


def is_said(error):
    assert str(error)


@given(
    some("configz"),
    st.lists(syncz, min_size=1, max_size=3),
    some("adsz"),
    some("config_dump-sidecar", "config_dump-gateway"),
)
def test_a_barrier_looks_at_any_pages_and_never_crashes(configz, syncz, adsz, dump):
    change = StepChange(written=tuple(WRITTEN), deleted=(), before={})
    there = {"configz": configz, "adsz": adsz, "config_dump": dump}
    for first in (configz, PAGES["configz"]):
        looks = iter(syncz)
        now = {"syncz": syncz[0]}

        def read(page, query, first=first, now=now):
            return json.loads(as_json({**there, "configz": first, **now}[page]))

        istiod = SimpleNamespace(name="istiod", read=read, tell=lambda page, query: None)
        follower = Follower(istiod, push_need(change), dict)
        for second in (0.0, 0.5, 3.0, 12.0, 50.0):
            now["syncz"] = next(looks, now["syncz"])
            try:
                look = follower.look(second)
            except (Unreadable, ProxyRefused) as error:
                is_said(error)
                continue
            assert all(isinstance(line, str) for line in look.waiting)
            assert 0 <= look.unacknowledged <= look.proxies


answers = st.sampled_from([b"[" * 100_000, *(as_json(page) for page in PAGES.values())])


@given(st.sampled_from((200, 200, 403, 404, 500)), st.binary(max_size=40) | answers, st.integers(0, 9999))
def test_whatever_bytes_answer_it_is_a_page_or_none(status, data, cut):
    with suppress(Unreadable):
        parsed("istiod", status, data[: len(data) - cut % (len(data) + 1)])
