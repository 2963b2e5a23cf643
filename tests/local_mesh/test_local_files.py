"""What a person can get wrong in a LocalMesh, and what is read from one that is right."""

import sys

import pytest

from meshconfig.errors import InputError
from meshconfig.local import plan as plans
from meshconfig.local.workloads import fill


def plan(files):
    return plans.plan(plans.documents([str(files / "graylane.yaml")]))


def problems(files):
    with pytest.raises(InputError) as caught:
        plan(files)
    return str(caught.value).replace(f"{files}/", "")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("  workloads:", "  workload:", "local.yaml:6: spec.workload: unknown field; did you mean workloads?"),
        (
            "    mouse:",
            "    mice:",
            "local.yaml:10: spec.workloads.mice: there is no service mice",
        ),
        (
            "name: pets",
            "name: pet",
            "local.yaml:3: metadata.name: there is no LaneGroup demo/pet; did you mean",
        ),
        (
            '"{mouse}"',
            '"{mous}"',
            "local.yaml:8: spec.workloads.cat.prod.command: {mous} is neither a service nor {port}; did you",
        ),
        ("{command: ", "{address: localhost:1, command: ", "takes one of command and address"),
        ("{command: ", "{adress: ", "unknown field; did you mean address?"),
        (
            "  examplePath: /hello",
            "  ports: {cats: 80}",
            "spec.ports.cats: there is no service cats; did you",
        ),
        ("  examplePath: /hello", "  gatewayPort: 70000", "spec.gatewayPort: "),
        ("  examplePath: /hello", "  examplePath: hello", "spec.examplePath: "),
    ],
)
def test_what_is_wrong_is_said_with_its_place(files, old, new, problem):
    local = files / "local.yaml"
    text = local.read_text()
    assert old in text
    local.write_text(text.replace(old, new))
    assert problem in problems(files)


def test_a_command_that_is_no_command_line(files):
    local = files / "local.yaml"
    local.write_text(local.read_text() + '      blue: {command: "python \'a"}\n')
    assert "spec.workloads.mouse.blue.command: not a command line: no closing quotation" in problems(files)


def test_files_that_say_nothing_of_processes(files):
    (files / "local.yaml").unlink()
    assert problems(files) == (
        "graylane.yaml: no document of kind LocalMesh here, and no local.yaml beside it: "
        "it says which processes to start"
    )


def test_a_group_has_one_local_mesh(files):
    spec = files / "graylane.yaml"
    local = (files / "local.yaml").read_text()
    spec.write_text(f"{spec.read_text()}---\n{local}---\n{local}")
    assert "metadata.name: graylane.yaml has a LocalMesh of this group already" in problems(files)


def test_a_local_mesh_in_the_files_themselves_is_the_one_that_counts(files):
    spec = files / "graylane.yaml"
    spec.write_text(spec.read_text() + "---\n" + (files / "local.yaml").read_text().replace("/hello", "/there"))
    assert plan(files).example_path == "/there"


def test_processes_get_their_versions_labels_and_python_is_this_one(files):
    found = {one.name: one for one in plan(files).workloads}
    assert sorted(found) == ["cat/gray", "cat/prod", "mouse/gray", "mouse/prod"]
    assert found["cat/gray"].labels == {"env": "gray"}
    assert found["cat/gray"].command[0] == sys.executable
    assert found["cat/gray"].folder == files


def test_a_version_that_one_side_does_not_know_is_noted_and_no_error(files):
    spec, local = files / "graylane.yaml", files / "local.yaml"
    prod = "prod: {labels: {env: prod}}"
    v2 = "        v2: {labels: {env: v2}}"
    spec.write_text(spec.read_text().replace(prod, f"{prod}\n{v2}", 1))
    local.write_text(local.read_text() + "      blue: {address: localhost:1}\n")
    assert plan(files).notes == (
        "mouse/blue: the spec has no such version, so nothing is sent to this process",
        "cat/v2: no process stands for it, so it answers 503",
    )


def test_a_gateway_of_the_cluster_is_stood_in_for(files):
    spec = files / "graylane.yaml"
    spec.write_text(spec.read_text().replace("      routes:", "      gateway: {use: edge/public}\n      routes:"))
    found = plan(files)
    assert [str(one) for one in found.resources.gateways] == ["Gateway edge/public"]
    assert found.notes == ("Gateway edge/public is the cluster's: here it takes any host, on port 80",)


def test_hosts_outside_the_cluster_are_service_entries(files):
    spec = files / "graylane.yaml"
    spec.write_text(spec.read_text().replace("host: mouse-svc", "host: api.mouse.example.com"))
    (entry,) = plan(files).resources.service_entries
    assert entry.spec.hosts == ("api.mouse.example.com",)


@pytest.mark.parametrize(
    ("text", "filled"),
    [("{port}", "80"), ("--at={mouse}/x", "--at=http://m/x"), ("{{port}", "{port}"), ('{"a": 1}', '{"a": 1}')],
)
def test_placeholders(text, filled):
    once = fill(text, {"mouse": "http://m"}, last=False)
    assert fill(once, {"port": "80"}) == filled


CONSUMERS = "  consumers: {orders: {topic: orders, versions: {prod: orders, gray: orders.gray}}}\n"


@pytest.fixture
def consuming(files):
    """The files, with a consumer whose baseline has a process."""
    spec, mesh = files / "graylane.yaml", files / "local.yaml"
    spec.write_text(spec.read_text().rstrip("\n") + "\n" + CONSUMERS)
    lines = mesh.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  workloads:"))
    mesh.write_text("\n".join([*lines[: at + 1], "    orders: {prod: {command: worker}}", *lines[at + 1 :], ""]))
    return files


def test_a_consumer_has_a_process_that_gets_no_requests(consuming):
    (one,) = [one for one in plan(consuming).workloads if one.service == "orders"]
    assert (one.consumer, one.labels, one.command) == (True, {}, ("worker",))
    assert {one.roster for one in plan(consuming).workloads} == {"demo.pets.consumers.json"}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("    orders: {", "    order: {", "there is no service or consumer order; did you mean orders?"),
        ("{command: worker}", "{address: localhost:1}", "orders.prod.address: nothing is sent to a consumer"),
        ("{command: worker}", '{command: "worker {orders}"}', "{orders} is neither a service nor {port}"),
    ],
)
def test_what_is_wrong_with_a_consumers_process_is_said(consuming, old, new, problem):
    mesh = consuming / "local.yaml"
    mesh.write_text(mesh.read_text().replace(old, new))
    assert problem in problems(consuming)
