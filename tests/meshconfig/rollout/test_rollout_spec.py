"""What a person writes as `kind: Rollout`, and what they get wrong."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshconfig.duration import written
from meshconfig.errors import InputError
from meshconfig.load import parse
from meshconfig.spec.base import validate
from meshconfig.spec.rollout import Pause, Rollout

TEXT = """\
apiVersion: graylane/v1
kind: Rollout
metadata: {name: cat-v2, namespace: demo}
spec:
  group: pets
  services: {cat: {from: v1, to: v2}, mouse: {from: v1, to: v2}}
  entry: cat.example.com
  steps:
    - {weight: 10, replicas: 25%}
    - {pause: {}}
    - {analysis: {for: 5m}}
    - {weight: 50, pause: {for: 10m}}
    - {auto: {from: 60, to: 100, add: 20, every: 1m}}
  analysis:
    prometheus: http://prometheus.monitoring:9090
    metrics:
      - {name: success, query: 'sum(rate(x{version="{{version}}"}[1m]))', min: 0.99, every: 30s, failures: 2}
      - {name: p99, preset: istio-p99, max: 0.5}
  onFail: rollback
  keepOld: 1h30m
  notify:
    - {url: https://hooks.example.com/rollouts, secretRef: {name: rollout-hook}}
"""


def read(text):
    document = parse(text, "rollout.yaml")[0]
    return validate(Rollout, document.value, document.locate)


def test_durations_are_seconds_and_are_written_back_as_they_were():
    rollout = read(TEXT)
    assert rollout.spec.keep_old == 5400
    assert rollout.spec.steps[2].analysis.for_ == 300
    assert rollout.spec.analysis.metrics[1].every == 60
    dumped = rollout.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert dumped == parse(TEXT, "rollout.yaml")[0].value


@settings(deadline=None)
@given(st.integers(1, 10**9))
def test_every_duration_is_read_as_it_is_written(milliseconds):
    assert Pause.model_validate({"for": written(milliseconds / 1000)}).for_ == pytest.approx(milliseconds / 1000)


def test_an_editor_knows_the_form():
    schema = Rollout.model_json_schema(by_alias=True)
    jsonschema.validate(parse(TEXT, "rollout.yaml")[0].value, schema)
    wrong = json.loads(json.dumps(parse(TEXT, "rollout.yaml")[0].value))
    wrong["spec"]["steps"][0]["replicas"] = "25"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (
            "replicas: 25%",
            "replicas: 0%",
            "9: spec.steps[0].replicas: takes a number of Pods from 1 to 2147483647, or",
        ),
        ("weight: 10", "weigth: 10", "9: spec.steps[0].weigth: unknown field; did you mean weight?"),
        ("weight: 10,", "weight: 101,", "9: spec.steps[0].weight: should be less than or equal to 100"),
        ("{weight: 10, replicas: 25%}", "{replicas: 25%}", "9: spec.steps[0]: replicas goes with a weight"),
        ("{pause: {}}", "{}", "10: spec.steps[1]: takes one of weight, pause, analysis, auto"),
        ("{analysis: {for: 5m}}", "{analysis: {for: 5m}, pause: {}}", "11: spec.steps[2]: pause and analysis in one"),
        ("{auto: {", "{pause: {}, auto: {", "13: spec.steps[4]: auto stands alone: make a step of its own of pause"),
        ("from: 60, to: 100", "from: 60, to: 60", "13: spec.steps[4].auto: from 60 has to be below to 60"),
        ("from: 60, to: 100", "from: 40, to: 100", "8: spec.steps: steps[4] goes down from 50 to 40"),
        ("to: 100", "to: 90", "8: spec.steps: the last weight has to be 100"),
        ("every: 30s", "every: 30", "17: spec.analysis.metrics[0].every: takes a duration such as 30s"),
        ("every: 30s", "every: 0s", "17: spec.analysis.metrics[0].every: takes a duration from 1ms to 366d, not 0"),
        ("{{version}}", "{{verison}}", "17: spec.analysis.metrics[0].query: unknown placeholder {{verison}}; did you"),
        ("{{version}}", "{{version}", "17: spec.analysis.metrics[0].query: a {{ that no }} closes"),
        ("max: 0.5", "max: .nan", "18: spec.analysis.metrics[1].max: .nan is no number in JSON"),
        (", max: 0.5", "", "18: spec.analysis.metrics[1]: takes min, max or both"),
        ("preset: istio-p99", "preset: istio-p95", "18: spec.analysis.metrics[1].preset: takes 'istio-success'"),
        ("preset: istio-p99, ", "", "18: spec.analysis.metrics[1]: takes one of query and preset"),
        ("name: p99", "name: success", "16: spec.analysis.metrics: two metrics have the name success"),
        ("cat: {from: v1, to: v2}", "cat: {from: v2, to: v2}", "6: spec.services.cat: from and to are both v2"),
        ("cat: {from: v1, ", "cat: {form: v1, ", "6: spec.services.cat.form: unknown field; did you mean from?"),
        ("onFail: rollback", "onFail: back", "19: spec.onFail: takes 'rollback' or 'hold', not 'back'"),
        ("https://hooks", "ftp://hooks", "22: spec.notify[0].url: 'ftp://hooks.example.com/rollouts' is not allowed"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(was, becomes, said):
    assert was in TEXT
    with pytest.raises(InputError) as caught:
        read(TEXT.replace(was, becomes, 1))
    assert str(caught.value).startswith(f"rollout.yaml:{said}")
    assert len(caught.value.problems) == 1


def test_metrics_and_the_steps_that_use_them_come_together():
    start, end = TEXT.index("  analysis:\n"), TEXT.index("  onFail")
    with pytest.raises(InputError, match=r"steps\[2\] asks for metrics: give analysis"):
        read(TEXT[:start] + TEXT[end:])
    lines = [line for line in TEXT.splitlines() if "analysis: {" not in line]
    unused = "\n".join(lines).replace("{auto: {from: 60, to: 100, add: 20, every: 1m}}", "{weight: 100}")
    with pytest.raises(InputError, match="no step uses analysis"):
        read(unused)
