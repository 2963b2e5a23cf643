"""What the commands make of a spec: of the text that a person wrote, the text that they would have written."""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_specs import specs

from meshconfig.edit import lanes, versions
from meshconfig.edit.files import Texts
from meshconfig.edit.labels import labels, workload
from meshconfig.errors import InputError
from meshconfig.spec import Autoscale, ServiceSpec

EXAMPLES = Path(__file__).parents[3] / "examples"


def edited(text, make, *arguments, **options):
    """The text after a command, and its notes."""
    texts = Texts(text if isinstance(text, dict) else {"f.yaml": text})
    draft = make(texts.groups[0], *arguments, **options)
    after = texts.edited(draft).by_file
    return (after if isinstance(text, dict) else after["f.yaml"]), draft.notes


def refused(text, make, *arguments, **options):
    with pytest.raises(InputError) as error:
        edited(text, make, *arguments, **options)
    return str(error.value).splitlines()


SPEC = """\
# pets, as of today
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  lanes:
    prod: {}   # everybody
    gray: {mode: permissive}
    old: {versions: {cat: v1}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions:
        # since 2021
        v1: {labels: {app: cat, version: v1}}   # in Go
        v2: {labels: {app: cat, version: v2}}
      # half of it
      weights: {v1: 50, v2: 50}
      rules:
        - match: {headers: {end-user: test}}
          weights: {v1: 10, v2: 90}   # testers
  entries:
    - hosts: [cat.example.com]
      admit:
        - {lane: gray, match: {cookies: {beta: "1"}}}
      split: {gray: 0, prod: 100}
      routes: [{path: {prefix: /}, service: cat}]
"""


def test_a_version_comes_beside_the_others():
    text, notes = edited(SPEC, versions.add, "cat", "v3", labels={"app": "cat", "version": "v3"}, workload="cat-3")
    new = "        v3: {labels: {app: cat, version: v3}, workload: cat-3}\n"
    assert text == SPEC.replace("      # half of it\n", new + "      # half of it\n")
    assert notes == ["no request goes to v3 yet: give it a weight, or a lane"]


def test_a_version_comes_with_its_weight_relative_to_the_others():
    text, notes = edited(SPEC, versions.add, "cat", "v3", labels={"version": "v3"}, weight=25)
    assert "weights: {v1: 50, v2: 50, v3: 25}\n" in text
    assert notes == []


def test_a_first_weight_is_one_of_a_hundred():
    text = SPEC.replace("weights: {v1: 50, v2: 50}", "default: v1")
    after, _ = edited(text, versions.add, "cat", "v3", labels={"version": "v3"}, weight=30)
    assert "# half of it\n      weights: {v1: 70, v3: 30}\n      rules:" in after
    said = refused(text, versions.add, "cat", "v3", labels={"version": "v3"}, weight=101)
    assert said == ["--weight: 101 is no part of 100: cat has no weights yet, and its baseline's version gets the rest"]


def test_a_version_that_a_lane_is_named_after_is_told():
    _, notes = edited(SPEC, versions.add, "cat", "gray", labels={"version": "gray"}, autoscale=Autoscale(min=1, max=3))
    assert notes == ["f.yaml:8: lane gray goes to it from now on"]


def test_weights_are_these_and_no_others():
    text, _ = edited(SPEC, versions.weights, "cat", {"v2": 20, "v1": 80})
    assert text == SPEC.replace("{v1: 50, v2: 50}", "{v1: 80, v2: 20}")
    text, _ = edited(SPEC, versions.weights, "cat", {"v2": 1})
    assert text == SPEC.replace("{v1: 50, v2: 50}", "{v2: 1}")
    default = SPEC.replace("weights: {v1: 50, v2: 50}", "default: v1")
    assert edited(default, versions.weights, "cat", {"v1": 50, "v2": 50})[0] == SPEC


def test_a_take_over_leaves_nothing_of_the_untagged_to_others():
    text, notes = edited(SPEC, versions.takeover, "cat", "v2")
    assert text == SPEC.replace("weights: {v1: 50, v2: 50}", "default: v2").replace("{v1: 10, v2: 90}", "{v2: 100}")
    assert notes == [
        "f.yaml:21: the rule gives to v2 what it gave to v1",
        "f.yaml:9: lane old keeps v1",
    ]


