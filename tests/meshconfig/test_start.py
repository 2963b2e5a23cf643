"""What a command loads: the shell waits for it at every Tab, and a loop over specs at every `graylane render`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from propagation import __version__

ROOT = Path(__file__).parents[2]
SPEC = ["-f", str(ROOT / "examples" / "cat-mouse" / "graylane.yaml")]
ASKED = ["--host", "cat.example.com", "--header", "env:gray"]
# Runs the command, and writes the names of all loaded modules as the last line of standard error.
CODE = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
from meshconfig.cli import main
sys.argv[0] = "graylane"
main()
"""
NOBODYS = {
    *(
        "kubernetes",
        "httpx",
        "urllib3",
        "watchfiles",
        "prometheus_client",
        "ruamel",
        "opentelemetry",
        "asyncio",
        "rich",
    ),
    *("meshconfig.rollout", "meshconfig.cluster", "meshconfig.local", "meshconfig.lint", "meshconfig.edit"),
    *("meshconfig.spec.rollout", "meshconfig.spec.local_mesh", "meshconfig.spec.istio_policy"),
    *("meshconfig.cli.cluster", "meshconfig.cli.render_files", "meshconfig.backend.istio.dump_evidence"),
    "meshconfig.backend.gateway",
}
SIMULATION = {"meshconfig.simulate", "meshconfig.istio.types", "meshconfig.istio.resources", "meshconfig.cli.explain"}
SPECS = {"meshconfig.spec", "meshconfig.compile", "meshconfig.backend", "meshconfig.groups", "yaml"}
HELP = {"rich"}


def run(*arguments, **variables):
    """What a command prints, and the modules that it loaded."""
    ended = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, env={**os.environ, **variables}
    )
    *_, last = ended.stderr.splitlines()
    return ended.stdout, set(json.loads(last))


def complete(line):
    """What bash runs for Tab at the end of the line."""
    return run(
        _GRAYLANE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1), COLUMNS="100"
    )


def under(loaded, names):
    return sorted(one for one in loaded if any(one == name or one.startswith(f"{name}.") for name in names))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        (["render", *SPEC], NOBODYS | SIMULATION),
        (["explain", *SPEC, *ASKED], NOBODYS),
        (["explain", *SPEC, *ASKED, "--output", "json"], NOBODYS),
        (["test", *SPEC, "-t", str(ROOT / "examples" / "cat-mouse" / "tests.yaml")], NOBODYS),
        (["test", *SPEC, "-t", str(ROOT / "examples" / "cat-mouse" / "tests.yaml"), "--output", "junit"], NOBODYS),
        (["--help"], (NOBODYS | SIMULATION | SPECS) - HELP),
        (["render", "--help"], (NOBODYS | SIMULATION) - HELP),
        (["render", *SPEC, "--telemetry"], NOBODYS | SIMULATION),
        (["graph", *SPEC], NOBODYS | SIMULATION),
        (["carry", "--help"], {"grpc", "google", "opentelemetry", "kubernetes", "asyncio"} | SIMULATION),
        (["--version"], NOBODYS | SIMULATION | SPECS),
    ],
    ids=lambda value: " ".join(value[:1] + value[-2:]) if isinstance(value, list) else "",
)
def test_a_command_loads_only_what_it_needs(command, unwanted):
    printed, loaded = run(*command)
    assert printed
    assert under(loaded, unwanted) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "offered", "unwanted"),
    [
        ("graylane re", ["render", "replicas"], NOBODYS | SIMULATION | SPECS),
        ("graylane ver", ["version"], NOBODYS | SIMULATION | SPECS),
        ("graylane render --istio", ["--istio-api"], NOBODYS | SIMULATION),
        ("graylane render --istio-api v1b", ["v1beta1"], NOBODYS | SIMULATION),
        ("graylane explain --all", ["--all-namespaces"], NOBODYS),
        ("graylane explain --scheme h", ["http", "https"], NOBODYS),
    ],
)
def test_a_completion_loads_only_what_it_needs(line, offered, unwanted):
    printed, loaded = complete(line)
    assert printed.split() == offered
    assert under(loaded, unwanted) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("graylane version ", ["add", "weights", "mirror", "takeover", "retire"]),
        ("graylane lane add --m", ["--mode"]),
        ("graylane lane ex", ["extend"]),
        ("graylane rollout st", ["start", "status"]),
    ],
)
def test_the_commands_of_a_group_are_completed(line, offered):
    printed, _ = complete(line)
    assert printed.split() == offered


