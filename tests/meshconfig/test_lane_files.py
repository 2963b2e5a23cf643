"""`graylane lint` reads Lanes in files and checks them against the LaneGroups beside them."""

import pytest

GROUP = """\
apiVersion: graylane.dev/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  limits: {images: [registry.example.com/pets]}
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat, port: 9001, versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}}}
  entries: [{hosts: [a.example.com], tag: trusted, routes: [{service: cat}]}]
"""
LANE = """\
apiVersion: graylane.dev/v1
kind: Lane
metadata: {name: %s, namespace: demo}
spec:
  group: pets
  versions:
    %s
"""
GOOD = "cat: {from: prod, image: 'registry.example.com/pets/cat:pr-42'}"


@pytest.fixture
def linted(tmp_path, graylane):
    """Exit status and error text of `graylane lint` for lanes in files of their own, beside their group's."""

    def run(*lanes, group=GROUP):
        texts = {"group.yaml": group, **{f"lane{number}.yaml": one for number, one in enumerate(lanes)}}
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        code, _, err = graylane("lint", "-f", tmp_path)
        return code, err.replace(f"{tmp_path}/", "")

    return run


def test_a_lane_that_fits_its_group_is_content(linted):
    assert linted(LANE % ("pr-42", GOOD))[0] == 0


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        (
            "pr-42",
            "cot: {from: prod}",
            "lane0.yaml:7: spec.versions.cot: the group has no service cot; did you mean",
        ),
        (
            "pr-42",
            "cat: {from: prodd}",
            "lane0.yaml:7: spec.versions.cat.from: there is no version of cat prodd; did you mean prod?",
        ),
        (
            "pr-42",
            "cat: {from: prod, image: 'other.example.com/cat:1'}",
            "lane0.yaml:7: spec.versions.cat.image: other.example.com/cat:1 is of no place that the group allows",
        ),
        ("gray", GOOD, "lane0.yaml:3: metadata.name: the group itself has a lane gray"),
        ("pr-42", "cat: {image: 'cat:1'}", "lane0.yaml:7: spec.versions.cat: takes one of from"),
    ],
)
def test_what_keeps_a_lane_from_being_made_is_named_with_its_line(linted, name, version, said):
    code, err = linted(LANE % (name, version))
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_two_lanes_of_one_name_are_named(linted):
    code, err = linted(LANE % ("pr-42", GOOD), LANE % ("pr-42", GOOD))
    assert (code, "lane1.yaml:3: metadata.name: the files contain a second Lane demo/pr-42" in err) == (2, True)


def test_of_a_lane_without_its_group_only_its_own_fields_are_checked(linted):
    other = GROUP.replace("namespace: demo", "namespace: other")
    assert linted(LANE % ("pr-42", "cot: {from: prod}"), group=other)[0] == 0
    assert linted(LANE % ("pr-42", "cat: {form: prod}"), group=other)[0] == 2
