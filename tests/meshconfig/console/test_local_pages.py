"""The console of a mesh on this machine, which changes by its files: it offers nothing that it cannot do."""

from types import SimpleNamespace
from typing import Any

import pytest
from console_world import GROUP, PORT, Browser

from meshconfig.console import Settings, create_app
from meshconfig.console.registry import pages
from meshconfig.console.sources.local import OnThisMachine
from meshconfig.groups import groups
from meshconfig.load import parse

HERE = "/g/demo/pets"


@pytest.fixture
def browser():
    plan = SimpleNamespace(groups=groups(parse(GROUP, "graylane.yaml")))
    mesh: Any = SimpleNamespace(plan=plan, fleet=SimpleNamespace(current=SimpleNamespace(processes={})))
    settings = Settings.on_loopback(PORT)
    with Browser(create_app(settings, OnThisMachine(mesh))) as one:
        assert one.get(f"/open/{settings.secret}").status_code == 303
        yield one


def test_each_page_that_is_linked_is_there(browser):
    text = browser.get(f"{HERE}/lanes").text
    there = [name for name in (one.name for one in pages()) if f'href="{HERE}/{name}"' in text]
    assert {"lanes", "graph", "ask"} <= {*there}
    for name in there:
        assert browser.get(f"{HERE}/{name}").status_code == 200


@pytest.mark.parametrize("page", ["versions", "versions/of/cat", "history", "rollouts", "previews"])
def test_a_page_by_which_a_mesh_is_changed_is_not_there(browser, page):
    assert browser.get(f"{HERE}/{page}").status_code == 404
