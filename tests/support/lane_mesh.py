"""The workers of lanes that `graylane local up` has started."""

import os
import signal
from contextlib import suppress
from pathlib import Path


def kill_worker(lane, folder):
    """Kill the worker of a lane, and its pool, at once: of the mesh whose files are in `folder`."""
    found = [process for process in Path("/proc").glob("[0-9]*") if _is_of(process, lane, folder)]
    assert found, f"no worker of {lane}"
    for process in found:
        with suppress(ProcessLookupError):
            os.kill(int(process.name), signal.SIGKILL)


def _is_of(process, lane, folder):
    try:
        environment = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    ours = any(one.startswith(f"GRAYLANE_CONSUMERS={folder}".encode()) for one in environment)
    return ours and f"LANE={lane}".encode() in environment