def test_a_take_over_changes_what_the_baseline_lane_means():
    text = (EXAMPLES / "cat-mouse" / "graylane.yaml").read_text()
    taken, notes = edited(text, versions.takeover, "cat", "gray")
    assert taken == text.replace("    prod: {}\n", "    prod: {versions: {cat: gray}}\n")
    assert notes == []
    back, _ = edited(taken, versions.takeover, "cat", "prod")
    assert back == text


def test_a_version_in_use_is_not_retired_and_each_use_has_its_line():
    assert refused(SPEC, versions.retire, "cat", "v1") == [
        "f.yaml:9: spec.lanes.old.versions.cat: cat v1 is in use: lane old uses it",
        "f.yaml:19: spec.services.cat.weights.v1: cat v1 is in use: it has the weight 50",
        "f.yaml:22: spec.services.cat.rules[0].weights.v1: cat v1 is in use: a rule gives it the weight 10",
    ]
    text = (EXAMPLES / "cat-mouse" / "graylane.yaml").read_text()
    said = "graylane: lane gray uses it by its name; give lanes.gray.versions.cat another one"
    assert refused(text, versions.retire, "cat", "gray") == [
        f"f.yaml:10: spec.lanes.gray: cat gray is in use: {said.removeprefix('graylane: ')}"
    ]


def test_a_version_that_others_send_copies_to_is_in_use():
    mirror = "      policy: {mirror: {host: cat-svc, subset: v3}}\n  entries:"
    text = SPEC.replace("        v2: {", "        v3: {labels: {version: v3}}\n        v2: {").replace(
        "  entries:", mirror
    )
    (said,) = refused(text, versions.retire, "cat", "v3")
    assert said == "f.yaml:24: spec.services.cat.policy.mirror: cat v3 is in use: the policy of cat sends copies there"


def test_copies_begin_change_and_end():
    text, notes = edited(SPEC, versions.mirror, "cat", "v2", 12.5)
    assert yaml.safe_load(text)["spec"]["services"]["cat"]["mirror"] == {"version": "v2", "percent": 12.5}
    assert notes == []
    every, _ = edited(text, versions.mirror, "cat", "v2")
    assert yaml.safe_load(every)["spec"]["services"]["cat"]["mirror"] == {"version": "v2"}
    assert "cat v2 is in use: it gets copies of requests" in "\n".join(refused(text, versions.retire, "cat", "v2"))
    assert edited(every, versions.mirror, "cat", None)[0] == SPEC
    assert refused(SPEC, versions.mirror, "cat", "v9") == [
        "f.yaml:14: spec.services.cat.versions: there is no version of cat v9; there is v1, v2"
    ]
    assert refused(SPEC, versions.mirror, "cat", "v2", 0.0) == ["--percent: takes a number above 0, up to 100, not 0"]


def test_a_version_that_takes_over_gets_no_more_copies():
    text, _ = edited(SPEC, versions.mirror, "cat", "v2")
    taken, notes = edited(text, versions.takeover, "cat", "v2")
    assert taken == edited(SPEC, versions.takeover, "cat", "v2")[0]
    assert any("no more copies: v2 answers the requests itself" in note for note in notes)
    assert "mirror: {version: v2}" in edited(text, versions.takeover, "cat", "v1")[0]


def test_the_only_version_is_not_retired():
    text = (EXAMPLES / "ack-weights" / "graylane-3-v2-takes-over.yaml").read_text()
    only = text.replace("        v1: {labels: {app: product, version: v1}}\n", "")
    assert any("it is the only version of product" in line for line in refused(only, versions.retire, "product", "v2"))


def test_a_retired_version_goes_with_its_line_and_its_weights_of_0():
    text = (
        SPEC.replace("v1: 50, v2: 50", "v1: 0, v2: 50").replace("v1: 10, v2", "v1: 0, v2").replace("cat: v1", "cat: v2")
    )
    after, _ = edited(text, versions.retire, "cat", "v1")
    line = "        v1: {labels: {app: cat, version: v1}}   # in Go\n"
    assert after == text.replace(line, "").replace("v1: 0, v2", "v2")


