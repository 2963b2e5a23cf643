"""`graylane rollout` as a user meets it, against an API server on loopback."""

import json
import re
from copy import deepcopy
from datetime import timedelta
from types import SimpleNamespace

import pytest
import yaml
from fake_api import RefusedError
from rollout_objects import config_map
from rollout_world import GROUP, Run, group, rollout
from runner_world import cluster, mesh, rendered

from meshconfig.cli import watch
from meshconfig.cluster import lock
from meshconfig.cluster.lease import operator
from meshconfig.rollout import steps
from meshconfig.rollout.drivers import LEASE
from meshconfig.rollout.events import Abort, Approve
from meshconfig.rollout.state import Phase, Stage

__all__ = ["cluster", "mesh"]

SHORT = [{"weight": 10, "replicas": "25%"}, {"pause": {}}, {"weight": 100}]
HERE = ("cat-v2", "-n", "demo")
NAMED = "rollout demo/cat-v2"


def written(folder, text=None, name="cat-v2", **more):
    """A file with a Rollout, after `text` where that is given."""
    plan = rollout(SHORT, **more).model_dump(mode="json", by_alias=True, exclude_unset=True)
    plan["metadata"]["name"] = name
    file = folder / f"{name}.yaml"
    file.write_text(f"{text}---\n" if text else "")
    with file.open("a") as opened:
        yaml.safe_dump(plan, opened, sort_keys=False)
    return file


def paused(mesh):
    """A rollout that awaits approval at 10 %."""
    mesh.start(rollout(SHORT, keepOld=None))
    mesh.run(until=lambda state: state.stage is Stage.APPROVAL)


