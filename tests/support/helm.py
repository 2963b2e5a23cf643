"""helm, built once from its Go module into the project's cache."""

import os
import subprocess
import sys
from pathlib import Path

VERSION = "v3.22.0"
FOLDER = Path(__file__).parents[2] / ".cache" / "bin"
BINARY = FOLDER / f"helm-{VERSION}"


def helm() -> str:
    """Its path.

    Raises:
        subprocess.CalledProcessError: it cannot be built; go has said why.
    """
    if not BINARY.exists():
        print("building helm …", file=sys.stderr)
        folder = FOLDER / f"{BINARY.name}.{os.getpid()}.build"  # several at once may find it missing
        environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}
        subprocess.run(["go", "install", f"helm.sh/helm/v3/cmd/helm@{VERSION}"], check=True, env=environment)
        (folder / "helm").replace(BINARY)  # whole, or not there
        folder.rmdir()
    return str(BINARY)


if __name__ == "__main__":
    print(helm())
