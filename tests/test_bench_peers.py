"""benchmarks/peers.py counts each request of a tool once, and fails for what graylane breaks alone."""

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def line(verb, stage, resource="virtualservices", agent="peer/v1"):
    return json.dumps({"verb": verb, "stage": stage, "userAgent": agent, "objectRef": {"resource": resource}}) + "\n"


def test_each_request_of_the_client_counts_once(tmp_path):
    from audit_log import AuditLog, Calls

    file = tmp_path / "audit.log"
    file.write_text(line("get", "ResponseComplete"))
    log = AuditLog(file)
    begin = log.end()
    with file.open("a") as more:
        more.write(line("watch", "ResponseStarted") * 2)
        more.write(line("watch", "ResponseComplete"))  # one of them ends, and the other lasts
        more.write(line("list", "ResponseComplete"))
        more.write(line("get", "ResponseComplete", "leases") + line("update", "ResponseComplete", "leases"))
        more.write(line("patch", "ResponseComplete"))
        more.write(line("patch", "ResponseComplete", agent="kubectl/v1"))
        more.write(line("delete", "ResponseComplete")[:20])  # being written
    calls = log.calls(begin, lambda event: event["userAgent"] == "peer/v1")
    assert calls == Calls(reads=2, writes=2, watches=2, leases=2)
    assert calls.total == 6


@pytest.mark.parametrize(
    ("tool", "sent", "failed", "mixed", "status"),
    [
        ("graylane", 9, 0, 0, 0),
        ("graylane", 9, 1, 0, 1),
        ("graylane", 9, 0, 1, 1),
        ("graylane", 0, 0, 0, 1),  # without requests nothing is shown
        ("Flagger", 9, 3, 5, 0),
    ],
)
def test_what_the_peers_break_is_printed_alone(tool, sent, failed, mixed, status):
    from audit_log import Calls
    from load_judge import Row
    from peers import Result, exit_status, table

    one = Result(tool, Row("over all", 61.0, sent, failed, mixed, {}), Calls(reads=4, writes=2, watches=1))
    assert exit_status([one]) == status
    (row,) = (words for words in map(str.split, table([one]).splitlines()) if words[:1] == [tool])
    assert row[1:6] == [str(sent), str(failed), str(mixed), "61", "7"]
