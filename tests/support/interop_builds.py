"""The peers in other languages, built by their own tools; a build stays in the user's cache under its sources' hash."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parents[1] / "interop"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graylane" / "interop"
TOOLS = {"go": ("go",), "sleuth": ("java", "mvn")}
COMMANDS = {
    "go": ["go", "build", "-buildvcs=false", "-o", "peer", "."],
    "sleuth": ["mvn", "-q", "-B", "-DskipTests", "package"],
}
PRODUCTS = {"go": "peer", "sleuth": "target/peer.jar"}


def missing():
    """The tools that this machine does not have."""
    return [tool for tools in TOOLS.values() for tool in tools if shutil.which(tool) is None]


def built(name):
    """The program of a peer; built where the cache does not have it.

    Raises:
        RuntimeError: the build failed; with what it said.
    """
    product = CACHE / f"{name}-{_digest(HERE / name)}" / Path(PRODUCTS[name]).name
    if not product.exists():
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, name)
            shutil.copytree(HERE / name, source)
            done = subprocess.run(COMMANDS[name], cwd=source, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{' '.join(COMMANDS[name])}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
            product.parent.mkdir(parents=True, exist_ok=True)
            ready = product.with_suffix(".new")
            shutil.move(source / PRODUCTS[name], ready)
            ready.replace(product)
    return product


def _digest(folder):
    found = hashlib.sha256(repr(COMMANDS).encode())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(str(file.relative_to(folder)).encode() + b"\0" + file.read_bytes())
    return found.hexdigest()[:16]
