"""`graylane lane create`, `list`, `extend`, `delete`: they write Lane objects, and follow what the controller says."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from fake_api import RefusedError, api_server
from fake_controller import controller, owned
from hostile_text import harm
from hypothesis import given
from hypothesis import strategies as st
from rollout_world import GROUP

from meshconfig.cli import completion
from meshconfig.cli.lane_show import _span
from meshconfig.cli.lane_wanted import VersionOptions, wanted
from meshconfig.cluster import conditions, custom, following
from meshconfig.errors import InputError

VERSION = "graylane.dev/v1"
PR = ("pr-42", "-n", "demo")
CREATE = ("lane", "create", *PR, "--group", "pets", "--image", "cat=cat:pr-42")
LINK = "http://pr-42.cat.example.com/"
FINALIZER = "graylane.dev/lane"


@pytest.fixture
def api(tmp_path, monkeypatch):
    """A cluster with the group; a controller that is busy gets as long as the machine takes."""
    monkeypatch.setattr(following, "OBSERVED", 20.0)
    with api_server() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        spec = yaml.safe_load(GROUP)["spec"]
        api.put(
            {
                "apiVersion": VERSION,
                "kind": "LaneGroup",
                "metadata": {"name": "pets", "namespace": "demo"},
                "spec": spec,
            }
        )
        yield api


@pytest.fixture
def run(api, graylane):
    """Runs a command to its expected exit status; what it prints, or the JSON that is asked for."""

    def run(*arguments, code=0):
        found, out, err = graylane(*arguments)
        assert found == code, out + err
        return json.loads(out) if "json" in arguments else out + err

    return run


def live(api, name="pr-42"):
    return api.get("lanes", name)


def lane(name="pr-42", phase="Ready", message="at every proxy", spec=None, **metadata):
    state = {"Ready": conditions.ready, "Failed": conditions.stalled}.get(phase, conditions.reconciling)
    written = conditions.written(state("Said", message), (), 1, datetime.now(UTC))
    return {
        "apiVersion": VERSION,
        "kind": "Lane",
        "metadata": {"name": name, "namespace": "demo", "finalizers": [FINALIZER], **metadata},
        "spec": spec or {"group": "pets", "versions": {"cat": {"from": "v1", "image": "cat:old"}}},
        "status": {"phase": phase, "conditions": written, "observedGeneration": 1, "expires": later(hours=4)},
    }


def later(**time):
    return f"{datetime.now(UTC) + timedelta(**time):%Y-%m-%dT%H:%M:%SZ}"


def made(one, seen):
    """Work of a controller that has everything ready after one message, and lets go what is deleted."""
    if seen["metadata"].get("deletionTimestamp"):
        one.watched()
        one.status(seen, conditions.reconciling("Ending", "routes are taken away"), phase="Ending")
        one.let_go(seen)
        return
    one.watched()
    one.status(seen, conditions.reconciling("Pods", "0 of 1 Pods of cat-pr-42 are ready"), phase="Pending")
    one.status(seen, conditions.ready("Routed", "at every proxy"), phase="Ready", link=LINK, expires=later(hours=8))


def lanes(api, work=made):
    return controller(api, work, "lanes")


class TestCreate:
    def test_it_writes_the_object_shows_what_the_controller_does_and_says_how_to_reach_the_lane(self, run, api):
        with lanes(api):
            said = run(*CREATE)
        assert live(api)["spec"] == {"group": "pets", "versions": {"cat": {"from": "v1", "image": "cat:pr-42"}}}
        assert "0 of 1 Pods of cat-pr-42 are ready" in said
        assert "lane demo/pr-42: Ready until 20" in said
        assert f"  link  {LINK}\n" in said
        assert "  ask   curl -H 'env: pr-42' http://cat.example.com/\n" in said

    def test_json_has_the_link_and_the_command_for_a_comment(self, run, api):
        with lanes(api):
            found = run(*CREATE, "--output", "json")
        assert (found["name"], found["phase"], found["link"]) == ("pr-42", "Ready", LINK)
        assert found["curl"] == "curl -H 'env: pr-42' http://cat.example.com/"
        assert found["versions"] == {"cat": "cat:pr-42"}

    def test_every_option_is_a_field(self, run, api):
        options = ["--from", "cat=v2", "--env", "cat:FLAG=a=b", "--env", "cat:EMPTY=", "--replicas", "cat=3"]
        said = run(*CREATE, *options, "--ttl", "2d", "--no-wait")
        assert said == "lane demo/pr-42: created\n"
        assert live(api)["spec"] == {
            "group": "pets",
            "ttl": "2d",
            "versions": {
                "cat": {"from": "v2", "image": "cat:pr-42", "env": {"FLAG": "a=b", "EMPTY": ""}, "replicas": 3}
            },
        }

    def test_options_replace_fields_of_the_file_and_the_rest_is_kept(self, run, api, tmp_path):
        file = tmp_path / "lane.yaml"
        text = """\
            apiVersion: graylane.dev/v1
            kind: Lane
            metadata: {name: template, namespace: demo, labels: {team: cats}}
            spec:
              group: pets
              ttl: 1h
              hooks: {before: make-schema}
              versions:
                cat: {from: v2, image: cat:none, env: {FLAG: "0", KEPT: "1"}}
                mouse: {labels: {v: alice}}
        """
        file.write_text(text)
        run("lane", "create", "pr-7", "-f", file, "--image", "cat=cat:pr-7", "--env", "cat:FLAG=1", "--no-wait")
        one = live(api, "pr-7")
        assert one["metadata"]["labels"] == {"team": "cats"}
        assert one["spec"]["hooks"] == {"before": "make-schema"}
        assert one["spec"]["versions"] == {
            "cat": {"from": "v2", "image": "cat:pr-7", "env": {"FLAG": "1", "KEPT": "1"}},
            "mouse": {"labels": {"v": "alice"}},
        }

    def test_the_same_command_again_changes_nothing_but_the_end(self, run, api):
        run(*CREATE, "--no-wait")
        first = live(api)
        assert "graylane.dev/keep-until" not in (first["metadata"].get("annotations") or {})
        assert run(*CREATE, "--no-wait") == "lane demo/pr-42: updated\n"
        again = live(api)
        assert again["metadata"]["generation"] == first["metadata"]["generation"]
        kept = datetime.fromisoformat(again["metadata"]["annotations"]["graylane.dev/keep-until"])
        assert timedelta(hours=7.9) < kept - datetime.now(UTC) <= timedelta(hours=8)

    def test_a_lane_stays_in_its_group(self, run, api):
        api.put(lane(spec={"group": "dogs", "versions": {"dog": {"from": "v1"}}}))
        said = run(*CREATE, "--no-wait", code=2)
        assert said == (
            "spec.group: Lane demo/pr-42 is of group dogs, not pets; to change group, delete the lane, and create it "
            "again once it is gone\n"
        )
        assert live(api)["spec"]["group"] == "dogs"

    def test_the_end_is_the_one_that_this_command_has_set(self, run, api):
        api.put(lane())  # a controller has said four hours, and has not seen the annotation yet
        found = run(*CREATE, "--no-wait", "--output", "json")
        assert found["expires"] == live(api)["metadata"]["annotations"]["graylane.dev/keep-until"]

    def test_a_lane_that_expires_is_prolonged_before_it_gets_its_new_spec(self, run, api):
        """A controller may delete it at any moment between two writes."""
        api.put(lane())
        before = api.version
        run(*CREATE, "--no-wait")
        first = next(one for version, _, key, one in api.events if version > before and key[0] == "lanes")
        assert "graylane.dev/keep-until" in first["metadata"]["annotations"]
        assert first["spec"]["versions"]["cat"]["image"] == "cat:old"

    def test_one_that_expires_at_this_moment_is_an_error(self, run, api):
        api.put(lane())

        def expire(method, path):
            if method == "PATCH" and "dryRun" not in path and not live(api)["metadata"].get("deletionTimestamp"):
                api.answer("DELETE", "/apis/graylane.dev/v1/namespaces/demo/lanes/pr-42", None)

        api.before.append(expire)
        said = run(*CREATE, "--no-wait", code=1)
        assert "Lane demo/pr-42 has expired meanwhile; try again once it has gone" in said
        assert live(api)["spec"]["versions"]["cat"]["image"] == "cat:old"

    def test_a_lane_that_was_prolonged_for_longer_keeps_its_end(self, run, api):
        until = later(days=3)
        api.put(lane(annotations={"graylane.dev/keep-until": until}))
        run(*CREATE, "--no-wait")
        assert live(api)["metadata"]["annotations"]["graylane.dev/keep-until"] == until

    def test_one_that_is_going_is_awaited_and_then_made_anew(self, run, api):
        api.put(lane(deletionTimestamp=later(seconds=-5), uid="old"))
        old = live(api)["metadata"]["uid"]
        with lanes(api):
            run(*CREATE)
        assert live(api)["metadata"]["uid"] != old
        assert live(api)["spec"]["versions"]["cat"]["image"] == "cat:pr-42"

    def test_one_that_is_going_is_an_error_where_nobody_waits(self, run, api):
        api.put(lane(deletionTimestamp=later(seconds=-5)))
        said = run(*CREATE, "--no-wait", code=1)
        assert said == "graylane: nothing was written: Lane demo/pr-42 is being deleted; try again once it has gone\n"

    def test_without_a_controller_it_says_what_to_do(self, run, api, monkeypatch):
        monkeypatch.setattr(following, "OBSERVED", 0.1)
        said = run(*CREATE, code=1)
        assert "nobody has observed generation 1 of Lane demo/pr-42 within 0.1 s; it stays written" in said
        assert "graylane controller -n demo" in said
        assert live(api)

    def test_what_the_controller_cannot_do_is_the_commands_error(self, run, api):
        def refuse(one, seen):
            one.status(seen, conditions.stalled("Image", "image cat:pr-42 is not allowed"), phase="Failed")

        with lanes(api, refuse):
            assert run(*CREATE, code=1) == "graylane: Lane demo/pr-42: image cat:pr-42 is not allowed\n"

    def test_fields_of_others_are_not_overwritten(self, run, api):
        api.put(lane(managedFields=owned("kustomize-controller")))

        def refuse(method, path):
            if method == "PATCH":
                said = 'conflict with "kustomize-controller" using graylane.dev/v1'
                raise RefusedError(409, "Conflict", "conflict", [(".spec.versions.cat.image", said)])

        api.before.append(refuse)
        said = run(*CREATE, "--no-wait", code=1)
        assert said.splitlines() == [
            "graylane: nothing was written: fields of Lane demo/pr-42 belong to others: change it where they do, "
            "or delete it first",
            ".spec.versions.cat.image belongs to kustomize-controller since 2026-01-01T00:00:00Z",
        ]

    def test_a_cluster_without_the_kind_is_told_how_to_get_it(self, run, api, monkeypatch):
        def refuse(method, path):
            if method in ("PATCH", "GET") and "/lanes" in path:
                raise RefusedError(404, "NotFound", "the server could not find the requested resource")

        api.before.append(refuse)
        monkeypatch.setattr("meshconfig.cluster.custom.is_served", lambda client, kind: False)
        for command in (CREATE, ("lane", "list", "-n", "demo"), ("lane", "delete", *PR)):
            said = run(*command, code=1)
            assert said == f"graylane: this cluster has no kind Lane; to install it: {custom.INSTALL}\n"

    def test_without_a_group_there_is_no_baseline_to_clone(self, run, api):
        said = run("lane", "create", *PR, "--group", "pet", "--image", "cat=cat:1", "--no-wait", code=2)
        assert said.startswith("--from: is missing for cat, and LaneGroup demo/pet cannot be read for its baseline: ")
        run("lane", "create", *PR, "--group", "pet", "--image", "cat=cat:1", "--from", "cat=v1", "--no-wait")
        assert live(api)["spec"]["group"] == "pet"  # the lane waits for its group, and says so

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--image", "cat"], "--image: takes SERVICE=IMAGE, not 'cat'"),
            (["--image", "cat=a", "--image", "cat=b"], "--image: cat is given twice"),
            (["--env", "FLAG=1"], "--env: takes SERVICE:NAME=VALUE, not 'FLAG=1'"),
            (["--env", "cat:A=1", "--env", "cat:A=2"], "--env: cat:A is given twice"),
            (["--replicas", "cat=two"], "cat=two: a number of Pods is a whole number of 0 or more"),
            (["--image", "cat=a", "--ttl", "8"], "lane create: spec.ttl: takes a duration such as 30s, 5m"),
            (["--image", "cat=a b"], "lane create: spec.versions.cat.image: 'a b' is not allowed here"),
            (["--image", "Cat=a"], "lane create: spec.versions.Cat: 'Cat' is not a DNS label"),
            (["--image", "cut=a"], "--image: LaneGroup pets has no service cut; did you mean cat?"),
            ([], "--image: is missing: give SERVICE=IMAGE"),
        ],
    )
    def test_wrong_words_are_one_line_and_nothing_is_written(self, run, api, options, said):
        found = run("lane", "create", *PR, "--group", "pets", *options, code=2)
        assert found.startswith(said)
        assert found.count("\n") == 1
        assert live(api) is None

    def test_wrong_fields_of_the_file_are_named_with_their_lines(self, run, api, tmp_path):
        file = tmp_path / "lane.yaml"
        head = "apiVersion: graylane.dev/v1\nkind: Lane\nmetadata: {name: a}\n"
        file.write_text(f"{head}spec:\n  group: pets\n  tl: 8h\n")
        said = run("lane", "create", *PR, "-f", file, "--image", "cat=a", code=2)
        assert said == f"{file}:6: spec.tl: unknown field; did you mean ttl?\n"
        file.write_text(f"{head}spec:\n  group: pets\n  versions: {{cat: {{image: a}}}}\n")
        said = run("lane", "create", *PR, "-f", file, "--image", "cat=b c", code=2)
        assert said.startswith("lane create: spec.versions.cat.image: 'b c' is not allowed here")
        file.write_text(head.replace("Lane", "LaneGroup"))
        assert run("lane", "create", *PR, "-f", file, code=2) == f"{file}: takes one document of kind Lane, and has 0\n"


words = st.text(st.sampled_from("cat:=Aé \x1b1,"), max_size=12)


@given(st.lists(words, max_size=3), st.lists(words, max_size=3), st.lists(words, max_size=3), st.none() | words)
def test_whatever_words_somebody_types_a_lane_comes_of_it_or_one_error_that_harms_nobody(image, env, replicas, ttl):
    options = VersionOptions(image, (), env, replicas)
    try:
        found = wanted("pr-42", None, options, file=None, group="pets", ttl=ttl).document(lambda service: "v1")
    except InputError as error:
        harmful = [line for line in error.lines if harm(line)]
        assert not harmful
        return
    assert found["spec"]["versions"].keys() == {one.partition("=")[0] for one in (*image, *replicas)} | {
        one.partition(":")[0] for one in env
    }


class TestList:
    def test_each_lane_has_a_line_and_one_that_is_not_ready_says_why(self, run, api):
        api.put(lane("pr-1"), lane("pr-2", "Pending", "waits for LaneGroup demo/pets"))
        api.put(lane("pr-3", deletionTimestamp=later(seconds=-9)))
        head, *lines = run("lane", "list", "-n", "demo").splitlines()
        assert head.split() == ["lane", "group", "phase", "age", "expires", "versions", "link"]
        assert [line.split()[:3] for line in lines] == [
            ["pr-1", "pets", "Ready"],
            ["pr-2", "pets", "Pending"],
            ["pr-3", "pets", "Ending"],
        ]
        assert "in 3h59m" in lines[0]
        assert "cat=cat:old" in lines[0]
        assert "waits for LaneGroup demo/pets" in lines[1]
        assert "at every proxy" not in lines[0]

    def test_json_has_the_times(self, run, api):
        api.put(lane("pr-1", spec={"group": "pets", "versions": {"cat": {"labels": {"v": "alice"}}}}))
        (found,) = run("lane", "list", "-n", "demo", "--output", "json")
        assert found["versions"] == {"cat": "v:alice"}
        assert found["expires"] == live(api, "pr-1")["status"]["expires"]
        assert found["created"].endswith("Z")

    def test_none_is_said_on_standard_error(self, run, api):
        assert run("lane", "list", "-n", "demo") == "namespace demo has no preview lanes\n"
        assert run("lane", "list", "-n", "demo", "--output", "json") == []

    def test_whatever_an_object_says_no_terminal_obeys_it(self, run, api):
        worst = "a\r\n::error::x\x1b[2J\u202e##[error]y"
        one = lane("pr-1", "Failed", worst, spec={"group": worst, "versions": {"cat": {"image": worst}, "b": worst}})
        one["status"]["link"] = worst
        api.put(one)
        said = run("lane", "list", "-n", "demo")
        assert not harm(said)
        assert len(said.splitlines()) == 2

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0s"), (59, "59s"), (61, "1m1s"), (3600, "1h"), (3660, "1h1m"), (90_061, "1d1h"), (-5, "0s")],
    )
    def test_ages_have_two_units(self, seconds, text):
        assert _span(seconds) == text


class TestExtend:
    def test_for_is_from_now(self, run, api):
        api.put(lane())
        assert run("lane", "extend", *PR, "--for", "6h").startswith("lane demo/pr-42: until 20")
        kept = datetime.fromisoformat(live(api)["metadata"]["annotations"]["graylane.dev/keep-until"])
        assert timedelta(hours=5.9) < kept - datetime.now(UTC) <= timedelta(hours=6)

    def test_until_is_a_time(self, run, api):
        api.put(lane())
        found = run("lane", "extend", *PR, "--until", "2099-12-01T19:00:00+01:00", "--output", "json")
        assert found["expires"] == "2099-12-01T18:00:00Z"
        assert live(api)["metadata"]["annotations"]["graylane.dev/keep-until"] == "2099-12-01T18:00:00Z"

    def test_no_lane_is_cut_short(self, run, api):
        api.put(lane())
        said = run("lane", "extend", *PR, "--for", "1h")
        assert said == f"lane demo/pr-42: lives longer anyway, until {live(api)['status']['expires']}\n"
        assert "annotations" not in live(api)["metadata"]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ([], "extend: takes either --for DURATION or --until TIME\n"),
            (
                ["--for", "1h", "--until", "2099-12-01T18:00:00Z"],
                "extend: takes either --for DURATION or --until TIME\n",
            ),
            (["--for", "long"], "--for: takes a duration such as 30s, 5m or 1h30m, not 'long'\n"),
            (["--until", "2099-12-01 18:00"], "--until: takes a time with its zone, such as 2026-12-01T18:00:00Z"),
            (["--until", "9999-12-31T23:59:59-05:00"], "--until: takes a time with its zone, such as 2026-12-01T18"),
            (["--until", "2020-12-01T18:00:00Z"], "--until: 2020-12-01T18:00:00Z is over\n"),
        ],
    )
    def test_wrong_times_are_one_line(self, run, api, options, said):
        assert run("lane", "extend", *PR, *options, code=2).startswith(said)

    def test_a_wrong_name_is_told_the_nearest_one(self, run, api):
        api.put(lane("pr-42"))
        said = run("lane", "extend", "pr-24", "-n", "demo", "--for", "1h", code=2)
        assert said == "graylane: namespace demo has no preview lane pr-24; did you mean pr-42?\n"

    def test_one_that_is_going_cannot_be_prolonged(self, run, api):
        api.put(lane(deletionTimestamp=later(seconds=-9)))
        assert "is being deleted" in run("lane", "extend", *PR, "--for", "1h", code=1)


class TestDelete:
    def test_it_is_asked_for(self, run, api):
        api.put(lane())
        assert run("lane", "delete", *PR) == "lane demo/pr-42: its routes are taken away, then its Pods\n"
        assert live(api)["metadata"]["deletionTimestamp"]

    def test_with_wait_it_is_over_when_the_object_has_gone(self, run, api):
        api.put(lane())
        with lanes(api):
            assert "lane demo/pr-42: deleted\n" in run("lane", "delete", *PR, "--wait")
        assert live(api) is None

    def test_one_that_is_not_there_is_no_error(self, run, api):
        assert run("lane", "delete", *PR, "--wait") == "lane demo/pr-42: there is none\n"

    def test_what_git_has_is_removed_there(self, run, api):
        api.put(lane(managedFields=owned("kustomize-controller")))
        said = run("lane", "delete", *PR, code=1)
        assert said.startswith("graylane: nothing was deleted: Lane demo/pr-42 is in Git (kustomize-controller, Flux)")
        assert "deletionTimestamp" not in live(api)["metadata"]


class TestCompletion:
    def test_names_come_from_the_cluster(self, api):
        api.put(lane("pr-1"), lane("pr-22"), lane("main"))

        line: Any = SimpleNamespace(params={"namespace": "demo"})
        assert completion.preview_lanes(line, "pr-") == ["pr-1", "pr-22"]

    def test_without_a_cluster_nothing_is_completed(self, monkeypatch, tmp_path):
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

        line: Any = SimpleNamespace(params={})
        assert completion.preview_lanes(line, "") == []
