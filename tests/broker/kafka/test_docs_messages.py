"""docs/messages.md: its consumers are run as programs of their own, with the list that its spec renders to."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from local_lab import eventually

from meshconfig.groups import groups
from meshconfig.load import parse

pytestmark = pytest.mark.broker
PAGE = (Path(__file__).parents[3] / "docs" / "messages.md").read_text()
PROGRAMS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
LISTED = json.loads(re.search(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1])
HEAD = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: demo}
"""
SERVICES = {"web": {"host": "web", "port": 80, "versions": {"prod": {"labels": {"v": "prod"}}}}}


def test_the_list_is_what_the_spec_of_the_page_renders_to():
    spec = yaml.safe_load(re.search(r"^```yaml\n(spec:.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1])
    text = HEAD + yaml.safe_dump({"spec": spec["spec"] | {"services": SERVICES}})
    (group,) = groups(parse(text, "graylane.yaml"))
    assert group.model.roster.as_json() == LISTED


@pytest.fixture
def start(tmp_path, orders):
    """Start a program of the page in a lane, on a topic of its own; the answer is the file of what it prints."""
    started = []

    def start(name, lane):
        (tmp_path / name).write_text(PROGRAMS[name].replace('"orders"', f'"{orders.topic}"'))
        output = tmp_path / f"{name}-{lane}.log"
        environment = {"KAFKA": orders.bootstrap, "GRAYLANE_CONSUMERS": str(orders.path), "LANE": lane}
        with output.open("wb") as log:
            command = [sys.executable, str(tmp_path / name)]
            found = {**os.environ, **environment}
            started.append(subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=found))
        return output

    listed = json.loads(orders.path.read_text())
    listed["consumers"] = {orders.topic: listed["consumers"]["orders"]}
    orders.path.write_text(json.dumps(listed))
    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("baseline", "lane"), [(0, 1), (1, 0)])
def test_the_programs_of_the_page_share_the_messages(start, sent, baseline, lane):
    names = sorted(PROGRAMS)
    prod, gray = start(names[baseline], "prod"), start(names[lane], "gray")

    def handled():
        numbers = sent.send(4, lanes=("gray", None), pause=0.2)
        found = [
            f"{numbers[0]} handled by gray" in gray.read_text(),
            f"{numbers[1]} handled by prod" in prod.read_text(),
        ]
        return all(found)

    eventually(handled, lambda: prod.read_text() + gray.read_text(), 90)