def on(text, word):
    """The number of the line that holds a word."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if word in line)


class TestStart:
    def test_it_waits_for_somebody_to_drive_it(self, graylane, mesh, tmp_path):
        code, out, err = graylane("rollout", "start", "-f", written(tmp_path), "--by", "eva", "--note", "ticket 4711")
        assert (code, err) == (0, "")
        assert out == f"{NAMED}: Pending, 3 steps; nobody drives it: graylane controller -n demo does\n"
        (first,) = mesh.state().log
        assert (first.who, str(first.action), first.why) == ("eva", "start", "ticket 4711")

    def test_as_json_it_is_its_status(self, graylane, mesh, tmp_path):
        _, out, _ = graylane("rollout", "start", "-f", written(tmp_path), "--output", "json")
        (started,) = json.loads(out)
        assert (started["name"], started["phase"], started["superseded"]) == ("cat-v2", "Pending", [])
        assert re.fullmatch(r"\S+@\S+", started["log"][0]["who"])

    def test_one_of_the_same_services_is_superseded(self, graylane, mesh, tmp_path):
        paused(mesh)
        code, out, _ = graylane("rollout", "start", "-f", written(tmp_path, GROUP, name="again"))
        assert (code, out.splitlines()[1:]) == (0, [f"{NAMED} is superseded: it rolls back first"])
        assert mesh.state().stage is Stage.ROUTES_BACK
        assert mesh.state("again").phase is Phase.PENDING

    def test_the_same_name_again_is_refused_while_it_is_under_way(self, graylane, mesh, tmp_path):
        paused(mesh)
        code, out, err = graylane("rollout", "start", "-f", written(tmp_path))
        assert (code, out) == (1, "")
        assert err.startswith(f"graylane: {NAMED} is Paused already")
        assert mesh.state().stage is Stage.APPROVAL

    def test_a_group_beside_it_that_no_resource_would_tell_from_the_applied_one_is_applied_first(
        self, graylane, mesh, tmp_path
    ):
        text = GROUP.replace("v1: {labels: {v: v1}}", "v1: {labels: {v: v1}, workload: cat-v2}", 1)
        file = written(tmp_path, text)
        assert graylane("rollout", "start", "-f", file)[0] == 2
        mesh.apply(group(text))
        assert graylane("rollout", "start", "-f", file)[0] == 0

    def test_the_group_beside_it_has_to_be_the_one_that_is_applied(self, graylane, mesh, tmp_path):
        file = written(tmp_path, GROUP.replace("host: dog-svc", "host: dog2-svc"))
        code, out, err = graylane("rollout", "start", "-f", file)
        assert (code, out) == (2, "")
        place = f"{file}:{on(file.read_text(), 'group: pets')}: spec.group"
        assert err.startswith(
            f"{place}: group demo/pets in the files differs from the applied one: run graylane apply first"
        )
        assert "cat-v2" not in mesh.api.names("rollouts")

    @pytest.mark.parametrize(
        ("change", "word", "said"),
        [
            (("keepOld", "keepOdl"), "keepOdl", "spec.keepOdl: unknown field; did you mean keepOld?"),
            (("to: v2", "to: v3"), "to: v3", "spec.services.cat.to: there is no version of cat v3; there is v1, v2"),
            (("kind: Rollout", "kind: Rolout"), "kind:", "kind: unknown kind Rolout; did you mean Rollout?"),
        ],
    )
    def test_a_mistake_has_its_place_and_nothing_is_started(self, graylane, mesh, tmp_path, change, word, said):
        file = written(tmp_path)
        file.write_text(file.read_text().replace(*change, 1))
        code, out, err = graylane("rollout", "start", "-f", file)
        assert (code, out, err) == (2, "", f"{file}:{on(file.read_text(), word)}: {said}\n")
        assert "cat-v2" not in mesh.api.names("rollouts")

    def test_of_several_none_is_started_when_one_is_wrong(self, graylane, mesh, tmp_path):
        written(tmp_path)
        other = written(tmp_path, name="other")
        other.write_text(other.read_text().replace("weight: 100", "weight: 90"))
        code, _, err = graylane("rollout", "start", "-f", tmp_path)
        assert code == 2
        assert "spec.steps: the last weight has to be 100" in err
        assert mesh.api.names("rollouts") == set()

    def test_two_of_one_name_are_refused(self, graylane, tmp_path):
        file = written(tmp_path)
        code, _, err = graylane("rollout", "start", "-f", written(tmp_path, file.read_text()))
        assert code == 2
        assert "metadata.name: the files contain a second rollout demo/cat-v2" in err

    def test_a_spec_alone_starts_nothing(self, graylane, tmp_path):
        (tmp_path / "graylane.yaml").write_text(GROUP)
        code, _, err = graylane("rollout", "start", "-f", tmp_path)
        assert (code, err) == (2, f"{tmp_path}: no document of kind Rollout in these files\n")

    def test_a_group_that_was_never_applied_is_told(self, graylane, cluster, tmp_path):
        code, _, err = graylane("rollout", "start", "-f", written(tmp_path, GROUP))
        assert (code, err) == (1, "graylane: group demo/pets is not in the cluster: run graylane apply first\n")


class TestStatus:
    def test_for_a_reader(self, graylane, mesh):
        paused(mesh)
        code, out, _ = graylane("rollout", "status", *HERE)
        assert code == 0
        lines = [line.rstrip() for line in out.splitlines()]
        assert lines[0].startswith(f"{NAMED}   Paused, awaiting approval, step 2 of 3   since 2")
        assert lines[1] == "group pets: cat v1 → v2, mouse v1 → v2"
        assert "✓  1  weight 10 %, 25% of the Pods" in lines
        assert "→  2  pause until approved" in lines
        assert "   3  weight 100 %" in lines
        rows = [line.split() for line in lines]
        assert ["cat", "v1", "90", "%", "8"] in rows
        assert ["cat", "v2", "10", "%", "2"] in rows
        assert any("eva" in row and "start" in row for row in rows)

    def test_for_a_program_its_keys_are_fixed(self, graylane, mesh):
        paused(mesh)
        found = json.loads(graylane("rollout", "status", *HERE, "--output", "json")[1])
        first = ["name", "namespace", "group", "generation", "phase", "stage", "why", "since", "step", "steps"]
        assert list(found) == [*first, "weights", "pods", "until", "metrics", "log"]
        assert found["weights"]["mouse"] == {"v1": 90, "v2": 10}

    def test_what_is_waited_for_has_its_time(self, graylane, mesh):
        mesh.start(steps=[{"weight": 0, "pause": {"for": "10m"}}, {"weight": 100}])
        mesh.run(until=lambda state: state.stage is Stage.WAIT)
        _, out, _ = graylane("rollout", "status", *HERE)
        assert re.search(r"^until 2\S+ \S+Z, (10m|9m\d+s) left$", out, re.MULTILINE)

    @pytest.mark.parametrize(("event", "phase"), [(None, "Degraded"), ("run", "Aborted")])
    def test_on_its_way_back_and_after_it_exits_1(self, graylane, mesh, event, phase):
        paused(mesh)
        mesh.say(Abort("bob", "not today"))
        if event:
            mesh.run()
        code, out, _ = graylane("rollout", "status", *HERE)
        assert code == 1
        assert out.splitlines()[0].startswith(f"{NAMED}   {phase}")
        assert "not today" in out
        assert "✗  2  pause until approved" in out

    def test_an_unknown_name_is_told_with_the_nearest(self, graylane, mesh):
        mesh.start()
        said = "graylane: namespace demo has no rollout cat-v3; did you mean cat-v2?\n"
        assert graylane("rollout", "status", "cat-v3", "-n", "demo") == (2, "", said)

    def test_at_the_end_it_says_where_the_new_spec_is(self, graylane, mesh, tmp_path):
        plan = rollout([{"weight": 100}], keepOld="0s")
        mesh.start(plan)
        assert mesh.run().phase is Phase.SUCCEEDED
        code, out, _ = graylane("rollout", "status", *HERE)
        words = re.search(r"graylane (history pets -n demo --show \d+) > graylane.yaml", out)[1].split()
        file = tmp_path / "graylane.yaml"
        file.write_text(graylane(*words)[1])
        assert code == 0
        assert rendered(group(file.read_text())) == rendered(steps.ended(group(), plan)) != rendered(group())

    def test_the_spec_of_another_s_apply_is_not_taken_for_the_rollout_s(self, graylane, mesh):
        mesh.start(rollout([{"weight": 100}], keepOld=None))
        mesh.run()
        assert "--show" in graylane("rollout", "status", *HERE)[1]
        mesh.apply(group())
        assert "--show" not in graylane("rollout", "status", *HERE)[1]


class TestWatch:
    @pytest.fixture
    def meanwhile(self, monkeypatch):
        """What happens between one look and the next, in this order; then Ctrl-C."""

        def happens(*deeds):
            left = iter(deeds)

            def sleep(seconds):
                deed = next(left, None)
                if deed is None:
                    raise KeyboardInterrupt
                deed()

            monkeypatch.setattr(watch, "time", SimpleNamespace(sleep=sleep))

        return happens

    def test_in_a_pipe_there_is_a_line_for_each_change_until_the_end(self, graylane, mesh, meanwhile):
        paused(mesh)
        meanwhile(lambda: None, lambda: mesh.say(Approve("bob")), mesh.run, pytest.fail)
        code, out, _ = graylane("rollout", "status", *HERE, "--watch", "--output", "json")
        phases = [json.loads(line)["phase"] for line in out.splitlines()]
        assert (code, phases) == (0, ["Paused", "Progressing", "Succeeded"])

    def test_on_a_terminal_it_is_drawn_anew(self, graylane, mesh, meanwhile, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        paused(mesh)
        meanwhile(lambda: mesh.say(Abort("bob")))
        code, out, _ = graylane("rollout", "status", *HERE, "--watch")
        assert code == 1
        assert out.index("awaiting approval") < out.index("\x1b[1A") < out.rindex("moving requests back")

    def test_while_the_cluster_cannot_be_read_it_says_so_and_looks_again(self, graylane, mesh, meanwhile):
        def refuse(method, path):
            raise RefusedError(403, "Forbidden", "not today")

        paused(mesh)
        meanwhile(lambda: mesh.api.before.append(refuse), mesh.api.before.clear, lambda: mesh.say(Approve("bob")))
        code, out, err = graylane("rollout", "status", *HERE, "--watch", "--output", "json")
        assert (code, len(out.splitlines()), err) == (0, 2, "graylane: not today\n")


class TestDecide:
    @pytest.mark.parametrize(
        ("word", "said"),
        [
            ("approve", "Progressing, scaling up the new version, step 3 of 3"),
            ("abort", "Degraded, moving requests back, step 2 of 3"),
            ("rollback", "Degraded, moving requests back, step 2 of 3"),
        ],
    )
    def test_what_becomes_of_it_is_one_line_and_the_log_has_who_and_why(self, graylane, mesh, word, said):
        paused(mesh)
        told = graylane("rollout", word, *HERE, "--by", "bob", "--note", "as agreed")
        assert told == (0, f"{NAMED}: {said}\n", "")
        last = mesh.state().log[-1]
        assert (last.who, str(last.action), last.why) == ("bob", word, "as agreed")

    @pytest.mark.parametrize(("word", "phase"), [("abort", Phase.ABORTED), ("rollback", Phase.ROLLED_BACK)])
    def test_both_ways_back_end_by_their_own_name(self, graylane, mesh, word, phase):
        paused(mesh)
        graylane("rollout", word, *HERE)
        assert mesh.run().phase is phase

    def test_pause_and_resume(self, graylane, mesh):
        mesh.start(steps=SHORT)
        assert graylane("rollout", "pause", *HERE)[:2] == (0, f"{NAMED}: Paused, paused by hand, step 1 of 3\n")
        assert graylane("rollout", "resume", *HERE)[:2] == (0, f"{NAMED}: Pending\n")

    def test_as_json_it_is_its_status(self, graylane, mesh):
        paused(mesh)
        found = json.loads(graylane("rollout", "approve", *HERE, "--output", "json")[1])
        assert (found["phase"], found["step"]) == ("Progressing", 2)

    def test_without_by_it_is_the_user_and_the_machine(self, graylane, mesh):
        paused(mesh)
        graylane("rollout", "approve", *HERE)
        assert mesh.state().log[-1].who == operator()

    def test_what_cannot_happen_is_one_line_that_says_what_can(self, graylane, mesh):
        paused(mesh)
        before = mesh.state()
        code, out, err = graylane("rollout", "resume", *HERE)
        assert (code, out, len(err.splitlines())) == (1, "", 1)
        assert "resume is not possible; possible: abort, rollback, approve" in err
        assert mesh.state() == before

    def test_an_unknown_name_is_told(self, graylane, mesh):
        said = "graylane: namespace demo has no rollout cat; none was ever started there\n"
        assert graylane("rollout", "abort", "cat", "-n", "demo") == (2, "", said)


class TestList:
    def test_the_newest_is_the_last(self, graylane, mesh, tmp_path):
        paused(mesh)
        graylane("rollout", "start", "-f", written(tmp_path, name="again"))
        code, out, _ = graylane("rollout", "list", "-n", "demo")
        rows = [line.split() for line in out.splitlines()[1:]]
        assert (code, [row[:3] for row in rows]) == (0, [["cat-v2", "pets", "Degraded"], ["again", "pets", "Pending"]])
        assert "2/3" in rows[0]
        found = json.loads(graylane("rollout", "list", "-n", "demo", "--output", "json")[1])
        assert [(one["name"], one["step"], one["steps"]) for one in found] == [("cat-v2", 1, 3), ("again", 0, 3)]

    def test_one_that_cannot_be_read_does_not_hide_the_others(self, graylane, mesh):
        mesh.start()
        broken = deepcopy(mesh.object())
        broken["metadata"]["name"], broken["status"]["state"] = "broken", "{"
        mesh.api.put(broken)
        code, out, err = graylane("rollout", "list", "-n", "demo")
        assert (code, "cat-v2" in out) == (0, True)
        assert "stored state of a rollout" in err

    def test_none_is_said_so(self, graylane, mesh):
        assert graylane("rollout", "list", "-n", "demo") == (0, "", "namespace demo has no rollouts\n")
        assert json.loads(graylane("rollout", "list", "-n", "demo", "--output", "json")[1]) == []


class TestFiles:
    """A directory with a spec and its rollouts is one that every command reads."""

    def test_they_are_passed_over_where_routes_are_made(self, graylane, tmp_path):
        (tmp_path / "graylane.yaml").write_text(GROUP)
        alone = graylane("render", "-f", tmp_path)
        written(tmp_path)
        assert graylane("render", "-f", tmp_path) == alone
        assert alone[0] == 0

    def test_lint_finds_what_does_not_fit_the_group_beside_it(self, graylane, tmp_path):
        (tmp_path / "graylane.yaml").write_text(GROUP)
        file = written(tmp_path)
        assert graylane("lint", "-f", tmp_path)[0] != 2
        file.write_text(file.read_text().replace("group: pets", "group: pets\n  entry: cot.example.com"))
        code, out, err = graylane("lint", "-f", tmp_path)
        said = "spec.entry: there is no entry cot.example.com; did you mean cat.example.com?"
        assert (code, out, err) == (2, "", f"{file}:{on(file.read_text(), 'entry:')}: {said}\n")
        assert graylane("lint", "-f", file)[0] == 0


class TestCluster:
    """What a cluster may lack, and who is in the way."""

    @pytest.fixture
    def without_kinds(self, mesh):
        def refuse(method, path):
            if "/apis/graylane.dev" in path:
                raise RefusedError(404, "NotFound", "the server could not find the requested resource")

        mesh.api.before.append(refuse)
        return mesh

    @pytest.mark.parametrize("words", [("start", "-f", "FILE"), ("list", "-n", "demo"), ("migrate", "-n", "demo")])
    def test_without_the_kinds_of_graylane_one_line_says_what_to_do(self, graylane, without_kinds, tmp_path, words):
        file = written(tmp_path)
        code, out, err = graylane("rollout", *[file if word == "FILE" else word for word in words])
        install = "graylane crds | kubectl apply --server-side -f -; then graylane controller -n demo drives rollouts"
        assert (code, out) == (1, "")
        assert err == f"graylane: the cluster has no kind Rollout of graylane: {install}\n"

    def test_run_says_what_took_its_place(self, graylane):
        code, out, err = graylane("rollout", "run", "-n", "shop", "--metrics", "9090")
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert "graylane controller -n shop took its place" in err

    def test_what_git_owns_is_changed_there(self, graylane, mesh, tmp_path):
        def owned(method, path):
            if method == "PATCH" and "/rollouts/" in path:
                raise RefusedError(409, "Conflict", 'conflict with "kustomize-controller": .spec.steps')

        mesh.api.before.append(owned)
        code, _, err = graylane("rollout", "start", "-f", written(tmp_path))
        assert code == 1
        assert err.startswith(f"graylane: {NAMED} belongs to others, so change it there: conflict with")
        assert "kustomize-controller" in err

    def test_a_controller_that_was_faster_leaves_who_started_it_to_the_person(self, graylane, mesh, tmp_path):
        done = []

        def faster(method, path):
            if method == "PUT" and "/rollouts/cat-v2/status" in path and not done:
                done.append(path)
                mesh.run(until=lambda state: state.stage is not Stage.PENDING)
                mesh.api.before.append(faster)

        mesh.api.before.append(faster)
        code, out, _ = graylane("rollout", "start", "-f", written(tmp_path), "--by", "eva", "--note", "ticket 4711")
        assert (code, "Progressing" in out) == (0, True)
        first = mesh.state().log[0]
        assert (first.who, str(first.action), first.why) == ("eva", "start", "ticket 4711")

    def test_one_that_nobody_drives_for_a_while_says_what_to_do(self, graylane, mesh):
        mesh.start(steps=SHORT)
        hint = "nobody drives it: graylane controller -n demo does"
        assert hint not in graylane("rollout", "status", *HERE)[1]
        state = mesh.state()
        long_ago = state.begun - timedelta(minutes=1)
        entry = state.log[0].model_copy(update={"at": long_ago})
        old = state.model_copy(update={"begun": long_ago, "since": long_ago, "log": (entry,)})
        mesh.object()["status"]["state"] = old.to_json()
        assert hint in graylane("rollout", "status", *HERE)[1]
        with lock.Lock(mesh.client.session(), "demo", LEASE):
            assert hint not in graylane("rollout", "status", *HERE)[1]

    def test_migrate_takes_over_what_earlier_releases_stored(self, graylane, mesh):
        mesh.api.put(config_map(Run(rollout(SHORT)).state.to_json()), config_map("{", "broken"))
        code, out, err = graylane("rollout", "migrate", "-n", "demo")
        assert (code, out) == (1, f"{NAMED}: is taken over: Pending, pending\n")
        assert err.startswith("rollout demo/broken: ConfigMap demo/graylane-rollout.broken is no rollout of graylane")
