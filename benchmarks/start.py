"""What starting `graylane` costs, beside its libraries alone and beside peers: CPU time, ratios inside one run.

    python benchmarks/start.py [ROUNDS]

Each command is a process of its own, and they take turns. A ratio is to the libraries' process of the same round; the
median of all rounds counts. CPU time is user and system together, which a busy machine blurs less than the time that
passes. Modules are compiled to bytecode once, before the rounds, as pip compiles what it installs. Ends with 1 where a
ratio is missed.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

ROUNDS = 15
ROOT = Path(__file__).parents[1]
SPEC = ("-f", str(ROOT / "examples" / "cat-mouse" / "graylane.yaml"))
GRAYLANE = (str(Path(sys.executable).parent / "graylane"),)
LIBRARIES = "import pydantic, yaml, typer"
ASKED = ("--host", "cat.example.com", "--path", "/sayHello", "--header", "env:gray")
LIMIT = 2.3


@dataclass(frozen=True)
class Command:
    """A command line, what it adds to the environment, and whether its ratio is held to `LIMIT`."""

    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    limited: bool = False


def completion(line: str) -> Command:
    """What bash runs for Tab after `line`."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return Command(GRAYLANE, {"_GRAYLANE_COMPLETE": "complete_bash", **words}, limited=True)


def commands() -> dict[str, Command]:
    peers = {
        "helm version": ("helm", "version", "--client"),
        "kubectl version --client": ("kubectl", "version", "--client"),
        "istioctl version --remote=false": ("istioctl", "version", "--remote=false"),
    }
    return {
        "python -c pass": Command((sys.executable, "-c", "pass")),
        LIBRARIES: Command((sys.executable, "-c", LIBRARIES)),
        "graylane render": Command((*GRAYLANE, "render", *SPEC), limited=True),
        "graylane explain": Command((*GRAYLANE, "explain", *SPEC, *ASKED), limited=True),
        "completion of a command": completion("graylane re"),
        "completion of an option": completion("graylane render --"),
        "graylane --help": Command((*GRAYLANE, "--help")),
        "graylane render --help": Command((*GRAYLANE, "render", "--help")),
        "graylane --version": Command((*GRAYLANE, "--version")),
        **{name: Command(argv) for name, argv in peers.items() if shutil.which(argv[0])},
    }


def cpu_seconds(command: Command, environment: dict[str, str]) -> float:
    """User and system time of one process, its children's included.

    Raises:
        RuntimeError: it ended with an error.
    """
    process = subprocess.Popen(
        command.argv, env={**environment, **command.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command.argv}: exit {process.returncode}: {said.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime


def measured(rounds: int) -> dict[str, list[float]]:
    """The CPU seconds of each command in each round."""
    left_out = ("PYTHONDONTWRITEBYTECODE", "FORCE_COLOR", "TTY_COMPATIBLE")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    tried = commands()
    with tempfile.TemporaryDirectory() as bytecode:
        environment["PYTHONPYCACHEPREFIX"] = bytecode
        for command in tried.values():
            cpu_seconds(command, environment)
        found: dict[str, list[float]] = {name: [] for name in tried}
        for _ in range(rounds):
            for name, command in tried.items():
                found[name].append(cpu_seconds(command, environment))
    return found


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    found = measured(rounds)
    print(f"{date.today()}, Python {platform.python_version()}, {rounds} rounds, CPU time in ms")
    print(f"{'':34}{'least':>8}{'median':>8}{'ratio':>8}")
    missed = []
    for name, times in found.items():
        ratio = statistics.median(own / libraries for own, libraries in zip(times, found[LIBRARIES], strict=True))
        print(f"{name:34}{min(times) * 1e3:8.0f}{statistics.median(times) * 1e3:8.0f}{ratio:8.2f}")
        if commands()[name].limited and ratio > LIMIT:
            missed.append(f"{name}: {ratio:.2f}, at most {LIMIT}")
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
