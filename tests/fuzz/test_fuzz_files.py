"""Real files with a few things wrong in them: read, refused in a line of ours, or passed over; never a traceback."""

import re
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mutations import MANIFESTS, SPECS, as_json, as_yaml, documents, mutated_texts, mutated_values, texts

from meshconfig.admission import check
from meshconfig.errors import InputError
from meshconfig.groups import groups, groups_among
from meshconfig.lint import Level, index, lint
from meshconfig.load import load, parse
from meshconfig.render import render, to_yaml

pytestmark = pytest.mark.fuzz

ANY = texts(*SPECS, *MANIFESTS)
DOCUMENTS = documents(*SPECS)


def is_ours(error, name, lines):
    """Each problem has the file, a line that is there, and words. How they are printed: `test_fuzz_commands`."""
    assert error.problems
    for one in error.problems:
        assert one.location.file == str(name), error
        assert 0 <= one.location.line <= lines + 1, error
        assert one.message


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "in.yaml"


@given(
    mutated_texts(ANY).map(lambda text: text.encode(errors="surrogatepass")),
    st.binary(max_size=6),
    st.integers(0, 9999),
)
def test_whatever_bytes_a_file_has_it_is_read_or_refused_with_its_line(file, data, more, place):
    place %= len(data) + 1
    data = data[:place] + more + data[place:]
    file.write_bytes(data)
    count = data.count(b"\n") + data.count(b"\r") + len(data.decode(errors="replace").splitlines())
    try:
        found = load([str(file)])
    except InputError as error:
        is_ours(error, file, count)
        return
    for document in found:
        for path in ((), ("spec",), ("metadata", "name"), ("spec", "services", 0)):
            assert 1 <= document.locate(path).line <= count + 1


@given(mutated_values(documents(*SPECS, *MANIFESTS)).map(as_json), st.integers(0, 9999), st.binary(max_size=3))
def test_json_is_read_as_yaml_or_refused_with_its_line(data, place, more):
    place %= len(data) + 1
    text = (data[:place] + more + data[place:]).decode(errors="replace")
    with suppress(InputError):
        for document in parse(text, "in.json"):
            assert document.locate(("spec",)).line >= 1


def accepted(text, name="in.yaml"):
    """The groups; None where they are refused, in lines of ours."""
    try:
        return groups(parse(text, name), [name])
    except InputError as error:
        is_ours(error, name, len(text.splitlines()))
        return None


def is_sound(found, text):
    """What a spec renders to reads back as it is; where Istio's webhook would refuse it, lint says so of the spec."""
    refused = []
    for group in found:
        made = render([group.model])
        assert list(yaml.safe_load_all(to_yaml(made))) == made
        ours = [one for one in made if one["apiVersion"].startswith("networking.istio.io/")]
        refused += [said for one in ours for said in check(one, one["metadata"]["namespace"])]
    if refused:
        said = [one for one in lint(index(parse(text, "in.yaml"))) if one.level is Level.ERROR]
        assert said, refused
        assert all(1 <= one.location.line <= len(text.splitlines()) for one in said)


@given(mutated_values(DOCUMENTS))
def test_a_spec_with_any_field_changed_compiles_to_what_istio_takes_or_is_refused_with_its_line(value):
    text = as_yaml(value)
    found = accepted(text)
    if found:
        is_sound(found, text)


@given(mutated_texts(texts(*SPECS)))
def test_a_spec_with_any_line_changed_compiles_to_what_istio_takes_or_is_refused_with_its_line(text):
    found = accepted(text)
    if found:
        is_sound(found, text)


@given(st.lists(mutated_values(DOCUMENTS, most=2), min_size=2, max_size=3))
def test_specs_over_several_documents_are_merged_or_refused_with_their_lines(values):
    text = as_yaml(*values)
    with suppress(InputError):
        groups_among(parse(text, "in.yaml"))
    accepted(text)


FOREIGN = mutated_values(documents(*MANIFESTS))
LINE = re.compile(r"^in\.yaml:\d+: (error|warning|info) GL\d{3}: ")


@given(st.lists(FOREIGN, min_size=1, max_size=4), mutated_values(DOCUMENTS, most=1))
def test_lint_says_of_any_manifests_what_is_wrong_at_a_line_that_is_there(manifests, spec):
    for values in (manifests, [*manifests, spec]):
        text = as_yaml(*values)
        lines = len(text.splitlines())
        try:
            found = lint(index(parse(text, "in.yaml")))
        except InputError as error:
            is_ours(error, "in.yaml", lines)
            continue
        for one in found:
            assert 1 <= one.location.line <= lines
            assert LINE.match(str(one)), str(one)