def test_the_life_of_a_product_in_one_file():
    """The states of examples/ack-weights, each by its command."""
    names = ["1-v2-at-70", "2-v2-at-20", "3-v2-takes-over", "4-v1-gone", "5-v3-next"]
    texts = [(EXAMPLES / "ack-weights" / f"graylane-{name}.yaml").read_text() for name in names]
    values = [yaml.safe_load(text) for text in texts]
    first = texts[3].replace("v2", "v1")
    text, _ = edited(first, versions.add, "product", "v2", labels={"app": "product", "version": "v2"}, weight=70)
    assert yaml.safe_load(text) == values[0]
    text, _ = edited(text, versions.weights, "product", {"v1": 80, "v2": 20})
    assert yaml.safe_load(text) == values[1]
    text, _ = edited(text, versions.takeover, "product", "v2")
    assert yaml.safe_load(text) == values[2]
    text, _ = edited(text, versions.retire, "product", "v1")
    assert yaml.safe_load(text) == values[3]
    text, _ = edited(text, versions.add, "product", "v3", labels={"app": "product", "version": "v3"}, weight=10)
    assert yaml.safe_load(text) == values[4]
    # Not one line is written in another hand than the first file's.
    assert text.splitlines()[1:] == texts[4].splitlines()[1:]


def test_a_whole_life_leaves_the_lines_of_all_others():
    """The one that tests/cluster/test_versions.py leads in a cluster."""
    cat = {"app": "cat", "version": "v1"}
    spec = """\
# cat, by hand
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: life, namespace: demo}
spec:
  lanes: {prod: {}}   # no lanes, till one comes
  services:
    cat:
      host: cat-svc
      port: 9001
      versions:
        v1: {labels: {app: cat, version: v1}}   # the first one
      default: v1
  entries:
    - hosts: [a.example.com]   # one host
      tag: trusted
      routes: [{path: {prefix: /}, service: cat}]
"""
    text, _ = edited(spec, versions.add, "cat", "v2", labels=cat | {"version": "v2"}, weight=70)
    text, _ = edited(text, versions.weights, "cat", {"v1": 80, "v2": 20})
    text, _ = edited(text, versions.takeover, "cat", "v2")
    text, _ = edited(text, lanes.add, "blue", versions={"cat": "v1"})
    assert "lanes: {prod: {}, blue: {versions: {cat: v1}}}   # no lanes" in text
    text, _ = edited(text, lanes.remove, "blue")
    text, _ = edited(text, versions.retire, "cat", "v1")
    scale = Autoscale(min=1, max=3, cpu=70)
    text, _ = edited(text, versions.add, "cat", "v3", labels=cat | {"version": "v3"}, autoscale=scale, weight=10)
    assert "v3: {labels: {app: cat, version: v3}, autoscale: {min: 1, max: 3, cpu: 70}}\n" in text
    text, _ = edited(text, versions.weights, "cat", {"v2": 100})
    text, _ = edited(text, versions.retire, "cat", "v3")
    expected = spec.replace("v1: {labels: {app: cat, version: v1}}   # the first one", "v2: NEW")
    expected = expected.replace("NEW", "{labels: {app: cat, version: v2}}")
    assert text == expected.replace("default: v1", "weights: {v2: 100}")


def test_a_lane_comes_and_goes():
    text, _ = edited(SPEC, lanes.add, "blue", versions={"cat": "v2"}, mode="strict")
    line = "    blue: {versions: {cat: v2}, mode: strict}\n"
    assert text == SPEC.replace("  services:", line + "  services:")
    back, notes = edited(text, lanes.remove, "blue")
    assert (back, notes) == (SPEC, [])


def test_a_lane_that_something_leads_to_stays():
    assert refused(SPEC, lanes.remove, "gray") == [
        "f.yaml:26: spec.entries[0].admit[0].lane: lane gray is in use: an entry admits requests to it"
    ]
    text = SPEC.replace("gray: 0", "gray: 5").replace("lane: gray", "lane: prod")
    assert refused(text, lanes.remove, "gray") == [
        "f.yaml:27: spec.entries[0].split.gray: lane gray is in use: an entry's split gives it 5"
    ]
    said = refused(SPEC.replace("lanes:", "tag: {default: prod}\n  lanes:"), lanes.remove, "prod")
    assert said[0].startswith("f.yaml:6: spec.tag.default: lane prod is in use: it is the baseline")


