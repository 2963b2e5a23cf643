"""How a group is, told from what was read: shares, Pods, drift, and what makes it unhealthy."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from own_thread import here_only
from stand_in import Listing

from meshconfig import groups
from meshconfig.cli import status as cli_status
from meshconfig.cli import watch
from meshconfig.cluster import fields, status
from meshconfig.cluster.lease import Record, Standing
from meshconfig.cluster.objects import Key, key, state
from meshconfig.cluster.owned import Live
from meshconfig.cluster.revision import Parts, Revision, RevisionStatus, digest, document
from meshconfig.cluster.status import Followed, GroupSnapshot, How, PodCount, as_json, judge
from meshconfig.compile import compile_group
from meshconfig.errors import ApiError
from meshconfig.load import parse
from meshconfig.render import render

SPEC = """
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}, soft: {fallback: runtime, versions: {cat: gray}}, hard: {mode: strict}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions:
        prod: {labels: {env: prod}, workload: cat-dp-prod}
        gray: {labels: {env: gray}}
      weights: {prod: 90, gray: 30}
    mouse: {host: mouse-svc, port: 9001, versions: {prod: {labels: {env: prod}}, new: {labels: {env: new}}}}
    bill: {host: bill.example.org, port: 443, versions: {prod: {labels: {env: prod}}}}
  entries:
    - hosts: [a.example.com]
      split: {prod: 3, gray: 1}
      routes: [{path: {prefix: /}, service: cat}]
    - hosts: [b.example.com]
      tag: untrusted
      routes: [{path: {prefix: /}, service: mouse}]
