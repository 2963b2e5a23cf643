"""One broker of each kind for all tests here, on loopback."""

import os

import pytest
import rabbitmq_broker
from sqs_server import SQS


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory):
    """A RabbitMQ that tests may stop, kill and start again."""
    if missing := rabbitmq_broker.missing():
        _give_up(f"RabbitMQ comes from Debian's packages: needs {', '.join(missing)}")
    try:
        broker = rabbitmq_broker.RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    except RuntimeError as error:
        _give_up(str(error))
    with broker:
        yield broker


@pytest.fixture(scope="session")
def sqs(tmp_path_factory):
    """An SQS that tests may pause; what is in its queues does not outlive it."""
    with SQS(tmp_path_factory.mktemp("sqs")) as server:
        yield server


def pytest_terminal_summary(terminalreporter):
    """What tests print, also where they run in several processes: how many messages were sent, and who handled them."""
    for report in terminalreporter.getreports(""):
        if report.when == "teardown" and report.outcome == "passed" and report.capstdout:
            terminalreporter.write(report.capstdout)


def _give_up(reason):
    """No broker: skips, and fails where GRAYLANE_BROKERS=required says that they have to be there."""
    (pytest.fail if os.environ.get("GRAYLANE_BROKERS") == "required" else pytest.skip)(reason)
