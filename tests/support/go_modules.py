"""Public Go modules that tests read files of, where Go's module cache has them. Nothing of them is copied.

python tests/support/go_modules.py      # downloads them into that cache
"""

import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest

CONFORMANCE = "sigs.k8s.io/gateway-api/conformance@v1.6.0"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"


@lru_cache
def folder(module: str) -> Path:
    """A module's folder; the test is skipped where it is not in the cache.

    Parameters:
        module: its path and version, `PATH@VERSION`.
    """
    go = shutil.which("go")
    cache = os.environ.get("GOMODCACHE") or (
        subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout.strip()
        if go
        else ""
    )
    found = Path(cache or "/nowhere") / module
    if not found.exists():
        pytest.skip(f"Go's module cache has no {module}: go mod download {module}")
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as outside:  # where no other module's go.mod is asked
        for one in (CONFORMANCE, PROMETHEUS_OPERATOR):
            subprocess.run(["go", "mod", "download", one], check=True, cwd=outside)
