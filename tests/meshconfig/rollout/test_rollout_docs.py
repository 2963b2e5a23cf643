"""The page on rollouts shows what there is."""

import json
import re
from pathlib import Path

from rollout_world import GROUP, NOW, Run, group

from meshconfig.load import parse
from meshconfig.rollout import check
from meshconfig.rollout.notify import message
from meshconfig.rollout.queries import PRESETS
from meshconfig.rollout.state import Phase

PAGE = (Path(__file__).parents[3] / "docs" / "rollouts.md").read_text()


def block(kind):
    return re.search(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1]


def test_the_rollout_that_it_shows_is_one():
    document = parse(block("yaml"), "rollouts.md")[0]
    check.fits(check.parse(document), group(GROUP), document)


def test_the_message_that_it_shows_has_the_fields_of_a_real_one():
    state = Run().start().state
    real = json.loads(message(state, state.log[-1], key=None, now=NOW).body)
    shown = json.loads(block("json"))
    assert (list(shown), list(shown["data"])) == (list(real), list(real["data"]))


def test_it_names_every_preset_and_phase():
    assert [name for name in [*PRESETS, *Phase] if name not in PAGE] == []
