"""`graylane local up` as a person uses it: what it prints, how it follows the files, and that it leaves nothing."""

import itertools
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from local_lab import ask, eventually

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

BACKEND = Path(__file__).with_name("backend.py")
GRAY = (("host", "cat.example.com"), ("env", "gray"))
PLAIN = (("host", "cat.example.com"),)
GRAY_MOUSE = "        gray: {labels: {env: gray}}\n  entries"


@pytest.fixture
def up(graylane, files):
    """A mesh that serves the files."""
    command = graylane("local", "up", "-f", str(files / "graylane.yaml"))
    command.until("Ctrl-C stops")
    return command


def save(file, text):
    """As an editor does it: whole, by a rename."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def test_it_prints_lines_to_try_and_the_way_of_each_request(up):
    tried = [shlex.split(line) for line in up.lines if line.startswith("  curl ")]
    port = up.port("gateway")
    assert [line[1:-1] for line in tried] == [
        ["-H", "Host: cat.example.com"],
        ["-H", "Host: cat.example.com", "-H", "env: prod"],
        ["-H", "Host: cat.example.com", "-H", "env: gray"],
    ]
    assert {line[-1] for line in tried} == {f"http://127.0.0.1:{port}/hello"}
    for line in tried:
        headers = [(name, value) for name, _, value in (word.lower().partition(": ") for word in line[2:-1:2])]
        assert ask(port, "/hello", headers).status == 200
    assert ask(up.port("mouse"), "/hello", [("env", "gray")]).who == ["mouse/gray"]
    assert ask(port, "/", [("host", "nobody.example.com")]).status == 404
    traces = [up.until(text) for text in ("untagged  cat", "env=prod", "env=gray  cat", "env=gray  (mesh)", "no route")]
    assert [" ".join(trace.split()[:-2]) for trace in traces] == [
        "untagged cat.example.com/hello → cat/prod → mouse/prod",
        "env=prod cat.example.com/hello → cat/prod → mouse/prod",
        "env=gray cat.example.com/hello → cat/gray → mouse/gray",
        "env=gray (mesh) → mouse/gray",
        "untagged nobody.example.com/ → no route 404 NR",
    ]


class Load:
    """Requests one after the other in a few threads, until it is stopped or has sent enough."""

    def __init__(self, port, headers):
        self.numbers = itertools.count()
        self.replies = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(port, headers)) for _ in range(4)]

    def run(self, port, headers):
        while not self.stopped.is_set() and next(self.numbers) < 3000:
            self.replies.append(ask(port, "/hello", headers))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def test_saved_changes_go_live_without_losing_a_request(up, files):
    spec, port = files / "graylane.yaml", up.port("gateway")
    whole = spec.read_text()
    without = whole.replace(GRAY_MOUSE, "  entries")
    assert without != whole
    with Load(port, GRAY) as load:
        for number, text in enumerate([without, whole] * 2, start=1):
            save(spec, text)
            up.until("live after", times=number)
            mouse = "mouse/gray" if text == whole else "mouse/prod"
            assert ask(port, "/hello", GRAY).who == ["cat/gray", mouse]
        eventually(lambda: len(load.replies) > 200)
    assert {reply.status for reply in load.replies} == {200}
    assert {tuple(reply.who) for reply in load.replies} == {("cat/gray", "mouse/gray"), ("cat/gray", "mouse/prod")}
    assert up.lines[-1].startswith("env=gray")
    assert "routes updated (DestinationRule demo/mouse-svc, VirtualService demo/mouse-svc), live after" in up.output


def test_what_cannot_be_used_is_reported_and_the_running_routes_stay(up, files):
    spec, port = files / "graylane.yaml", up.port("gateway")
    whole = spec.read_text()
    line = whole.splitlines().index("      port: 9001") + 1
    save(spec, whole.replace("port: 9001", "prot: 9001"))
    assert up.until("cat.prot") == f"{spec}:{line}: spec.services.cat.prot: unknown field; did you mean port?"
    assert up.until("mouse.prot").startswith(f"{spec}:"), "each problem is a line of its own"
    assert up.until("the last valid routes stay in force")
    assert ask(port, "/hello", GRAY).who == ["cat/gray", "mouse/gray"]

    # Good for the spec, but not for Envoy; and a part of the change that Envoy would take goes back with the rest.
    policy = 'calls: [mouse]\n      policy: {headers: {request: {set: {x-share: "100%"}}}}'
    save(spec, whole.replace("calls: [mouse]", policy).replace(GRAY_MOUSE, "  entries"))
    refused = up.until("Envoy refused the configuration: ")
    assert refused.endswith("Incorrect configuration: 100%. Couldn't find valid command at position 3")
    assert up.until("the last valid routes stay in force", times=2)
    assert ask(port, "/hello", GRAY).who == ["cat/gray", "mouse/gray"]

    spec.unlink()
    assert up.until("no such file") == f"{spec}: no such file"
    assert ask(port, "/hello", GRAY).who == ["cat/gray", "mouse/gray"]
    save(spec, whole.replace(GRAY_MOUSE, "  entries"))
    up.until("live after")
    assert ask(port, "/hello", GRAY).who == ["cat/gray", "mouse/prod"]


def test_a_child_that_dies_is_reported_the_rest_goes_on_and_ctrl_c_leaves_nothing(up):
    (mouse,) = [number for number, command in up.processes().items() if "mouse gray" in command]
    os.kill(mouse, signal.SIGKILL)
    up.until("mouse/gray was ended by SIGKILL; the rest goes on")
    up.until("mouse/gray listens on")  # the end of what it said
    assert ask(up.port("gateway"), "/hello", PLAIN).who == ["cat/prod", "mouse/prod"]
    eventually(lambda: ask(up.port("mouse"), "/hello", [("env", "gray")]).status == 503)
    assert len(up.processes()) > 4
    assert up.stop(signal.SIGINT) == 0
    assert up.left() == []


def test_nothing_outlives_a_graylane_that_was_killed(up):
    up.stop(signal.SIGKILL)
    eventually(lambda: not up.left(), lambda: str(up.left()))


@pytest.fixture
def own_process():
    """A process that graylane has not started: the port that it listens on."""
    command = [sys.executable, str(BACKEND), "mouse", "debugged", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[-1]
        process.kill()


def test_a_process_that_runs_already_stands_for_a_version(graylane, files, own_process):
    local = files / "local.yaml"
    lines = local.read_text().splitlines()
    lines[-1] = f'      gray: {{address: "localhost:{own_process}"}}'
    local.write_text("\n".join(lines))
    up = graylane("local", "up", "-f", str(files))
    assert ask(up.port("gateway"), "/hello", GRAY).who == ["cat/gray", "mouse/debugged"]
    assert up.until("env=gray").split()[1:6] == ["cat.example.com/hello", "→", "cat/gray", "→", "mouse/gray"]
    assert up.stop() == 0
    assert ask(int(own_process), "/hello").status == 200


def test_workloads_and_addresses_follow_the_files(up, files, free_tcp_port):
    spec, local = files / "graylane.yaml", files / "local.yaml"
    blue = "        blue: {labels: {env: blue}}\n  entries"
    old_spec, old_local = spec.read_text(), local.read_text()
    gray = old_local.splitlines(keepends=True)[-1]
    save(local, old_local + gray.replace("gray", "blue"))
    up.until("mouse/blue started")
    save(spec, old_spec.replace("gray: {}", "gray: {}, blue: {}").replace("  entries", blue))
    up.until("routes updated")
    headers = (("host", "cat.example.com"), ("env", "blue"))
    assert ask(up.port("gateway"), "/hello", headers).who == ["cat/prod", "mouse/blue"]
    save(spec, old_spec)
    up.until("routes updated", times=2)
    save(local, old_local.replace("  examplePath: /hello", f"  gatewayPort: {free_tcp_port}"))
    up.until("mouse/blue stops")
    up.until(f"gateway at http://127.0.0.1:{free_tcp_port}, live after")
    assert ask(free_tcp_port, "/hello", headers).who == ["cat/prod", "mouse/prod"]
    eventually(lambda: not any("blue" in command for command in up.processes().values()))
    assert "mouse/blue was ended" not in up.output


def test_a_dead_process_is_started_again_by_any_save(up, files):
    for number, change in enumerate(("", "# changed\n"), start=1):
        (mouse,) = [pid for pid, command in up.processes().items() if "mouse gray" in command]
        os.kill(mouse, signal.SIGKILL)
        up.until("the next save starts it again", times=number)
        eventually(lambda: ask(up.port("mouse"), "/hello", [("env", "gray")]).status == 503)
        save(files / "graylane.yaml", (files / "graylane.yaml").read_text() + change)
        up.until("mouse/gray started", times=number)
        assert ask(up.port("gateway"), "/hello", GRAY).who == ["cat/gray", "mouse/gray"]
    assert "mouse/gray stops" not in up.output


def test_a_port_of_another_mesh_is_refused_with_its_holder(graylane, files, tmp_path, free_tcp_port):
    local = files / "local.yaml"
    local.write_text(local.read_text().replace("  examplePath", f"  gatewayPort: {free_tcp_port}\n  examplePath"))
    first = graylane("local", "up", "-f", str(files))
    first.until("Ctrl-C stops")
    second = graylane("local", "up", "-f", str(files))
    said = second.until("in use")
    assert said.startswith(f"graylane: port {free_tcp_port}, for the gateway, is in use by process ")
    assert "(the Envoy of another `graylane local up`): end it, or give another port" in said
    assert second.process.wait(20) == 1
    assert {tuple(ask(free_tcp_port, "/hello", GRAY).who) for _ in range(8)} == {("cat/gray", "mouse/gray")}


def test_a_port_of_another_program_is_refused_and_a_saved_one_leaves_the_mesh_as_it_is(up, files):
    local, port = files / "local.yaml", up.port("gateway")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        save(local, local.read_text().replace("  examplePath", f"  ports: {{mouse: {number}}}\n  examplePath"))
        assert f"port {number}, for mouse-svc.demo.svc.cluster.local, is in use by process {os.getpid()} " in up.until(
            "in use"
        )
    assert ask(port, "/hello", GRAY).who == ["cat/gray", "mouse/gray"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80", "localhost:1234", "localhost"])
def test_a_request_to_this_machine_itself_is_one_for_the_entry_s_host(up, host):
    port = up.port("gateway")
    assert ask(port, "/hello", [("host", host), ("env", "gray")]).who == ["cat/gray", "mouse/gray"]
    assert ask(port, "/hello", [("host", "127.0.0.2")]).status == 404


def test_a_request_without_a_host_is_one_for_the_entry_s_host(up):
    with socket.create_connection(("127.0.0.1", up.port("gateway")), 20) as one:
        one.sendall(b"GET /hello HTTP/1.0\r\nenv: gray\r\n\r\n")
        head = one.makefile("rb").readline()
    assert b" 200 " in head
    up.until("env=gray  127.0.0.1/hello → cat/gray")


def test_a_failure_is_said_in_words(up):
    assert ask(up.port("gateway"), "/", [("host", "nobody.example.com")]).status == 404
    up.until("no route 404 NR")
    up.until("    NR: no route matches its host, path and headers")


def test_with_logs_it_prints_what_the_processes_print(graylane, files):
    up = graylane("local", "up", "--logs", "-f", str(files))
    for name in ("cat/prod", "cat/gray", "mouse/prod", "mouse/gray"):
        assert up.until(f"{name} | {name} listens on ")


def test_consumers_run_and_read_who_consumes_what(graylane, files):
    spec, mesh = files / "graylane.yaml", files / "local.yaml"
    plain = spec.read_text().rstrip("\n")
    consumers = "\n  consumers: {{orders: {{topic: orders, versions: {{prod: orders{}}}}}}}\n"
    save(spec, plain + consumers.format(""))
    program = (
        "import os, time; path = os.environ['GRAYLANE_CONSUMERS']\n"
        "while True: print('roster', ' '.join(open(path).read().split()), flush=True); time.sleep(0.3)"
    )
    (files / "worker.py").write_text(program)
    text = mesh.read_text().replace("  workloads:", "  workloads:\n    orders: {prod: {command: python worker.py}}", 1)
    save(mesh, text)
    command = graylane("local", "up", "--logs", "-f", str(spec))
    command.until('orders/prod | roster { "baseline": "prod"')
    command.until("Ctrl-C stops")
    save(spec, plain + consumers.format(", gray: orders.gray"))
    command.until('"gray": "orders.gray"')
