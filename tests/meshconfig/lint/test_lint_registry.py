"""What holds for every rule: code, words, example."""

import re
from pathlib import Path

import pytest

from meshconfig.errors import InputError
from meshconfig.lint import index, lint, registry, rule, rules
from meshconfig.load import parse

HERE = Path(__file__).parent
EVERY = pytest.mark.parametrize("one", rules(), ids=lambda one: one.code)


def test_every_module_of_the_rules_is_a_rule_with_a_code_of_its_own():
    modules = list(Path(registry.package.__file__).parent.glob("[a-z]*.py"))
    assert len({one.code for one in rules()}) == len(modules) >= 40
    assert all(re.fullmatch("GL[1-8][0-9]{2}", one.code) for one in rules())
    assert [one.code for one in rules()] == sorted(one.code for one in rules())


def test_every_rule_has_its_two_example_files_and_there_are_no_others():
    files = {file.name for file in Path(registry.__file__).with_name("examples").iterdir()}
    assert files == {f"{one.code}.{which}.yaml" for one in rules() for which in ("bad", "good")}


@EVERY
def test_a_rule_says_in_one_line_each_what_is_wrong_and_what_to_do(one):
    for text in (one.title, one.fix, one.why):
        assert text.endswith(".")
        assert "\n" not in text
    assert all(re.fullmatch("IST0[0-9]{3}", code) for code in one.istio)
    assert all(re.fullmatch("KIA[0-9]{4}", code) for code in one.kiali)
    assert one.resources or one.spec


@EVERY
def test_the_bad_example_has_this_mistake_alone_and_the_good_one_none(one, findings):
    bad = findings(one.bad)
    assert {finding.code for finding in bad} == {one.code}
    assert all(finding.location.line and finding.path for finding in bad)
    assert findings(one.good) == []


@pytest.mark.parametrize("one", [one for one in rules() if one.needs], ids=lambda one: one.code)
def test_a_rule_is_silent_without_the_kinds_that_it_needs(one):
    documents = parse(one.bad, "in.yaml")
    rest = [document for document in documents if document.kind not in one.needs]
    assert len(rest) < len(documents)
    assert lint(index(rest)) == []


def test_every_rule_has_a_test_of_its_own():
    text = "\n".join(file.read_text() for file in HERE.glob("test_*.py"))
    named = set(re.findall(r"def test_(gl\d{3})_", text))
    assert named == {one.code.lower() for one in rules()}


def test_a_code_is_found_in_any_case_and_a_wrong_one_gets_the_nearest():
    assert rule("gl203").code == "GL203"
    with pytest.raises(InputError, match=r"^GL2003: no rule has this code; did you mean GL203\?$"):
        rule("GL2003")