"""
CAT = Key("VirtualService", "demo", "cat-svc")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def deployment(name, env, ready=1, wanted=1, app="cat"):
    labels = {"app": app, "env": env}
    return {
        "metadata": {"name": name, "namespace": "demo"},
        "spec": {"replicas": wanted, "template": {"metadata": {"labels": labels}}},
        "status": {"readyReplicas": ready},
    }


def service(name):
    return {"metadata": {"name": f"{name}-svc"}, "spec": {"selector": {"app": name}}}


def pod(env, app, ready=True, **metadata):
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"labels": {"app": app, "env": env}, **metadata}, "status": {"conditions": conditions}}


def revision(spec, outcome=RevisionStatus.SUCCEEDED, **more):
    written = document(spec)
    known: Any = {
        "started": MOMENT,
        "ended": MOMENT,
        "action": "apply",
        "outcome": outcome,
        "message": "",
        "version": "1",
    }
    who: Any = {"who": "ann", "host": "ann@laptop", "process": "ann@laptop/7/8"}
    one = Revision("demo", "pets", 3, Parts.of(written), digest(written), **who, **known)
    return replace(one, **more)


def applied(manifest):
    """As the API server answers after `graylane apply`."""
    entry = {"manager": "graylane", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": owned(manifest)}
    one = copy.deepcopy(manifest)
    one["metadata"] |= {"managedFields": [entry], "generation": 1}
    return one


def owned(manifest):
    labels = {f"f:{name}": {} for name in manifest["metadata"]["labels"]}
    return {"f:metadata": {"f:labels": labels}, "f:spec": {f"f:{name}": {} for name in manifest["spec"]}}


def edited(one, change):
    """As after `kubectl edit`: the changed list is the editor's."""
    one = copy.deepcopy(one)
    change(one)
    del one["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:http"]
    by = {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-03T00:00:00Z"}
    one["metadata"]["managedFields"].append({**by, "fieldsV1": {"f:spec": {"f:http": {}}}})
    other = {"manager": "labeller", "operation": "Update", "time": "2026-01-04T00:00:00Z"}
    one["metadata"]["managedFields"].append({**other, "fieldsV1": {"f:spec": {"f:exportTo": {}}}})
    return one


def seen(text=SPEC, *, raw=None, unmanaged=None, record=None, standing=Standing.FREE, **more):
    """A healthy group, but for what is said."""
    spec = groups.groups(parse(text, "spec"))[0].spec
    model = compile_group(spec)
    wanted = state(render([model]))
    there = {name: applied(one) for name, one in wanted.items()} if raw is None else raw
    live = Live(
        {name: fields.managed_part(one, wanted.get(name)) for name, one in there.items()}, there, unmanaged or {}, "v1"
    )
    parts = {
        "revision": revision(spec),
        "wanted": wanted,
        "followed": Followed(3, 3),
        "deployments": {"demo": [deployment("cat-dp-prod", "prod"), deployment("cat-gray", "gray", 2, 2)]},
        "pods": {"demo": [pod("prod", "mouse"), pod("new", "mouse"), pod("new", "cat")]},
        "services": {"demo": [service("cat"), service("mouse")]},
    }
    return GroupSnapshot(spec=spec, model=model, live=live, record=record, standing=standing, **{**parts, **more})


def raw_with(name, change):
    there = seen().live.raw
    return {**there, name: edited(there[name], change)}


def services(found):
    return {one.name: one for one in found.services}


def lanes(service):
    return {one.name: (one.how, {share.version: share.percent for share in one.shares}) for one in service.lanes}


def test_what_was_applied_and_runs_is_healthy():
    found = judge(seen())
    assert found.problems == ()
    assert found.healthy


def test_each_lane_and_the_untagged_have_their_versions():
    found = services(judge(seen()))
    assert lanes(found["cat"]) == {
        "prod": (How.OWN, {"prod": 100}),
        "gray": (How.OWN, {"gray": 100}),
        "soft": (How.RUNTIME, {"gray": 100}),
        "hard": (How.REFUSED, {}),
        None: (How.OWN, {"prod": 75, "gray": 25}),
    }
    assert lanes(found["mouse"])["gray"] == (How.FALLBACK, {"prod": 100})


def test_versions_that_get_copies_are_shown_with_their_share():
    copied = SPEC.replace(
        "      weights: {prod: 90", "      mirror: {version: gray, percent: 5}\n      weights: {prod: 90"
    )
    found = services(judge(seen(copied)))
    assert [(one.version, one.percent) for one in found["cat"].copies] == [("gray", 5)]
    assert found["mouse"].copies == ()


def test_shares_are_those_of_the_cluster_not_of_the_spec():
    def untagged(*weights):
        def change(one):
            one["spec"]["http"][-1]["route"] = [
                {"destination": {"subset": subset}, "weight": weight} for subset, weight in weights
            ]

        return lanes(services(judge(seen(raw=raw_with(CAT, change))))["cat"])[None]

    assert untagged(("gray", None)) == (How.OWN, {"gray": 100})
    assert untagged(("gray", 1), ("gray-or-prod", 1), ("prod", 2)) == (How.OWN, {"gray": 50, "prod": 50})
    raw = seen().live.raw
    found = judge(seen(raw={name: one for name, one in raw.items() if name != CAT}))
    assert lanes(services(found)["cat"])["gray"] == (How.NONE, {})


def test_an_entry_shows_its_split_by_lane():
    found = judge(seen())
    assert [(one.hosts, one.split) for one in found.entries] == [
        (("a.example.com",), (("gray", 25.0), ("prod", 75.0))),
        (("b.example.com",), ()),
    ]


def test_an_entry_shows_the_ways_that_browsers_have_into_lanes():
    doors = '      cookie: lane\n      links: /.lane\n      laneHosts: "{lane}.b.example.com"\n      tag: untrusted\n'
    text = SPEC.replace("      tag: untrusted\n", doors)
    plain, browsers = judge(seen(text)).entries
    lanes = ("gray", "hard", "prod", "soft")
    assert plain.doors == {}
    assert browsers.doors == {"cookie": lanes, "link": lanes, "host": lanes}
    gone = raw_with(Key("VirtualService", "demo", "b-example-com"), lambda one: one["spec"].update(http=[]))
    assert "cookie" not in judge(seen(raw=gone)).entries[1].doors


def test_pods_are_counted_by_the_deployment_else_by_labels():
    found = services(judge(seen()))
    assert {one.name: one.pods for one in found["cat"].versions} == {"prod": PodCount(1, 1), "gray": PodCount(2, 2)}
    assert {one.name: one.pods for one in found["mouse"].versions} == {"prod": PodCount(1, 1), "new": PodCount(1, 1)}
    assert found["bill"].versions[0].pods is None


def test_a_deployment_of_the_name_with_other_labels_is_somebody_elses():
    deployments = {"demo": [deployment("mouse-prod", "stage", 9, 9)]}
    assert services(judge(seen(deployments=deployments)))["mouse"].versions[0].pods == PodCount(1, 1)


def test_pods_on_their_way_out_do_not_count():
    pods = [pod("prod", "mouse", deletionTimestamp="now"), pod("prod", "mouse", ready=False)]
    found = judge(seen(pods={"demo": pods}))
    assert services(found)["mouse"].versions[0].pods == PodCount(0, 1)


@pytest.mark.parametrize(
    ("ready", "wanted", "problem"),
    [
        (1, 2, "cat gray: 1 of 2 Pods ready (cat-gray)"),
        (0, 0, "cat gray: 0 of 0 Pods ready (cat-gray)"),
        (2, 2, None),
    ],
)
def test_a_version_that_is_used_needs_its_pods(ready, wanted, problem):
    deployments = {"demo": [deployment("cat-dp-prod", "prod"), deployment("cat-gray", "gray", ready, wanted)]}
    assert judge(seen(deployments=deployments)).problems == ((problem,) if problem else ())


def test_a_lane_that_falls_back_while_it_runs_needs_no_pods():
    text = SPEC.replace("{prod: {}, gray: {}, ", "{prod: {}, ").replace(
        "weights: {prod: 90, gray: 30}", "weights: {prod: 1}"
    )
    deployments = {"demo": [deployment("cat-dp-prod", "prod"), deployment("cat-gray", "gray", 0, 0)]}
    assert judge(seen(text.replace("split: {prod: 3, gray: 1}", "tag: untrusted"), deployments=deployments)).healthy


def test_a_preview_lane_needs_its_pods_once_it_is_routed_and_not_before():
    labels = {"graylane.dev/lane": "pr-1"}
    text = SPEC.replace(
        "new: {labels: {env: new}}", "new: {labels: {env: new}}, pr-1: {labels: {graylane.dev/lane: pr-1}}"
    )
    made = deployment("mouse-pr-1", "x", 0, app="mouse")
    made["spec"]["template"]["metadata"]["labels"] |= labels
    there = {"demo": [*seen().deployments["demo"], made]}
    assert judge(seen(text, deployments=there)).problems == ()
    routed = text.replace("hard:", "pr-1: {}, hard:")
    assert judge(seen(routed, deployments=there)).problems == ("mouse pr-1: 0 of 1 Pods ready (mouse-pr-1)",)


def test_a_version_that_nobody_comes_to_needs_none():
    assert judge(seen(pods={"demo": [pod("prod", "mouse")]})).healthy
    assert not judge(seen(pods={"demo": [pod("prod", "mouse"), pod("new", "mouse", ready=False)]})).healthy


def test_drift_names_the_field_and_who_changed_it():
    def all_gray(one):
        one["spec"]["http"][-1]["route"][0]["weight"] = 7

    found = judge(seen(raw=raw_with(CAT, all_gray)))
    (one,) = found.drift
    assert [(each.manager, each.time) for each in one.by] == [("kubectl-edit", "2026-01-03T00:00:00Z")]
    number = len(seen().wanted[CAT]["spec"]["http"]) - 1
    assert found.problems == (
        f"drift: VirtualService demo/cat-svc: spec.http[{number}].route[0].weight, "
        "by kubectl-edit at 2026-01-03T00:00:00Z",
    )


def test_what_is_missing_or_should_be_gone_is_drift():
    raw = seen().live.raw
    extra = copy.deepcopy(raw[CAT])
    extra["metadata"]["name"] = "old"
    there = {name: one for name, one in raw.items() if name != CAT} | {key(extra): extra}
    assert [line for line in judge(seen(raw=there)).problems if "drift" in line] == [
        "drift: VirtualService demo/cat-svc is missing",
        "drift: VirtualService demo/old should be gone",
    ]


def test_a_resource_whose_label_was_taken_away_is_no_missing_one():
    raw = dict(seen().live.raw)
    stranger = copy.deepcopy(raw.pop(CAT))
    del stranger["metadata"]["labels"]["graylane.dev/group"]
    edit = edited(stranger, lambda one: one["spec"].update(http=[]))
    (one,) = judge(seen(raw=raw, unmanaged={CAT: edit})).drift
    assert [each.manager for each in one.by] == ["kubectl-edit"]
    found = judge(seen(raw=raw, unmanaged={CAT: stranger}))
    assert found.problems == ('drift: VirtualService demo/cat-svc: labels["graylane.dev/group"]',)
    assert lanes(services(found)["cat"])["gray"] == (How.OWN, {"gray": 100})


@pytest.mark.parametrize(
    ("outcome", "holder", "problem"),
    [
        (RevisionStatus.SUCCEEDED, "", None),
        (RevisionStatus.FAILED, "", "revision 3 (apply) failed: the barrier"),
        (RevisionStatus.RUNNING, "ann@laptop/7/8/ab", "revision 3 (apply) is running"),
        (RevisionStatus.RUNNING, "", "revision 3 (apply) was interrupted; apply again to go on"),
        (RevisionStatus.RUNNING, "eve@elsewhere/1/2/ab", "revision 3 (apply) was interrupted; apply again to go on"),
    ],
)
def test_the_last_apply_has_to_have_succeeded(outcome, holder, problem):
    last = revision(seen().spec, outcome, message="the barrier\ndid not hold")
    record, standing = (Record(holder), Standing.HELD) if holder else (None, Standing.FREE)
    found = judge(seen(revision=last, record=record, standing=standing))
    assert found.problems == ((problem,) if problem else ())
    assert as_json(found)["revision"]["outcome"] == found.outcome.value


def test_a_group_that_was_deleted_is_well_when_nothing_is_left():
    gone = revision(seen().spec, action="delete")
    assert judge(seen(raw={}, wanted={}, revision=gone)).healthy
    left = judge(seen(wanted={}, revision=gone))
    assert f"drift: {CAT} should be gone" in left.problems
    assert left.services == ()


@pytest.mark.parametrize(
    ("followed", "state"),
    [
        (Followed(3, 3), "verified"),
        (Followed(2, 3), "pending"),
        (Followed(3, 3, "one did not answer"), "unverified"),
        (Followed(None, None, "none"), "unverified"),
    ],
)
def test_the_barrier_is_verified_only_by_all(followed, state):
    found = judge(seen(followed=followed))
    assert as_json(found)["barrier"]["state"] == state
    assert found.healthy


def test_the_lock_is_shown_while_somebody_has_it():
    record = Record("ann@laptop/7/8/ab", "", MOMENT, MOMENT)
    expected = {"holder": "ann@laptop, process 7", "since": "2026-01-02T03:04:05Z"}
    found = {standing: as_json(judge(seen(record=record, standing=standing)))["lock"] for standing in Standing}
    assert found[Standing.HELD] == {**expected, "expired": False}
    assert found[Standing.EXPIRED] == {**expected, "expired": True}
    assert found[Standing.FREE] is found[Standing.DEAD] is None


def test_json_has_the_keys_that_are_documented():
    found = as_json(judge(seen(raw=raw_with(CAT, lambda one: one["spec"].update(http=[])))))
    text = status.as_json.__doc__

    def keys(value):
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from keys(part)
        if isinstance(value, dict):
            yield from value

    found["drift"][0]["fields"] = [{"path": "", "live": "", "wanted": ""}]
    assert {name for name in keys(found) if name not in text} == set()
    assert json.loads(json.dumps(found)) == found


class Cluster(Listing):
    """An API server that answers what was given to it."""

    def __init__(self, there, forbidden=()):
        self.there, self.forbidden = there, forbidden

    def list_resources(self, kind, namespace, selector="", *, istio_api="v1"):
        if kind in self.forbidden:
            raise ApiError(403, "Forbidden", f"{kind} is forbidden")
        return [one for one in self.there if one["kind"] == kind and one["metadata"]["namespace"] == namespace]

    def get(self, where, query=None):
        if where.endswith("networking.istio.io"):
            return {"versions": [{"version": "v1"}]}
        return next((one for one in self.there if one["kind"] == "Lease"), None)

    def map_concurrently(self, function, items):
        return [function(item) for item in items]


@pytest.fixture
def graylane(monkeypatch, capsys):
    """`graylane status` on a cluster of these resources; gives (exit code, standard output)."""

    def run(*arguments, there, forbidden=()):
        app = typer.Typer()
        app.command("status")(cli_status.command)
        monkeypatch.setattr(cli_status, "connect", lambda context: Cluster(there, forbidden))
        with pytest.raises(SystemExit) as stopped:
            app(["pets", "-n", "demo", *arguments])
        return stopped.value.code, capsys.readouterr().out

    return run


def whole():
    """All that the healthy group has in its cluster."""
    from meshconfig.cluster.revision import manifest as config_map

    one = seen()
    kinds = {"Deployment": one.deployments, "Pod": one.pods, "Service": one.services}
    parts = [{"kind": kind, **part} for kind, found in kinds.items() for part in found["demo"]]
    parts = [{**part, "metadata": {"namespace": "demo", **part["metadata"]}} for part in parts]
    return [
        config_map(replace(one.revision, parts=Parts.of(one.revision.document, one.wanted))),
        *parts,
        *one.live.raw.values(),
    ]


def test_a_reader_sees_a_table(graylane):
    code, out = graylane(there=whole())
    assert code == 0, out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert rows[0] == "group demo/pets revision 3 (apply) succeeded 2026-01-02 03:04:05Z by ann (ann@laptop)"
    assert rows[1] == "barrier unverified (no Pod with the label app=istiod is ready in istio-system)"
    assert rows[3] == "bill prod prod 100 % ?"
    start = rows.index("cat prod prod 100 % 1/1")
    assert [rows[2], *rows[start : start + 10]] == [
        "service lane version share Pods",
        "cat prod prod 100 % 1/1",
        "cat gray gray 100 % 2/2",
        "cat soft gray 100 % 2/2 while healthy",
        "cat hard 503: strict, no version here",
        "cat (untagged) gray 25 % 2/2",
        "cat (untagged) prod 75 % 1/1",
        "mouse prod prod 100 % 1/1",
        "mouse gray prod 100 % 1/1 fallback",
        "mouse soft prod 100 % 1/1 fallback",
        "mouse hard 503: strict, no version here",
    ]
    assert "mouse new 0 % 1/1" in rows
    assert "entry a.example.com: 25 % gray, 75 % prod" in rows


def test_exit_1_and_why_where_something_is_wrong(graylane):
    there = [one for one in whole() if one["metadata"].get("name") != "cat-gray"]
    code, out = graylane("--output", "json", there=there)
    found = json.loads(out)
    assert code == 1
    assert found["problems"] == ["cat gray: 0 of 0 Pods ready (cat-gray)"]


def test_without_the_right_to_read_deployments_pods_are_counted(graylane):
    there = [*whole(), *({"kind": "Pod", **pod(env, "cat", namespace="demo")} for env in ("prod", "gray"))]
    code, out = graylane("--output", "json", there=there, forbidden=("Deployment",))
    found = {one["service"]: one["versions"] for one in json.loads(out)["services"]}
    assert [(one["ready"], one["wanted"]) for one in found["mouse"]] == [(1, 1), (1, 1)]
    assert [(one["ready"], one["wanted"]) for one in found["cat"]] == [(1, 1), (1, 1)]
    assert code == 0


def test_watch_prints_a_block_for_each_change_until_ctrl_c(graylane, monkeypatch):
    there = whole()
    looks = iter(range(5))

    def sleep(seconds):
        match next(looks):
            case 2:
                next(one for one in there if one["kind"] == "Deployment")["status"]["readyReplicas"] = 0
            case 4:
                raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", here_only(sleep, watch.time.sleep))
    code, out = graylane("--watch", "--output", "json", there=there)
    healthy = [json.loads(line)["healthy"] for line in out.splitlines()]
    assert (code, healthy) == (1, [True, False])
