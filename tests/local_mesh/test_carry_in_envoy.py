"""Carry rates from the access logs of real Envoys, beside what was sent in truth."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from logged_mesh import WORKLOADS, Ports, Told, send, shop, sidecars

from meshconfig.carry import UNTAGGED, AccessLog, CarryJudge, VersionCarry, Workload, sole_lanes
from meshconfig.otlp import Intake, Listen, listening

pytestmark = [pytest.mark.envoy, pytest.mark.slow]

PATIENCE = 60.0  # seconds until the last record of a request has come
RECORDS = 3  # of each request: at front, from front, and at stock
GRAY, PROD = Workload("front", "gray"), Workload("front", "prod")
LANES = ("gray", "blue", "prod", UNTAGGED)


@dataclass
class Mesh:
    """The sidecars, and what receives their logs."""

    ports: Ports
    intake: Intake

    def judged(self, told: Told, lanes: Sequence[str]) -> dict[Workload, VersionCarry]:
        """Send the requests, and judge their records."""
        group = shop()
        log, judge = AccessLog(group, WORKLOADS.get), CarryJudge(sole_lanes(group))
        asyncio.run(send(self.ports, told, lanes))
        count, end = 0, time.monotonic() + PATIENCE
        while count < RECORDS * len(lanes) and (records := self.intake.until(end)) is not None:
            for one in filter(None, (log.read(record.attributes, record.time) for record in records)):
                judge.add(one, time.monotonic())
                count += 1
        assert count == RECORDS * len(lanes)
        return {one.workload: one for one in judge.report(time.monotonic() + 60)}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder: Path = tmp_path_factory.mktemp("sidecars")
    # Requests are sent before their records are read.
    intake, ports = Intake(most_bytes=256 << 20), Ports()
    with listening([Listen.parse("127.0.0.1:0")], intake) as (at,), sidecars(folder, ports, at.port):
        yield Mesh(ports, intake)


def mixed(count: int) -> list[str]:
    return random.Random(20).choices(LANES, k=count)


def near(found: float, truth: float) -> bool:
    """Within two in a hundred."""
    return abs(found - truth) <= 0.02 * truth


def check_edges(found: dict[Workload, VersionCarry], told: Told) -> None:
    """Each edge has the calls that were sent."""
    for (version, callee, tag), count in told.calls.items():
        (edge,) = (one for one in found[Workload("front", version)].edges if one.callee.version == callee)
        assert near(edge.calls[tag], count), (version, callee, tag)


def test_a_service_that_drops_a_twentieth_of_the_tags_is_found_in_a_thousand_requests(mesh: Mesh) -> None:
    told = Told(loses={"gray": 0.05}, keeps_id=lambda version: False)
    found = mesh.judged(told, ["gray"] * 1000)
    assert found[GRAY].judged == "lane"
    assert found[GRAY].below(0.99)
    assert found[GRAY].lost == told.lost["gray"] > 20
    assert {(one.path, one.lane, one.sent) for one in found[GRAY].lost_calls} == {("/stock", "gray", UNTAGGED)}
    check_edges(found, told)


def test_a_shared_version_that_drops_tags_is_found_by_its_request_ids(mesh: Mesh) -> None:
    told = Told(loses={"prod": 0.05})
    found = mesh.judged(told, mixed(2000))
    assert (found[PROD].judged, found[GRAY].judged) == ("request id", "lane")
    assert found[PROD].below(0.99)
    assert found[PROD].lost == told.lost["prod"] > 20
    assert found[GRAY].rate == 1
    check_edges(found, told)


def test_20_000_requests_of_a_healthy_chain_give_no_alarm(mesh: Mesh) -> None:
    told = Told()
    found = mesh.judged(told, mixed(20_000))
    assert (found[GRAY].rate, found[PROD].rate) == (1, 1)
    assert not any(one.lost or one.lost_calls for one in found.values())
    check_edges(found, told)


def test_a_shared_version_that_carries_no_request_id_is_unknown(mesh: Mesh) -> None:
    found = mesh.judged(Told(loses={"prod": 0.5}, keeps_id=lambda version: version == "gray"), mixed(400))
    assert (found[PROD].rate, found[PROD].lost) == (None, 0)
    assert found[GRAY].rate == 1
