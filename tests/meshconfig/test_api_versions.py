"""`graylane.dev/v1` and `graylane/v1`: one spec, read of files of both; the first is one document, as a cluster's."""

import json

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from random_specs import specs
from rollout_world import rollout

from meshconfig.cli.schema import json_schema
from meshconfig.cluster.revision import digest, document
from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.groups import groups, objects
from meshconfig.load import parse
from meshconfig.spec import LaneGroup, Rollout
from meshconfig.spec.document import KEPT

NEW, EARLIER = "graylane.dev/v1", "graylane/v1"
HEAD = "kind: LaneGroup\nmetadata: {name: pets, namespace: demo}\nspec:\n"
CAT = "  lanes: {prod: {}, gray: {}}\n  services: {cat: {host: cat, port: 80, versions: {prod: {labels: {v: prod}}}}}\n"
MOUSE = "  services: {mouse: {host: mouse, port: 80, versions: {prod: {labels: {v: prod}}}}}\n"
OF_A_CLUSTER = {
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    "creationTimestamp": "2026-01-02T03:04:05Z",
    "finalizers": ["graylane.dev/routes-first"],
    "generation": 3,
    "labels": {"app.kubernetes.io/part-of": "shop"},
    "managedFields": [{"manager": "kubectl"}],
    "ownerReferences": [{"kind": "Application"}],
    "resourceVersion": "12",
    "uid": "4b2c",
}


def document_of(version, spec=CAT):
    return f"apiVersion: {version}\n{HEAD}{spec}"


def read(*texts):
    return groups([one for number, text in enumerate(texts) for one in parse(text, f"{number}.yaml")])


def problems(*texts):
    with pytest.raises(InputError) as caught:
        read(*texts)
    return list(map(str, caught.value.problems))


def in_order(value, of):
    """The value with the keys of its mappings in another order."""
    if isinstance(value, dict):
        return {name: in_order(value[name], of) for name in of(value)}
    return [in_order(one, of) for one in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(specs(), st.randoms(use_true_random=False))
def test_a_spec_is_the_same_in_a_file_of_before_and_as_an_object_of_a_cluster(value, chance):
    """The API server sorts keys, fills in defaults and adds fields of its own."""
    value["spec"].pop("drift", None)
    of_cluster = in_order(value, lambda part: chance.sample(sorted(part), len(part)))
    of_cluster |= {"apiVersion": NEW, "metadata": value["metadata"] | OF_A_CLUSTER, "status": {"revision": 7}}
    of_cluster["spec"]["drift"] = "correct"
    one, other = LaneGroup.model_validate(value), LaneGroup.model_validate(of_cluster)
    assert digest(document(one)) == digest(document(other))
    assert json.loads(document(other))["metadata"] == value["metadata"]
    try:
        assert compile_group(one) == compile_group(other)
    except InputError:
        with pytest.raises(InputError):
            compile_group(other)


def test_another_spec_has_another_digest():
    one, other = (read(document_of(NEW, CAT.replace("80", port)))[0].spec for port in ("80", "81"))
    assert digest(document(one)) != digest(document(other))
    reported = read(document_of(NEW, CAT + "  drift: report\n"))[0].spec
    assert digest(document(one)) != digest(document(reported))


def test_what_is_stored_can_be_read_by_a_graylane_of_before():
    assert json.loads(document(read(document_of(NEW))[0].spec))["apiVersion"] == EARLIER


def test_a_rollout_of_a_cluster_is_the_one_of_the_file():
    value = rollout([{"weight": 100}]).model_dump(mode="json", by_alias=True, exclude_unset=True)
    of_cluster = {**value, "apiVersion": NEW, "metadata": value["metadata"] | OF_A_CLUSTER, "status": {"phase": "x"}}
    assert Rollout.model_validate(value) == Rollout.model_validate(of_cluster)


@pytest.mark.parametrize("field", sorted(OF_A_CLUSTER))
def test_a_document_of_before_has_no_fields_of_a_cluster(field):
    text = document_of(EARLIER).replace(
        "namespace: demo}", f"namespace: demo, {field}: {json.dumps(OF_A_CLUSTER[field])}}}"
    )
    assert problems(text) == [
        f"0.yaml:3: metadata: {field} is read where apiVersion is graylane.dev/v1: write that, or leave it away"
    ]


def test_a_document_of_before_has_no_status():
    said = "0.yaml:7: status: status is read where apiVersion is graylane.dev/v1: write that, or leave it away"
    assert problems(document_of(EARLIER) + "status: {revision: 3}\n") == [said]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("demo}", "demo, lables: {a: b}}", "0.yaml:3: metadata.lables: unknown field; did you mean labels?"),
        ("demo}", "demo, labels: {a: 1}}", "0.yaml:3: metadata.labels.a: takes a string, not 1; quote it"),
        ("spec:", "stauts: {}\nspec:", "0.yaml:4: stauts: unknown field; did you mean status?"),
        ("  lanes", "  drift: ignore\n  lanes", "0.yaml:5: spec.drift: takes 'correct' or 'report', not 'ignore'"),
        ("  lanes", "  limits: {previews: 0}\n  lanes", "0.yaml:5: spec.limits.previews: should be greater than or "
         "equal to 1 (given: 0)"),
    ],
)  # fmt: skip
def test_unknown_fields_stay_errors(old, new, said):
    assert problems(document_of(NEW).replace(old, new)) == [said]


