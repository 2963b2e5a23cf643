"""The steps of examples/previews/ci as a runner runs them, with what a pull request gives them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "previews"
SETUP = ("pip install", "printf")  # what makes a machine ready: here it is


class Failed(AssertionError):  # noqa: N818  the test's own
    """A step failed."""


def github(job, event):
    """(the text of `run`, its variables) of the steps of a job that are graylane's.

    Parameters:
        event: what `${{ github.… }}` gives, by the name behind `github.`.
    """
    flow = yaml.safe_load((EXAMPLE / "ci" / "github.yaml").read_text())
    steps = [one for one in flow["jobs"][job]["steps"] if "run" in one and not one["run"].startswith(SETUP)]
    for one in steps:
        given = {**flow["env"], **one.get("env", {})}
        yield one["run"], {name: _filled(str(text), event) for name, text in given.items()}


def _filled(text, event):
    return re.sub(r"\$\{\{ github\.([\w.]+) \}\}", lambda found: event[found[1]], text)


def gitlab(job, variables):
    """The same; `variables` are those that GitLab predefines, which variables of the file name by `$NAME`."""
    file = yaml.safe_load((EXAMPLE / "ci" / "gitlab.yaml").read_text())
    base, own = file[file[job]["extends"]], file[job]
    given = {**base["variables"], **own.get("variables", {})}
    filled = {name: re.sub(r"\$(\w+)", lambda found: variables[found[1]], text) for name, text in given.items()}
    for line in own["script"]:
        yield line, filled


def run(steps, folder, **variables):
    """Runs steps in a folder that has the example's files, each as a runner does; what they print.

    Raises:
        Failed: with what a step printed.
    """
    for name in ("lane.yaml", "ci"):
        if not (folder / name).exists():
            (folder / name).symlink_to(EXAMPLE / name)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    printed = ""
    for text, own in steps:
        environment = {**os.environ, "PATH": path, **own, **variables}
        done = subprocess.run(
            ["sh", "-e", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        printed += done.stdout + done.stderr
        if done.returncode:
            raise Failed(f"{text}: exit {done.returncode}\n{printed}")
    return printed
