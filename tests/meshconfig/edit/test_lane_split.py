"""`graylane lane split`: the split of an entry, and whether it is sticky."""

import pytest

SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: zoo, namespace: demo}}
spec:
  lanes: {{prod: {{}}, gray: {{}}}}
  services:
    cat: {{host: cat-svc, port: 9001, versions: {{prod: {{labels: {{v: prod}}}}, gray: {{labels: {{v: gray}}}}}}}}
  entries:
    # the shop
    - hosts: [shop.example.com]
{entry}      routes: [{{service: cat}}]  # all of it
"""
SPLIT = "      split: {gray: 5, prod: 95}\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "f.yaml"


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        (SPLIT, ["gray=25", "prod=75"], "      split: {gray: 25, prod: 75}\n"),
        (SPLIT, ["prod=75", "gray=25"], "      split: {gray: 25, prod: 75}\n"),  # the order of the file stays
        ("", ["gray=5", "prod=95"], SPLIT),
        ("", ["gray=5", "prod=95", "--sticky"], f"{SPLIT}      sticky: {{}}\n"),
        (SPLIT, ["gray=5", "prod=95", "--buckets", "20"], f"{SPLIT}      sticky: {{buckets: 20}}\n"),
        (f"{SPLIT}      sticky: {{order: [gray]}}\n", ["gray=5", "prod=95", "--no-sticky"], SPLIT),
        (SPLIT, ["--off"], ""),
        (SPLIT, ["--off", "--entry", "shop.example.com"], ""),
        (f"{SPLIT}      sticky: {{order: [gray]}}\n", ["--off"], "      sticky: {order: [gray]}\n"),
    ],
)
def test_nothing_else_in_the_file_changes(graylane, file, before, options, after):
    file.write_text(SPEC.format(entry=before))
    code, _, err = graylane("lane", "split", *options, "-f", file)
    assert (code, "Traceback" in err) == (0, False)
    assert file.read_text() == SPEC.format(entry=after)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ([], 2, "split: takes LANE=N for each lane, or --off"),
        (["gray=5", "prod=95", "--off"], 2, "split: takes LANE=N for each lane, or --off"),
        (["gray=x", "prod=95"], 2, "gray=x: a share is a whole number of 0 or more"),
        (["gray=-1", "prod=95"], 2, "gray=-1: a share is a whole number of 0 or more"),
        (["grey=5", "prod=95"], 2, "there is no lane grey; did you mean gray?"),
        (["gray=5"], 2, "gives prod no share"),
        (["gray=0", "prod=0"], 2, "at least one weight has to be above 0"),
        (["gray=5", "prod=95", "--entry", "shopp.example.com"], 2, "did you mean shop.example.com?"),
        (["gray=5", "prod=95", "--buckets", "101"], 2, "sticky.buckets"),
        (["gray=5", "prod=95", "--buckets", "9", "--no-sticky"], 2, "--buckets: is for a sticky split"),
        (
            ["gray=5", "prod=95", "--buckets", "50"],
            1,
            "sticky.buckets cannot go from 100 to 50 while a share is neither",
        ),
    ],
)
def test_what_is_refused_leaves_the_file_as_it_is(graylane, file, options, status, said):
    text = SPEC.format(entry=f"{SPLIT}      sticky: {{}}\n")
    file.write_text(text)
    code, _, err = graylane("lane", "split", *options, "-f", file)
    assert (code, "Traceback" in err) == (status, False)
    assert said in err
    assert file.read_text() == text


def test_buckets_change_while_a_lane_has_everybody(graylane, file):
    file.write_text(SPEC.format(entry="      split: {gray: 0, prod: 100}\n      sticky: {}\n"))
    assert graylane("lane", "split", "gray=50", "prod=50", "--buckets", "10", "-f", file)[0] == 0
    assert "sticky: {buckets: 10}" in file.read_text()


def test_the_entry_is_named_where_there_are_several(graylane, file):
    second = "    - hosts: [b.example.com, c.example.com]\n      routes: [{service: cat}]\n"
    text = SPEC.format(entry=SPLIT) + second
    file.write_text(text)
    code, _, err = graylane("lane", "split", "gray=1", "prod=1", "-f", file)
    assert (code, file.read_text()) == (2, text)
    assert "--entry: is missing: choose one of shop.example.com, b.example.com, c.example.com" in err
    assert graylane("lane", "split", "gray=1", "prod=1", "--entry", "c.example.com", "-f", file)[0] == 0
    assert file.read_text().startswith(SPEC.format(entry=SPLIT))
    assert file.read_text().endswith("split: {gray: 1, prod: 1}\n      routes: [{service: cat}]\n")


def test_weights_of_a_sticky_entry_cannot_change_buckets_by_another_edit(graylane, file):
    """Every edit is checked: here a new version's weight, which moves nobody else."""
    text = SPEC.format(entry="      sticky: {}\n").replace(
        "versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}",
        "weights: {v1: 9, v2: 1}, versions: {v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}",
    )
    file.write_text(text)
    assert graylane("version", "weights", "cat", "v1=75", "v2=25", "-f", file)[0] == 0
    assert "weights: {v1: 75, v2: 25}" in file.read_text()


def test_a_lane_that_is_removed_leaves_its_end_free(graylane, file):
    text = SPEC.replace("gray: {{}}}}", "gray: {{}}, blue: {{}}}}")
    file.write_text(text.format(entry=f"{SPLIT}      sticky: {{order: [blue, gray]}}\n"))
    assert graylane("lane", "remove", "blue", "-f", file)[0] == 0
    assert file.read_text() == SPEC.format(entry=f"{SPLIT}      sticky: {{order: [prod, gray]}}\n")
