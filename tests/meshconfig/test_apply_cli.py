"""`graylane apply` and what stands around it as a user meets them, against an API server on loopback.

The cluster tests hold what a real one does with it; here it is what the commands say and write, and when they refuse.
"""

import pytest
import yaml
from fake_api import RefusedError
from rollout_world import GROUP, rollout
from runner_world import AT_ONCE, cluster, mesh

__all__ = ["cluster", "mesh"]

TURNED = GROUP.replace("cat: v1, mouse: v1", "cat: v2, mouse: v2")  # the baseline, in two services at once
PETS = ("pets", "-n", "demo")


@pytest.fixture
def spec(tmp_path):
    """Writes the spec, the group's own where no other is given; gives its path."""

    def write(text=GROUP):
        file = tmp_path / "graylane.yaml"
        file.write_text(text)
        return file

    return write


def versions(api):
    return {key: one["metadata"]["resourceVersion"] for key, one in api.objects.items() if key[0] != "leases"}


def test_a_diff_shows_each_resource_and_none_once_it_is_applied(run, cluster, spec):
    text = run("diff", "-f", spec(), code=1)
    names = {f"VirtualService/demo/{name}-svc" for name in ("cat", "mouse", "dog")}
    assert all(f"+++ wanted/{name}\n" in text for name in names)
    assert len(run("diff", "-f", spec(), "--output", "json", code=1)) == len(cluster.routes()) + text.count("+++ ")
    assert cluster.routes() == {}
    run("apply", "-f", spec(), *AT_ONCE)
    assert run("diff", "-f", spec(), "--output", "json") == []
    (changed,) = run(
        "diff", "-f", spec(GROUP.replace("port: 9001, calls: [dog]", "port: 9002")), "--output", "json", code=1
    )
    assert changed["name"] == "mouse-svc"


def test_a_plan_is_carried_out_as_it_is_printed(run, cluster, spec):
    run("apply", "-f", spec(), *AT_ONCE)
    (plan,) = run("plan", "-f", spec(TURNED), "--output", "json")
    assert plan["consistent"]
    assert plan["reasons"]
    written = [name for step in plan["steps"] for name in step["writes"]]
    printed = run("plan", "-f", spec(TURNED))
    assert all(f"{number}. {step['title']}" in printed for number, step in enumerate(plan["steps"], 1))
    assert all(f"write {name}" in printed for name in written)
    cluster.api.seen.clear()
    said = run("apply", "-f", spec(TURNED), *AT_ONCE)
    assert said.count("\nstep ") + said.startswith("step ") == len(plan["steps"])
    asked = [path for method, path in cluster.api.seen if method == "PATCH" and "dryRun" not in path]
    patched = [path.partition("?")[0].rpartition("/")[2] for path in asked]
    assert sorted(patched) == sorted(name.rpartition("/")[2] for name in written)
    assert "no change" in run("plan", "-f", spec(TURNED))


def test_fast_takes_fewer_steps_and_names_the_risk(run, cluster, spec):
    run("apply", "-f", spec(), *AT_ONCE)
    (whole,), (fast,) = (run("plan", "-f", spec(TURNED), *more, "--output", "json") for more in ((), ("--fast",)))
    assert len(fast["steps"]) < len(whole["steps"])
    assert not fast["consistent"]
    taken = set(fast["risks"]) - set(whole["risks"])
    printed = run("plan", "-f", spec(TURNED), "--fast")
    assert taken
    assert all(f"risk: {risk}" in printed for risk in taken)


def test_a_second_apply_writes_nothing(run, cluster, spec):
    (first,) = run("apply", "-f", spec(), *AT_ONCE, "--output", "json")
    assert (first["group"], first["revision"], first["dryRun"]) == ("pets", 1, False)
    assert len(first["changed"]) == len(cluster.routes())
    before = versions(cluster.api)
    (second,) = run("apply", "-f", spec(), *AT_ONCE, "--output", "json")
    assert second["changed"] == []
    assert versions(cluster.api) == before


def test_a_dry_run_writes_nothing_and_says_what_it_would(run, cluster, spec):
    before = versions(cluster.api)
    (dry,) = run("apply", "-f", spec(), "--dry-run", *AT_ONCE, "--output", "json")
    assert dry["dryRun"]
    assert dry["changed"]
    assert versions(cluster.api) == before
    assert run("apply", "-f", spec(), "--dry-run", *AT_ONCE)
    asked = [path for method, path in cluster.api.seen if method == "PATCH"]
    assert asked
    assert all("dryRun=All" in path for path in asked)


