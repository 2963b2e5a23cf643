"""k8s/controller fits itself, the command that it runs, its Dockerfile, and the account of k8s/rbac."""

import shlex
import tomllib
from pathlib import Path
from typing import Any

import typer
import yaml
from account import CONTROLLER, OPERATOR, rights

from meshconfig.cli.commands import app
from meshconfig.cli.lazy import LazyCommand
from meshconfig.cluster import lock
from meshconfig.controller.controller import GOODBYE
from meshconfig.exchange.allowed import Allowed
from meshconfig.exchange.urls import parse_url
from meshconfig.rollout.runner.metrics import SILENCE

ROOT = Path(__file__).parents[3]
HERE = ROOT / "k8s" / "controller"
KUSTOMIZATION = yaml.safe_load((HERE / "kustomization.yaml").read_text())
FILES = [HERE / name for name in [*KUSTOMIZATION["resources"], "barrier/istiod.yaml"]]
OBJECTS = [one for file in FILES for one in yaml.safe_load_all(file.read_text())]
NAME, NAMESPACE, HOME = "graylane-controller", "demo", "graylane-system"


def of_kind(kind):
    return [one for one in OBJECTS if one["kind"] == kind]


(DEPLOYMENT,) = of_kind("Deployment")
POD = DEPLOYMENT["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def command():
    """What `graylane` makes of the container's arguments, with its variables filled in."""
    variables = {f"$({one['name']})": one["value"] for one in CONTAINER["env"]}
    arguments = [variables.get(one, one) for one in CONTAINER["args"]]
    found: Any = typer.main.get_command(app)
    while arguments[0] in getattr(found, "commands", ()):
        found = found.commands[arguments.pop(0)]
        found = found.load() if isinstance(found, LazyCommand) else found
    return found.name, found.make_context(found.name, arguments).params


def test_the_pods_have_a_namespace_of_their_own_and_rights_where_the_groups_are():
    where = {(one["kind"], one["metadata"].get("namespace")) for one in OBJECTS}
    home = {("Namespace", None), ("ServiceAccount", HOME), ("Deployment", HOME)}
    assert where == home | {(kind, place) for kind in ("Role", "RoleBinding") for place in (NAMESPACE, "istio-system")}
    assert of_kind("Namespace")[0]["metadata"]["name"] == HOME


def test_the_deployment_selects_its_pods_and_they_are_the_accounts():
    labels = POD["metadata"]["labels"].items()
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"].items() <= labels
    for spread in POD["spec"]["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"].items() <= labels
    assert POD["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert POD["spec"]["serviceAccountName"] == of_kind("ServiceAccount")[0]["metadata"]["name"] == NAME


def test_it_runs_a_command_that_there_is_for_the_namespace_of_the_groups():
    name, given = command()
    assert (name, given["namespace"], given["lease_namespace"]) == ("controller", NAMESPACE, NAMESPACE)
    assert CONTAINER["env"][0] == {"name": "NAMESPACE", "value": NAMESPACE}


def test_it_may_call_the_prometheus_of_the_shipped_example_and_no_other_private_host():
    allowed = Allowed.of(command()[1]["allow_host"])
    example = yaml.safe_load((ROOT / "examples" / "rollout" / "cat-v2.yaml").read_text())
    url = parse_url(example["spec"]["analysis"]["prometheus"])
    assert allowed.names(url.host, url.port)
    assert not allowed.names(url.host, 80)
    assert not allowed.names("alertmanager.monitoring", url.port)
    assert allowed.networks == frozenset()


def test_probes_and_prometheus_ask_the_port_of_the_command():
    (port,) = CONTAINER["ports"]
    assert port == {"name": "metrics", "containerPort": command()[1]["metrics"]}
    for probe in PROBES:
        assert CONTAINER[probe]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    assert POD["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])


def test_it_is_given_the_time_that_it_takes():
    """Nobody restarts it while it waits for an API server that is away; and at its end its workers are waited for."""
    probe = CONTAINER["livenessProbe"]
    assert SILENCE / 2 <= probe["periodSeconds"] * probe["failureThreshold"] <= SILENCE * 2
    assert POD["spec"]["terminationGracePeriodSeconds"] >= GOODBYE + lock.GOODBYE


def test_a_new_one_stands_by_before_an_old_one_goes():
    assert DEPLOYMENT["spec"]["replicas"] > 1
    assert DEPLOYMENT["spec"]["strategy"] == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_the_image_is_built_from_files_that_exist_and_all_that_the_wheel_holds():
    lines = [shlex.split(line) for line in (HERE / "Dockerfile").read_text().splitlines() if line and line[0] != "#"]
    assert ["ENTRYPOINT", "[graylane]"] in lines
    assert ["USER", "10001:10001"] in lines
    assert CONTAINER["image"] == "graylane"
    copied = [word for line in lines if line[0] == "COPY" and line[1][:2] != "--" for word in line[1:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["force-include"], *project["project"]["license-files"], "README.md"]
    assert [name for name in needed if Path(name).parts[0] not in copied] == []


def test_rights_are_named_one_by_one():
    rules = [rule for role in of_kind("Role") for rule in role["rules"]]
    assert [rule for rule in rules if "*" in str(rule)] == []
    (secrets,) = [rule for rule in rules if "secrets" in rule["resources"]]
    assert secrets["resourceNames"]
    assert secrets["verbs"] == ["get"]
    for binding in of_kind("RoleBinding"):
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": NAME, "namespace": HOME}]
    names = {one["metadata"]["name"] for one in of_kind("Role")}
    assert names == {one["roleRef"]["name"] for one in of_kind("RoleBinding")}


def test_it_may_all_that_an_apply_takes():
    """What k8s/rbac grants holds here too; but for what only people do: the start of a rollout."""
    people = {("rollouts", "create")}
    granted = {(what, verb) for where, what, verb in rights(NAMESPACE, CONTROLLER) if where == NAMESPACE}
    needed = {(what, verb) for where, what, verb in rights(NAMESPACE, OPERATOR) if where == NAMESPACE}
    assert people.isdisjoint(granted)
    assert needed - people <= granted


def test_barriers_take_the_same_rights_for_everybody():
    of = [{one for one in rights(NAMESPACE, who) if one[0] == "istio-system"} for who in (CONTROLLER, OPERATOR)]
    assert of[0] == of[1]
