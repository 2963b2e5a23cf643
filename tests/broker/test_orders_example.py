"""examples/orders as its page has it: the shop and a worker for each lane in a local mesh."""

import re
import time
from pathlib import Path

import pytest
from lane_mesh import kill_worker
from local_lab import Command, ask, eventually

pytestmark = pytest.mark.broker
SPEC = Path(__file__).parents[2] / "examples" / "orders" / "graylane.yaml"
SLOW = 180  # seconds; a worker starts slowly where others run


def test_orders_are_handled_by_the_worker_of_their_lane(rabbitmq, monkeypatch, tmp_path):
    monkeypatch.setenv("AMQP_URL", rabbitmq.url)
    command = Command("local", "up", "--logs", "-f", str(SPEC), temporary=tmp_path)
    try:
        command.until("Ctrl-C stops", patience=SLOW)
        command.until(f"order {order(command, None)} handled by prod, env=None", patience=SLOW)
        eventually(lambda: gray_has_one(command), command.what_it_said, SLOW)
        command.until(f"order {order(command, 'gray')} handled by gray, env=gray", patience=SLOW)
        kill_worker("gray", tmp_path)
        command.until(f"order {order(command, 'gray')} handled by prod, env=gray", patience=SLOW)
    finally:
        command.stop()


def order(command, lane):
    """Order something; the number that the shop gives."""
    tag = [("env", lane)] if lane else []
    reply = ask(command.port("gateway"), "/orders", [("host", "shop.example.com"), *tag], method="POST")
    assert reply.status == 200, reply
    return int(re.findall(rb"\d+", reply.body)[0])


def gray_has_one(command):
    """Whether gray's worker has an order of its own; it may have started a moment ago."""
    time.sleep(0.5)
    return order(command, "gray") and command.found("handled by gray, env=gray")