def test_a_mistyped_command_is_told_the_nearest_one(graylane):
    code, _, said = graylane("rendr")
    assert code == 2
    assert "render" in said


def test_a_policy_is_checked_though_its_models_are_loaded_late(tmp_path, graylane):
    spec = tmp_path / "graylane.yaml"
    text = Path(SPEC[1]).read_text()
    spec.write_text(text.replace("      calls: [mouse]\n", "      calls: [mouse]\n      policy: {timeOut: 2s}\n"))
    code, _, said = graylane("render", "-f", spec)
    assert code == 2
    assert said.endswith("spec.services.cat.policy.timeOut: unknown field; did you mean timeout?\n")


def test_the_version_is_the_packages(graylane):

    assert graylane("--version") == (0, f"graylane {__version__}\n", "")


def test_on_a_terminal_explain_is_in_colour_and_says_the_same(monkeypatch, graylane):
    plain = graylane("explain", *SPEC, *ASKED)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    code, coloured, said = graylane("explain", *SPEC, *ASKED)
    assert "\x1b[1m" in coloured
    assert (code, re.sub(r"\x1b\[[0-9;]*m", "", coloured), said) == plain


def test_the_collector_searches_no_object_of_a_batch_again():
    code = (
        "import gc\nfrom meshconfig.cli.batch import batch\n"
        "with batch():\n    kept = [[number] for number in range(100_000)]\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000\n"
        "gc.disable()\nfrozen = gc.get_freeze_count()\n"
        "with batch():\n    more = [[number] for number in range(100_000)]\n"
        "assert not gc.isenabled() and gc.get_freeze_count() == frozen\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Manifests, half of them as `kubectl get -o yaml` prints them, and some that no cluster would have.
MESH = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: shop}
spec: {http: [{match: [{headers: {x-lane: {exact: gray}}}, {uri: {prefix: /}}, 1]}, 2, {match: none}]}
---
apiVersion: v1
kind: List
items:
  - kind: VirtualService
    metadata: {name: dog, namespace: shop-admin}
    spec: {http: [{match: [{headers: {x-user: {exact: me}, x-lane: {exact: blue}}}]}]}
  - 3