def test_a_lane_leaves_a_split_that_gave_it_nothing_and_versions_without_requests_are_told():
    text = SPEC.replace("lane: gray", "lane: prod").replace(
        "        v2: {", "        gray: {labels: {version: gray}}\n        v2: {"
    )
    after, notes = edited(text, lanes.remove, "gray")
    assert after == text.replace("    gray: {mode: permissive}\n", "").replace(
        "split: {gray: 0, prod: 100}", "split: {prod: 100}"
    )
    assert notes == ["f.yaml:17: no request goes to cat gray any more; graylane version retire removes it"]


CAT = "spec.services.cat.versions"
V3 = {"labels": {"a": "b"}}


@pytest.mark.parametrize(
    ("make", "arguments", "options", "said"),
    [
        (versions.add, ("cot", "v3"), V3, "f.yaml:10: spec.services: there is no service cot; did you mean cat?"),
        (versions.add, ("cat", "v2"), V3, f"f.yaml:17: {CAT}.v2: version v2 exists already"),
        (versions.weights, ("cat", {"v4": 1}), {}, f"f.yaml:14: {CAT}: there is no version of cat v4; there is v1, v2"),
        (versions.weights, ("cat", {"v1": 0}), {}, "weights: at least one weight has to be above 0"),
        (versions.weights, ("cat", {"v1": -1}), {}, "v1=-1: a weight is 0 or more"),
        (versions.takeover, ("cat", "w2"), {}, f"f.yaml:14: {CAT}: there is no version of cat w2"),
        (lanes.add, ("gray",), {"versions": {}}, "f.yaml:8: spec.lanes.gray: lane gray exists already"),
        (lanes.add, ("x",), {"versions": {"cot": "v1"}}, "f.yaml:10: spec.services: there is no service cot"),
        (lanes.add, ("x",), {"versions": {"cat": "w"}}, f"f.yaml:14: {CAT}: there is no version of cat w"),
        (lanes.remove, ("grey",), {}, "f.yaml:6: spec.lanes: there is no lane grey; did you mean gray?"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_its_line(make, arguments, options, said):
    (line,) = refused(SPEC, make, *arguments, **options)
    assert line.startswith(said)


def test_an_edit_that_would_be_no_spec_is_refused_as_a_whole():
    said = refused(SPEC, lanes.add, "a.b", versions={})
    assert "nothing was written" in said[0]
    assert said[1].startswith("f.yaml:10: spec.lanes[\"a.b\"]: 'a.b' is not allowed here")


def test_a_group_in_several_files_is_changed_where_it_says_so():
    head = "apiVersion: graylane/v1\nkind: LaneGroup\nmetadata: {name: pets, namespace: demo}\nspec:\n"
    two = "versions: {v1: {labels: {v: v1}}, v2: {labels: {v: v2}}}"
    cat = f"  services: {{cat: {{host: cat-svc, port: 1, {two}, default: v1}}}}\n"
    mouse = "  services: {mouse: {host: mouse-svc, port: 1, versions: {v1: {labels: {v: v1}}}, default: v1}}\n"
    other = head.replace("pets", "others") + "  lanes: {prod: {}}\n" + mouse.replace("mouse", "dog")
    files = {
        "lanes.yaml": f"{head}  lanes: {{prod: {{}}}}  # both files say it\n---\n{other}",
        "cat.yaml": f"{head}  lanes: {{prod: {{}}}}\n{cat}",
        "mouse.yaml": head + mouse,
    }
    after, _ = edited(files, versions.weights, "cat", {"v1": 1, "v2": 2})
    assert after == {**files, "cat.yaml": files["cat.yaml"].replace("default: v1", "weights: {v1: 1, v2: 2}")}
    files["lanes.yaml"] = files["lanes.yaml"].replace("prod: {}}  #", "prod: {versions: {cat: v1}}}  #")
    files["cat.yaml"] = files["cat.yaml"].replace("lanes: {prod: {}}", "lanes: {prod: {versions: {cat: v1}}}")
    after, _ = edited(files, versions.takeover, "cat", "v2")
    assert after["lanes.yaml"] == files["lanes.yaml"].replace("{cat: v1}", "{cat: v2}")
    expected = files["cat.yaml"].replace("{cat: v1}", "{cat: v2}").replace("default: v1", "default: v2")
    assert after["cat.yaml"] == expected
    assert after["mouse.yaml"] == files["mouse.yaml"]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(specs(), st.data())
def test_after_a_take_over_the_others_can_be_retired_or_their_uses_are_told(value, data):
    text = yaml.safe_dump(value, sort_keys=False)
    texts = Texts({"f.yaml": text})
    try:
        (group,) = texts.groups
    except InputError:
        assume(False)
    service = data.draw(st.sampled_from(sorted(group.spec.spec.services)))
    version = data.draw(st.sampled_from(sorted(group.spec.spec.services[service].versions)))
    try:
        taken, _ = edited(text, versions.takeover, service, version)
    except InputError as error:
        assert "nothing was written" in str(error)  # noqa: PT017  a strict lane in a split has lost its version
        return
    (after,) = Texts({"f.yaml": taken}).groups
    spec = after.spec.spec.services[service]
    untagged = spec.weights or {spec.default or after.spec.spec.lanes["prod"].versions.get(service, "prod"): 1}
    assert set(untagged) == {version}
    expected = copy.deepcopy(value["spec"]["services"][service])
    expected.pop("weights", None)
    assert expected["versions"] == yaml.safe_load(taken)["spec"]["services"][service]["versions"]
    for other in set(spec.versions) - {version}:
        lanes_of = [name for name, lane in after.spec.spec.lanes.items() if lane.versions.get(service, name) == other]
        rules = [rule for rule in spec.rules if rule.weights.get(other)]
        copies = [spec.mirror] if spec.mirror and spec.mirror.version == other else []
        try:
            edited(taken, versions.retire, service, other)
        except InputError as error:
            assert len(str(error).splitlines()) == len(lanes_of) + len(rules) + len(copies) > 0  # noqa: PT017
        else:
            assert not lanes_of
            assert not rules
            assert not copies


def service(**versions_):
    versions_ = {name: {"labels": one} if "labels" not in one else one for name, one in versions_.items()}
    return ServiceSpec.model_validate({"host": "a", "port": 1, "versions": versions_})


@pytest.mark.parametrize(
    ("found", "given", "expected"),
    [
        ({"v1": {"app": "cat", "version": "v1"}}, {}, {"app": "cat", "version": "v2"}),
        ({"v1": {"track": "stable"}}, {}, {"track": "v2"}),
        ({"v1": {"app": "cat", "t": "a"}, "v0": {"app": "cat", "t": "b"}}, {}, {"app": "cat", "t": "v2"}),
        ({"v1": {"app": "cat", "version": "v1"}}, {"version": "2.0"}, {"app": "cat", "version": "2.0"}),
    ],
)
def test_the_labels_of_a_new_version_are_the_old_ones_with_its_name(found, given, expected):
    assert labels(service(**found), "v1", "v2", given) == expected


@pytest.mark.parametrize(
    ("found", "given"),
    [
        ({"v1": {"app": "cat", "tier": "x"}}, {}),
        ({"v1": {"version": "v1"}}, {"color": "red"}),
        ({"v1": {"version": "v1"}}, {"version": "v1"}),
    ],
)
def test_labels_that_do_not_tell_the_versions_apart_are_refused(found, given):
    with pytest.raises(InputError, match=r"--label: Pods with .* may be of version v1 too"):
        labels(service(**found), "v1", "v2", given)


def test_a_deployment_is_named_as_the_old_one_is():
    spec = service(v1={"labels": {"v": "1"}, "workload": "cat-dp-v1"}, v0={"labels": {"v": "0"}, "workload": "odd"})
    assert workload(spec, "v1", "v2") == "cat-dp-v2"
    assert workload(spec, "v0", "v2") is None