def test_history_has_each_change_and_gives_a_spec_back(run, cluster, spec):
    run("apply", "-f", spec(), *AT_ONCE)
    run("apply", "-f", spec(TURNED), *AT_ONCE)
    table = run("history", *PETS)
    assert [line.split()[0] for line in table.splitlines()] == ["revision", "1", "2"]
    assert table.count("succeeded") == 2
    first, second = run("history", *PETS, "--output", "json")
    assert [one["outcome"] for one in (first, second)] == ["succeeded"] * 2
    shown = yaml.safe_load(run("history", *PETS, "--show", "1"))
    assert shown["spec"]["lanes"] == yaml.safe_load(GROUP)["spec"]["lanes"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("history", *PETS, "--show", "7"), "there is no revision 7; the group has 1"),
        (("history", "pet", "-n", "demo"), "namespace demo has no group pet; did you mean pets?"),
        (("history", "pets", "-n", "elsewhere"), "no group was ever applied there"),
        (("rollback", *PETS, "--to", "7"), "7"),
        (("rollback", "pet", "-n", "demo"), "pet"),
    ],
)
def test_what_history_does_not_have_is_one_line(graylane, mesh, asked, said):
    code, out, err = graylane(*asked)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_rollback_goes_to_what_was_and_is_a_revision_of_its_own(run, cluster, spec):
    run("apply", "-f", spec(), *AT_ONCE)
    before = cluster.routes()
    run("apply", "-f", spec(TURNED), *AT_ONCE)
    turned = cluster.routes()
    assert turned != before
    run("rollback", *PETS, *AT_ONCE)
    assert cluster.routes() == before
    run("rollback", *PETS, "--to", "2", *AT_ONCE)
    assert cluster.routes() == turned
    actions = [one["action"] for one in run("history", *PETS, "--output", "json")]
    assert actions == ["apply", "apply", "rollback to 1", "rollback to 2"]


def test_delete_takes_away_all_of_the_group_and_nothing_else(run, cluster, spec):
    run("apply", "-f", spec(), *AT_ONCE)
    others = {"kind": "VirtualService", "metadata": {"name": "others", "namespace": "demo"}, "spec": {"hosts": ["x"]}}
    cluster.api.put(others)
    run("delete", "-f", spec(), *AT_ONCE)
    assert set(cluster.routes()) == {("virtualservices", "others")}
    assert cluster.api.names("services") == {"cat-svc", "mouse-svc", "dog-svc"}
    assert run("history", *PETS, "--output", "json")[-1]["action"] == "delete"


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "kubectl label virtualservices.networking.istio.io cat-svc -n demo"),
        ({"app.kubernetes.io/managed-by": "graylane", "graylane.dev/group": "zoo"}, "belongs to group zoo"),
    ],
)
def test_a_resource_of_somebody_else_stops_it_before_the_first_write(graylane, cluster, spec, labels, said):
    metadata = {"name": "cat-svc", "namespace": "demo", "labels": labels}
    cluster.api.put({"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": ["cat-svc"]}})
    before = versions(cluster.api)
    code, out, err = graylane("apply", "-f", spec(), *AT_ONCE)
    assert (code, out) == (1, "")
    assert said in err
    assert versions(cluster.api) == before


def test_while_a_rollout_is_under_way_it_is_refused_with_its_name(graylane, mesh, spec):
    mesh.start(rollout([{"weight": 10}, {"pause": {}}, {"weight": 100}], keepOld=None))
    routes = mesh.routes()
    for command in ("apply", "delete"):
        code, _, err = graylane(command, "-f", spec(TURNED), *AT_ONCE)
        assert (code, "cat-v2" in err) == (1, True)
    assert mesh.routes() == routes


def test_without_an_api_server_it_is_one_line(graylane, spec, tmp_path, monkeypatch):
    nowhere = tmp_path / "none"
    monkeypatch.setenv("KUBECONFIG", str(nowhere))
    code, out, err = graylane("apply", "-f", spec(), *AT_ONCE)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("graylane: no cluster: ")


@pytest.mark.parametrize(
    "command", ["diff -f {spec}", "status pets -n demo", "rollout status pets -n demo", "status pets --context none"]
)
def test_a_command_that_answers_by_exit_1_exits_with_2_for_an_error(graylane, spec, tmp_path, monkeypatch, command):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    code, out, err = graylane(*command.format(spec=spec()).split())
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_fault_of_graylane_is_no_difference_to_a_script(graylane, spec, cluster, monkeypatch):
    def broken(*given, **named):
        raise RuntimeError("a fault")

    monkeypatch.setattr("meshconfig.cluster.change.prepare", broken)
    code, _, err = graylane("diff", "-f", spec())
    assert (code, err.splitlines()[-1]) == (2, "RuntimeError: a fault")


@pytest.mark.parametrize("option", ["--timeout", "--drain", "--wait"])
@pytest.mark.parametrize("value", ["inf", "1e300", "31622401"])
def test_a_time_that_would_never_end_is_refused_before_anything_is_asked(graylane, cluster, spec, option, value):
    file = spec()
    for command in (("apply", "-f", file), ("rollback", *PETS)):
        code, out, err = graylane(*command, option, value)
        assert (code, out) == (2, "")
        assert err == f"{option}: takes seconds, from 0 to 31622400 (366 days), not {float(value):g}\n"
    assert cluster.api.seen == []


