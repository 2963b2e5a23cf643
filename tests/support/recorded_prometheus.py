"""A real Prometheus that has recorded series: Debian's package `prometheus`, with its promtool."""

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest
import yaml
from broker_process import free_port

EVERY = 15.0  # seconds between two scrapes
PATIENCE = 60.0


class Recorded(NamedTuple):
    """One counter, and its value at each scrape; the last one was just now."""

    labels: Mapping[str, str]
    values: Sequence[float]
    name: str = "istio_requests_total"


@contextmanager
def recorded(folder: Path, series: Iterable[Recorded]) -> Iterator[str]:
    """The URL of a Prometheus with these series, while the block runs. Skips the test where it is not installed."""
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        pytest.skip("needs Debian's package prometheus")
    text, data = folder / "series.txt", folder / "data"
    text.write_text(_openmetrics(series, time.time()))
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, data], check=True, capture_output=True
    )
    with serving(folder, {}) as url:
        yield url


@contextmanager
def serving(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """The URL of a Prometheus with this configuration and the data of `folder`, while the block runs."""
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(yaml.safe_dump(config))
    # Nothing here is deleted for its age.
    flags = ["--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{port}"]
    command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}", *flags]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while not _ready(port):
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < end, (folder / "prometheus.log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _openmetrics(series: Iterable[Recorded], now: float) -> str:
    lines: list[str] = []
    for one in sorted(series, key=lambda one: one.name):  # those of a name stand together
        labels = ",".join(f'{name}="{value}"' for name, value in one.labels.items())
        first = now - EVERY * (len(one.values) - 1)
        lines += [
            f"{one.name}{{{labels}}} {value} {first + EVERY * number:.3f}" for number, value in enumerate(one.values)
        ]
    return "\n".join([*lines, "# EOF", ""])


def _ready(port: int) -> bool:
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as answer:
        return bool(answer.status == 200)
    return False
