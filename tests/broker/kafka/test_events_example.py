"""examples/order-events as its page has it: the shop and a worker for each lane in a local mesh."""

import re
import time
from pathlib import Path

import pytest
from lane_mesh import kill_worker
from local_lab import Command, ask, eventually

pytestmark = pytest.mark.broker
SPEC = Path(__file__).parents[3] / "examples" / "order-events" / "graylane.yaml"


def test_orders_are_handled_by_the_worker_of_their_lane(kafka, monkeypatch, tmp_path):
    kafka.create("orders", 2)
    monkeypatch.setenv("KAFKA", kafka.bootstrap)
    command = Command("local", "up", "--logs", "-f", str(SPEC), temporary=tmp_path)
    try:
        command.until("Ctrl-C stops")

        def order(lane):
            tag = [("env", lane)] if lane else []
            reply = ask(command.port("gateway"), "/orders", [("host", "shop.example.com"), *tag], method="POST")
            assert reply.status == 200, reply
            return int(re.findall(rb"\d+", reply.body)[0])

        command.until(f"order {order(None)} handled by prod, env=None", patience=180)

        def gray_has_one():
            time.sleep(0.5)
            return order("gray") and command.found("handled by gray, env=gray")

        eventually(gray_has_one)
        command.until(f"order {order('gray')} handled by gray, env=gray")
        kill_worker("gray", tmp_path)
        command.until(f"order {order('gray')} handled by prod, env=gray", patience=180)
    finally:
        command.stop()