---
apiVersion: v1
kind: Service
metadata: {name: cat, namespace: default}
spec: {http: [{match: [{headers: {no-route: {exact: gray}}}]}]}
---
apiVersion: v1
kind: Service
metadata: 4
"""


class TestNames:
    """Tab completes names of the spec and codes of rules."""

    @pytest.fixture(autouse=True)
    def here(self, tmp_path, monkeypatch):
        spec = Path(SPEC[1]).read_text().replace("gray: {}", "gray: {}\n    green: {}")
        (tmp_path / "graylane.yaml").write_text(spec)
        (tmp_path / "other.yaml").write_text(spec.replace("cat:", "dog:").replace("gray: {labels", "blue: {labels"))
        (tmp_path / "broken.yaml").write_text("a: [")
        (tmp_path / "mesh").mkdir()
        (tmp_path / "mesh" / "all.yaml").write_text(MESH)
        tests = "apiVersion: graylane.dev/v1\nkind: RouteTest\nspec: {cases: [%s]}\n"
        (tmp_path / "tests.yaml").write_text(tests % "{name: alpha}, {name: axis}, {}, 1, {name: 2}")
        (tmp_path / "more.yaml").write_text(tests % "{name: beta}")
        monkeypatch.chdir(tmp_path)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("line", "names"),
        [
            ("graylane version takeover ", ["cat", "mouse"]),
            ("graylane version takeover c", ["cat"]),
            ("graylane version takeover cat ", ["prod", "gray"]),
            ("graylane version takeover -f other.yaml d", ["dog"]),
            ("graylane version takeover -f other.yaml mouse ", ["prod", "blue"]),
            ("graylane version takeover -f broken.yaml ", []),
            ("graylane version takeover -f none.yaml ", []),
            ("graylane version add cat v3 --from g", ["gray"]),
            ("graylane version weights cat p", ["prod="]),
            ("graylane lane remove gr", ["gray", "green"]),
            ("graylane lane add -f other.yaml b", ["blue"]),
            ("graylane replicas m", ["mouse"]),
            ("graylane explain --from m", ["mouse"]),
            ("graylane test --output j", ["json", "junit"]),
            ("graylane test --case a", ["alpha", "axis"]),
            ("graylane test -t more.yaml --case b", ["beta"]),
            ("graylane plan --output m", ["markdown"]),
            ("graylane lint --ignore GL20", [f"GL20{number}" for number in range(1, 10)]),
            ("graylane lint --explain GL601", ["GL601"]),
            ("graylane rollback ", ["pets"]),
            ("graylane history p", ["pets"]),
            ("graylane status x", []),
            ("graylane rollback pets -n ", ["demo"]),
            ("graylane import -f mesh -n ", ["shop", "shop-admin", "default"]),
            ("graylane import -f mesh --group s", ["shop", "shop-admin"]),
            ("graylane import -f mesh --tag ", ["x-lane", "x-user"]),
            ("graylane import -f mesh --tag x-u", ["x-user"]),
            ("graylane import -f broken.yaml --tag ", []),
            ("graylane init -f mesh -n d", ["default"]),
            ("graylane init -f mesh --group shop-", ["shop-admin"]),
            ("graylane explain -f mesh -n s", ["shop", "shop-admin"]),
            ("graylane test -f mesh -n s", ["shop", "shop-admin"]),
            ("graylane apply --ad", ["--adopt"]),
            ("graylane plan --ag", ["--against"]),
            ("graylane import --l", ["--live"]),
            ("graylane test --allow", ["--allow-undecided"]),
        ],
    )
    def test_names_are_completed(self, line, names):
        out, _ = complete(line)
        assert out.split() == names

    def test_a_name_takes_no_more_than_reading_yaml(self):
        _, loaded = complete("graylane version takeover ")
        assert not {"meshconfig.spec.rollout", "meshconfig.simulate", "kubernetes", "asyncio"} & loaded


EXTRAS = ("typer", "pydantic", "yaml", "rich", "ruamel", "re2", "kubernetes", "httpx", "watchfiles", "starlette")
WITHOUT = "import sys; sys.modules.update(dict.fromkeys({names!r})); from meshconfig.cli import main; main()"


def without(names, *arguments):
    """A command where packages are missing."""
    code = WITHOUT.format(names=names)
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)


class TestWithoutExtras:
    """`pip install graylane` installs what services need, and the command `graylane`."""

    def test_the_version_is_told(self):
        assert without(EXTRAS, "--version").stdout == f"graylane {__version__}\n"

    @pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
    def test_help_lists_the_commands_and_says_what_they_need(self, words):
        ended = without(EXTRAS, *words)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "\n  render     Compile specs" in ended.stdout
        assert "pip install 'graylane[mesh]'" in ended.stdout

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("names", "command", "said"),
        [
            (EXTRAS, ["render"], "typer is not installed: pip install 'graylane[mesh]'"),
            (["yaml"], ["render", *SPEC], "yaml is not installed: pip install 'graylane[mesh]'"),
            (["kubernetes"], ["diff", *SPEC], "kubernetes is not installed: pip install 'graylane[mesh]'"),
            (["watchfiles"], ["local", "up", *SPEC], "watchfiles is not installed: pip install 'graylane[local]'"),
        ],
    )
    def test_a_command_says_which_extra_to_install(self, names, command, said):
        ended = without(names, *command)
        assert ended.returncode in (1, 2)
        assert ended.stderr == f"graylane: {said}\n"
