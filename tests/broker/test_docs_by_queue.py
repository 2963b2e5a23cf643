"""docs/messages-by-queue.md: its consumers and producers are run as programs of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from local_lab import eventually

pytestmark = pytest.mark.broker
PAGE = Path(__file__).parents[2] / "docs" / "messages-by-queue.md"
PROGRAMS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE))
ROSTER = re.search(r"^```json\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1]


def with_own_queues(text, library):
    """The libraries share a broker here, and have different arguments for their queues."""
    return text.replace('"orders', f'"orders-{library}')


@pytest.fixture
def start(tmp_path):
    """Start a program of the page with LANE; its process, and the file of what it prints."""
    started = []

    def start(name, environment, lane=""):
        (tmp_path / name).write_text(with_own_queues(PROGRAMS[name], name.rpartition("_")[0]))
        output = tmp_path / f"{name}-{lane}.log"
        with output.open("wb") as log:
            found = {**os.environ, **environment, "LANE": lane}
            command = [sys.executable, str(tmp_path / name)]
            started.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=found))
        return started[-1], output

    yield start
    for process in started:
        process.kill()
        process.wait()


def environment_of(library, request, folder):
    """Where the programs find their broker and the roster."""
    roster = with_own_queues(ROSTER, library)
    if library == "sqs":
        sqs = request.getfixturevalue("sqs")
        roster = roster.replace("rabbitmq", "sqs").replace(".gray", "-gray")
        sqs.client().create_queue(QueueName="orders-sqs")
        found = {"AWS_ENDPOINT_URL_SQS": sqs.url, "AWS_DEFAULT_REGION": "eu-central-1"}
        found |= {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests"}
    else:
        found = {"AMQP_URL": request.getfixturevalue("rabbitmq").url}
    (folder / "consumers.json").write_text(roster)
    return {**found, "GRAYLANE_CONSUMERS": str(folder / "consumers.json")}


@pytest.mark.parametrize("library", ["pika", "aio_pika", "sqs"])
def test_the_programs_of_the_page_do_as_it_says(library, request, start, tmp_path):
    environment = environment_of(library, request, tmp_path)
    _, prod = start(f"{library}_consumer.py", environment, "prod")
    _, gray = start(f"{library}_consumer.py", environment, "gray")

    def sent_and_handled():
        producer, said = start(f"{library}_producer.py", environment)
        assert producer.wait(30) == 0, said.read_text()
        return "order 1 handled by gray env gray" in gray.read_text()

    eventually(sent_and_handled, lambda: prod.read_text() + gray.read_text(), 180)


def test_each_library_of_the_page_is_tried():
    assert {name.rpartition("_")[0] for name in PROGRAMS} == {"pika", "aio_pika", "sqs"}