class TestVersions:
    """`graylane version …` with `--apply`: the file, the Deployment and the routes."""

    def test_a_version_comes_takes_over_and_the_old_one_goes(self, run, cluster, spec):
        file = spec()
        run("apply", "-f", file, *AT_ONCE)
        run("version", "add", "cat", "v3", "-f", file, "--from", "v2", "--image", "cat:3", "--apply", *AT_ONCE)
        made = cluster.api.get("deployments", "cat-v3")
        assert [one["image"] for one in made["spec"]["template"]["spec"]["containers"]] == ["cat:3"]
        subsets = cluster.api.get("destinationrules", "cat-svc")["spec"]["subsets"]
        assert "v3" in [one["name"] for one in subsets]
        assert "v3:" in file.read_text()

        run("version", "takeover", "cat", "v3", "-f", file, "--apply", *AT_ONCE)
        last = cluster.api.get("virtualservices", "cat-svc")["spec"]["http"][-1]
        assert [one["destination"]["subset"] for one in last["route"]] == ["v3"]

        run("version", "retire", "cat", "v1", "-f", file, "--apply", *AT_ONCE)
        assert "v1" not in [one["name"] for one in cluster.api.get("destinationrules", "cat-svc")["spec"]["subsets"]]

    def test_a_version_whose_pods_do_not_come_up_changes_neither_file_nor_routes(self, graylane, run, cluster, spec):
        file = spec()
        run("apply", "-f", file, *AT_ONCE)
        text, routes = file.read_text(), cluster.routes()
        cluster.api.stuck.add("cat:broken")
        given = ("--from", "v2", "--image", "cat:broken", "--apply", *AT_ONCE, "--timeout=0")
        code, _, err = graylane("version", "add", "cat", "v3", "-f", file, *given)
        assert code == 1
        assert "cat-v3" in err
        assert (file.read_text(), cluster.routes()) == (text, routes)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("method", "part", "status"),
        [
            ("GET", "", 401),
            ("GET", "virtualservices", 403),
            ("PATCH", "dryRun=All", 422),
            ("PUT", "leases", 403),
            ("POST", "configmaps", 403),
        ],
    )
    @pytest.mark.parametrize("command", ["version add cat v3 --from v2", "version takeover cat v2", "lane add blue"])
    def test_what_the_api_server_refuses_is_not_written_and_the_same_command_works_later(
        self, graylane, run, cluster, spec, method, part, status, command
    ):
        file = spec()
        run("apply", "-f", file, *AT_ONCE)
        text = file.read_text()

        def refuse(asked, url):
            if asked == method and part in url:
                raise RefusedError(status, "Forbidden", "not you")

        cluster.api.before.append(refuse)
        for _ in range(2):
            code, _, err = graylane(*command.split(), "-f", file, "--apply", *AT_ONCE)
            assert (code, "not you" in err, "files are written" in err) == (1, True, False)
            assert file.read_text() == text
        cluster.api.before.clear()
        run(*command.split(), "-f", file, "--apply", *AT_ONCE)
        assert file.read_text() != text
        assert run("diff", "-f", file, "--output", "json") == []

    def test_a_change_that_stops_half_way_has_written_the_file_and_says_how_to_go_on(
        self, graylane, run, cluster, spec
    ):
        file = spec()
        run("apply", "-f", file, *AT_ONCE)

        def refuse(asked, url):
            if asked == "PATCH" and "virtualservices" in url and "dryRun" not in url:
                raise RefusedError(403, "Forbidden", "not you")

        cluster.api.before.append(refuse)
        code, _, err = graylane("version", "takeover", "cat", "v2", "-f", file, "--apply", *AT_ONCE)
        assert (code, err.splitlines()[-1]) == (1, f"the files are written; to continue: graylane apply -f {file}")
        cluster.api.before.clear()
        run("apply", "-f", file, *AT_ONCE)
        assert run("diff", "-f", file, "--output", "json") == []

    def test_a_workload_of_somebody_else_is_left_alone(self, graylane, run, cluster, spec):
        file = spec()
        run("apply", "-f", file, *AT_ONCE)
        theirs = {**cluster.api.get("deployments", "cat-v2"), "metadata": {"name": "cat-v3", "namespace": "demo"}}
        cluster.api.put(theirs)
        before = versions(cluster.api)
        code, _, err = graylane(
            "version", "add", "cat", "v3", "-f", file, "--from", "v2", "--image", "cat:3", "--apply", *AT_ONCE
        )
        assert code == 1
        assert "cat-v3" in err
        assert versions(cluster.api)["deployments", "demo", "cat-v3"] == before["deployments", "demo", "cat-v3"]
        assert "v3:" not in file.read_text()
