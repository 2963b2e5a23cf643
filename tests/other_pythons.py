"""propagation's tests on each other Python that graylane supports and this machine has, in an environment of its own.

A Python is looked for on PATH and among pyenv's. That of this environment is left out: `make test` has run there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "pythons"
SUITES = ("tests/propagation", "tests/conformance")
UV = str(Path(sys.executable).with_name("uv"))


def candidates(version: str) -> Iterator[str]:
    if found := shutil.which(f"python{version}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python")))


def interpreter(version: str) -> str | None:
    """The first that starts and is of this version: pyenv leaves commands on PATH that only say what is not chosen."""
    for path in candidates(version):
        asked = [path, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return path
    return None


def environment(version: str, python: str) -> Path:
    """The interpreter of an environment with graylane and what its tests need."""
    folder = CACHE / version
    made = folder / "bin" / "python"
    if not made.exists():
        subprocess.run([UV, "venv", "--quiet", "--python", python, str(folder)], check=True)
    install = [UV, "pip", "install", "--quiet", "--python", str(made), "-c", "requirements/dev.txt"]
    subprocess.run([*install, "-e", ".[test-propagation]"], check=True, cwd=ROOT)
    return made


def tested(version: str) -> bool | None:
    """Do the tests pass? None where there is no such Python."""
    python = interpreter(version)
    if python is None:
        return None
    command = [str(environment(version, python)), "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", *SUITES]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main() -> None:
    own = "{}.{}".format(*sys.version_info)
    outcomes = {version: tested(version) for version in VERSIONS if version != own}
    words = {None: "not found on this machine", True: "passed", False: "FAILED"}
    print(f"Python {own}: by make test")
    for version, outcome in outcomes.items():
        print(f"Python {version}: {words[outcome]}")
    sys.exit(False in outcomes.values())


if __name__ == "__main__":
    main()