def test_drift_and_limits_change_no_route():
    plain, bounded = (
        read(document_of(NEW, CAT + more))[0] for more in ("", "  drift: report\n  limits: {previews: 5}\n")
    )
    assert plain.model == bounded.model
    assert (bounded.spec.spec.drift, bounded.spec.spec.limits.previews) == ("report", 5)


@pytest.mark.parametrize("versions", [(NEW, NEW), (NEW, EARLIER), (EARLIER, NEW)])
def test_a_group_of_the_clusters_api_is_one_document(versions):
    first, second = (document_of(version, spec) for version, spec in zip(versions, (CAT, MOUSE), strict=True))
    assert problems(first, second) == [
        "1.yaml:3: metadata.name: a second document of this group, beside 0.yaml:3, and a group of graylane.dev/v1 is "
        "one document; to join them: graylane render --object -f 0.yaml -f 1.yaml"
    ]


def test_a_group_of_before_may_be_spread():
    (group,) = read(document_of(EARLIER, CAT), document_of(EARLIER, MOUSE))
    assert sorted(group.spec.spec.services) == ["cat", "mouse"]


@pytest.mark.parametrize("version", [NEW, EARLIER])
def test_render_object_joins_what_was_spread(version, graylane, tmp_path):
    texts = document_of(EARLIER, CAT), document_of(version, MOUSE).replace("demo}", "demo, labels: {team: a}}")
    texts = texts if version == NEW else (texts[0], document_of(version, MOUSE))
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text)
    code, out, err = graylane("render", "--object", "-f", tmp_path)
    assert (code, err) == (0, "")
    joined = yaml.safe_load(out)
    assert list(joined) == ["apiVersion", "kind", "metadata", "spec"]
    assert joined["apiVersion"] == NEW
    assert joined["metadata"] == {"name": "pets", "namespace": "demo"} | (
        {"labels": {"team": "a"}} if version == NEW else {}
    )
    assert list(joined["spec"]["services"]) == ["cat", "mouse"]
    assert read(out)[0].model == read(document_of(EARLIER, CAT), document_of(EARLIER, MOUSE))[0].model


def test_render_object_leaves_out_what_a_cluster_has_added():
    text = document_of(NEW).replace("demo}", f"demo, {json.dumps(OF_A_CLUSTER)[1:]}") + "status: {revision: 3}\n"
    (value,) = objects(parse(text, "0.yaml"))
    assert set(value) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(value["metadata"]) == {*KEPT, "labels", "annotations"}


@pytest.mark.parametrize("option", [("-o", "k8s"), ("--sidecar",), ("--ingress",)])
def test_render_object_takes_no_options_of_resources(option, graylane, tmp_path):
    (tmp_path / "a.yaml").write_text(document_of(NEW))
    code, _, err = graylane("render", "--object", "-f", tmp_path / "a.yaml", *option)
    assert (code, err) == (2, f"--object: prints the groups themselves: leave {option[0]} away\n")


def test_parts_that_contradict_each_other_are_not_joined():
    other = MOUSE.replace("mouse:", "cat:")
    with pytest.raises(
        InputError, match=r"1\.yaml:5: spec\.services\.cat: another file of this group has another value"
    ):
        objects([*parse(document_of(EARLIER), "0.yaml"), *parse(document_of(EARLIER, other), "1.yaml")])


@pytest.mark.parametrize("version", [NEW, EARLIER])
def test_the_schema_for_editors_takes_both(version):
    check = jsonschema.Draft202012Validator(json_schema())
    value = yaml.safe_load(document_of(version))
    assert check.is_valid(value)
    assert check.is_valid({**value, "metadata": value["metadata"] | OF_A_CLUSTER, "status": {}})
    assert not check.is_valid({**value, "apiVersion": "graylane/v2"})
