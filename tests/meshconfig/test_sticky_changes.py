"""What a change does to the users of a sticky split, as plan, explain, links, status and rollouts say it."""

import json
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshconfig.backend import backend
from meshconfig.cluster.status import shares as status_shares
from meshconfig.compile import compile_group
from meshconfig.draws import moves, refused_moves
from meshconfig.groups import groups
from meshconfig.load import parse
from meshconfig.render import render
from meshconfig.rollout import steps
from meshconfig.rollout.check import check
from meshconfig.rollout.check import parse as rollout_of

GROUP = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: zoo, namespace: demo}}
spec:
  lanes: {{prod: {{}}, gray: {{}}, blue: {{}}}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {{prod: {{labels: {{v: prod}}}}, gray: {{labels: {{v: gray}}}}, blue: {{labels: {{v: blue}}}}}}
    old:
      host: old-svc
      port: 9001
      versions: {{v1: {{labels: {{v: v1}}}}, v2: {{labels: {{v: v2}}}}}}
      weights: {weights}
  entries:
    - hosts: [shop.example.com]
      {split}
      sticky: {sticky}
      routes: [{{path: {{prefix: /old}}, service: old}}, {{service: cat}}]
"""


def text(split="{gray: 20, prod: 80}", sticky="{}", weights="{v1: 1}"):
    return GROUP.format(split=f"split: {split}" if split else "tag: trusted", sticky=sticky, weights=weights)


def group(*given, **more):
    return groups(parse(text(*given, **more), "f.yaml"))[0]


def routing(*given, **more):
    return group(*given, **more).model.routing()


@pytest.fixture
def plan(graylane, tmp_path):
    def run(before, after, *options):
        old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
        old.write_text(before)
        new.write_text(after)
        return graylane("plan", "-f", new, "--against", old, *options)

    return run


def test_a_share_that_rises_is_one_step_that_says_who_moves(plan):
    code, out, _ = plan(text(), text("{gray: 25, prod: 75}"))
    assert code == 0
    assert "change in 1 step" in out
    assert "shop.example.com: users in buckets 20-24 of 100 go from prod to gray" in out
    assert out.count("users in") == 1
    code, out, _ = plan(text("{gray: 25, prod: 75}"), text())
    assert "users in buckets 20-24 of 100 go from gray to prod" in out


def test_versions_of_a_service_without_lanes_move_alike(plan):
    _, out, _ = plan(text(None, weights="{v1: 95, v2: 5}"), text(None, weights="{v1: 75, v2: 25}"))
    assert "users in buckets 5-24 of 100 go from v1 to v2" in out


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (text(sticky="{buckets: 10}"), text(sticky="{buckets: 20}"), "sticky.buckets cannot go from 10 to 20 while"),
        (text(), text("{gray: 60, prod: 40}", "{buckets: 10}"), "sticky.buckets cannot go from 100 to 10 while"),
        (text(), text(sticky="{cookie: other}"), "sticky.cookie cannot go from graylane-bucket to other while"),
        (
            text("{gray: 10, prod: 90}"),
            text("{gray: 10, blue: 5, prod: 85}"),
            "gray would lose some of its users and get others: write sticky.order: [gray, blue]",
        ),
        (
            text("{gray: 10, blue: 5, prod: 85}"),
            text("{gray: 10, blue: 5, prod: 85}", "{order: [gray, blue]}"),
            "would lose some of its users and get others: write sticky.order: [blue, gray]",
        ),
        (
            text("{gray: 10, blue: 0, prod: 90}"),
            text("{gray: 10, prod: 90}"),
            "would lose some of its users and get others: write sticky.order: [prod, gray]",
        ),
        (
            text(None, "{buckets: 10}", "{v1: 1, v2: 1}"),
            text(None, "{buckets: 20}", "{v1: 1, v2: 1}"),
            "sticky.buckets cannot go from 10 to 20 while",
        ),
    ],
)
def test_a_change_that_would_move_others_is_refused(plan, before, after, why):
    code, out, err = plan(before, after)
    assert (code, out) == (1, "")
    assert "nothing was changed: shop.example.com: " in err
    assert why in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (text("{gray: 0, prod: 100}", "{buckets: 10}"), text(sticky="{buckets: 20}")),
        (text("{gray: 100, prod: 0}", "{buckets: 10}"), text("{gray: 90, prod: 10}", "{cookie: other, buckets: 20}")),
        (text(None, "{buckets: 10}"), text(sticky="{buckets: 20}")),
        (text("{gray: 10, prod: 90}"), text("{gray: 10, blue: 5, prod: 85}", "{order: [gray, blue]}")),
        (text("{gray: 10, blue: 0, prod: 90}"), text("{gray: 10, blue: 5, prod: 85}")),
        (text(), text(sticky="{maxAge: 1h}")),
        (text("{gray: 10, blue: 0, prod: 90}"), text("{gray: 10, prod: 90}", "{order: [prod, gray]}")),
    ],
)
def test_a_change_that_moves_nobody_or_those_of_its_shares_is_none_to_refuse(plan, before, after):
    assert plan(before, after)[0] == 0


PERCENT = st.integers(0, 50)


@given(st.tuples(PERCENT, PERCENT), st.tuples(PERCENT, PERCENT), st.sampled_from((3, 10, 100)))
def test_only_users_between_the_baseline_and_a_lane_move(before, after, buckets):
    """From any shares to any others, as long as a lane does not take what the other has."""
    one, other = (
        routing(f"{{gray: {g}, blue: {b}, prod: {100 - g - b}}}", f"{{buckets: {buckets}}}") for g, b in (before, after)
    )
    assume(not list(refused_moves(one, other, "prod")))
    for sentence in moves(one, other, "prod"):
        _, _, way = sentence.partition("go from ")
        assert "prod" in way.split(" to ") or 100 in (sum(before), sum(after))


def test_the_markdown_of_a_plan_has_a_row_for_the_users_who_move(plan):
    _, out, _ = plan(text(), text("{gray: 25, prod: 75}"), "--output", "markdown")
    rows = [line for line in out.splitlines() if "graylane-bucket" in line]
    assert len(rows) == 1
    assert "graylane-bucket=20-24" in rows[0]
    assert "cat/prod | cat/gray" in rows[0]


def test_explain_names_the_bucket_and_what_decides(graylane, tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text(text())

    def explain(*headers):
        options = [part for header in headers for part in ("-H", header)]
        return graylane("explain", "-f", file, "--host", "shop.example.com", *options, "--output", "json")

    said = [
        json.loads(explain(*headers)[1])["notes"]
        for headers in (
            [],
            ["cookie: a=b; graylane-bucket=19"],
            ["cookie: graylane-bucket=20"],
            ["cookie: graylane-bucket=999"],
            ["cookie: graylane-bucket=20", "env: gray"],
            ["cookie: graylane-bucket=20; graylane-bucket=3"],
            ["env: gray"],
        )
    ]
    shares = "(0-19 gray, 20-99 prod)"
    drawn = f"no bucket: one of 100 is drawn {shares}, and the answer sets graylane-bucket to it"
    assert said == [
        [drawn],
        [f"bucket 19 of 100 decides {shares}"],
        [f"bucket 20 of 100 decides {shares}"],
        ["graylane-bucket=999 is none of the 100 buckets, so it counts for nothing", drawn],
        ["bucket 20 of 100 counts for nothing: gray comes first"],
        [f"bucket 20 and 3 of 100 decides {shares}, the first of the routes that graylane-bucket fits"],
        [],
    ]


def test_links_prints_how_to_be_a_user_of_each_share(graylane, tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text(text())
    found = {one["lane"]: one.get("bucket") for one in json.loads(graylane("links", "-f", file, "--output", "json")[1])}
    assert found == {
        "prod": "curl -b 'graylane-bucket=20' http://shop.example.com/old",
        "gray": "curl -b 'graylane-bucket=0' http://shop.example.com/old",
        "blue": None,
    }
    assert "split curl -b 'graylane-bucket=0'" in graylane("links", "-f", file, "--lane", "gray")[1]


def test_status_reads_shares_and_buckets_from_what_the_cluster_has():
    one = group()
    (entry,) = one.model.entries
    state = status_shares.entry(entry, backend().lift(render([one.model]), one.model.tag))
    assert dict(state.split) == {"gray": pytest.approx(20), "prod": pytest.approx(80)}
    assert state.sticky is not None
    assert (state.sticky.cookie, state.sticky.runs) == ("graylane-bucket", [("gray", 0, 19), ("prod", 20, 99)])
    (idle,) = group(None).model.entries
    assert status_shares.entry(idle, group(None).model.routing()).sticky is None


ROLLOUT = """\
apiVersion: graylane/v1
kind: Rollout
metadata: {name: cat-2, namespace: demo}
spec:
  group: zoo
  services: {cat: {from: prod, to: gray}}
  entry: shop.example.com
  steps: [{weight: 5}, {weight: 25}, {weight: 50}, {weight: 100}]
"""


def test_a_rollout_with_an_entry_keeps_each_user_through_all_steps():
    base = group(None).spec
    (document,) = parse(ROLLOUT, "r.yaml")
    rollout = rollout_of(document)
    way = (steps.at_weight(base, rollout, weight) for weight in (5, 25, 50, 100, 50, 0))
    seen = [compile_group(one).routing() for one in way]
    said = [list(moves(before, after, "prod")) for before, after in pairwise(seen)]
    assert said == [
        ["shop.example.com: users in buckets 5-24 of 100 go from prod to gray"],
        ["shop.example.com: users in buckets 25-49 of 100 go from prod to gray"],
        ["shop.example.com: users in buckets 50-99 of 100 go from prod to gray"],
        ["shop.example.com: users in buckets 50-99 of 100 go from gray to prod"],
        [],
    ]
    assert not any(list(refused_moves(before, after, "prod")) for before, after in pairwise(seen))


def test_a_rollout_whose_step_would_move_no_bucket_is_refused():
    (document,) = parse(ROLLOUT.replace("{weight: 5}", "{weight: 4}"), "r.yaml")
    rollout = rollout_of(document)
    wrong = [*check(rollout, group(None, "{buckets: 10}").spec)]
    assert [path for path, _ in wrong] == [("spec", "steps", 0)]
    assert "4 % is less than half of one of the entry's 10 sticky buckets" in wrong[0][1]
    assert not [*check(rollout, group(None, "{buckets: 20}").spec)]
    assert not [*check(rollout_of(parse(ROLLOUT, "r.yaml")[0]), group(None, "{buckets: 10}").spec)]
