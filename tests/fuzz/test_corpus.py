"""What the fuzzers begin with is there, and is right."""

from mutations import MANIFESTS, SPECS, documents, places, texts

from meshconfig.groups import groups
from meshconfig.load import parse


def test_the_corpus_is_there_and_is_accepted_as_it_is():
    assert len(texts(*SPECS)) > 30
    assert len(documents(*MANIFESTS)) > 60
    assert sum(len(places(one)) for one in documents(*SPECS)) > 1000
    assert all(groups(parse(text, "in.yaml")) for text in texts("tests/golden/*/in.yaml"))
