"""`consumers` of a spec: what compiles, what is made of it, and what each command says of it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rollout_world import GROUP
from runner_world import AT_ONCE, NOWHERE, cluster, mesh

from meshconfig import graph
from meshconfig.errors import InputError
from meshconfig.groups import groups, read
from meshconfig.load import parse
from meshconfig.palette import BASELINE
from meshconfig.render import render
from propagation.messaging.lanes import parse as parse_roster

__all__ = ["cluster", "mesh"]

GOLDEN = Path(__file__).parents[1] / "golden" / "consumers" / "in.yaml"
HEAD = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}, blue: {versions: {orders: gray}}}
  services: {web: {host: web, port: 80, versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}}}
"""
ORDERS = "  consumers: {orders: {topic: orders, versions: {prod: orders, gray: orders.gray}}}\n"


def compiled(text):
    (group,) = groups(parse(text, "graylane.yaml"))
    return group


def roster(group, consumer):
    (found,) = [one for one in render([group.model]) if one["kind"] == "ConfigMap"]
    assert found["metadata"]["name"] == f"{group.key[1]}-consumers"
    return parse_roster(found["data"]["consumers.json"], consumer)


def test_the_list_is_what_propagation_reads():
    (group,) = read([str(GOLDEN)])
    assert roster(group, "orders").names == {"prod": "orders", "gray": "orders.gray"}
    mails = roster(group, "mails")
    assert (mails.kind, mails.topic, mails.baseline) == ("rabbitmq", "mails", "prod")
    assert mails.names == {"prod": "mails", "gray": "mails.gray", "blue": "mails.gray"}
    assert roster(group, "bills").names == {"prod": "bills.fifo", "alice": "bills-alice.fifo"}


NAMES = st.text("abcxyz.-_09", min_size=1, max_size=12)


@given(st.sampled_from(["kafka", "rabbitmq"]), st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_whatever_compiles_is_read_by_propagation(kind, names):
    prod, gray = names
    versions = {"prod": prod, "gray": {"name": gray, "workload": "w"}}
    consumers = {"orders": {"kind": kind, "topic": "orders", "versions": versions}}
    text = HEAD + yaml.safe_dump({"consumers": consumers}).replace("\n", "\n  ").join(("  ", "\n"))
    assert roster(compiled(text), "orders").names == {"prod": prod, "gray": gray, "blue": gray}


def test_a_group_without_consumers_has_no_list():
    assert "ConfigMap" not in {
        one["kind"] for one in render([compiled(HEAD.replace(", blue: {versions: {orders: gray}}", "")).model])
    }


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("orders, versions", "orders, kind: nats, versions", 7, "orders.kind: takes 'kafka', 'rabbitmq' or 'sqs'"),
        ("topic: orders, ", "", 7, "orders.topic: this field is required"),
        ("topic: orders", "topic: a b", 7, "takes the name of a topic, group or queue, without spaces"),
        ("topic: orders", "topic: a/b", 7, "a/b is no topic of Kafka: letters, digits, ., _ and -, at most 249"),
        ("topic: orders", f"topic: {'a' * 250}", 7, "is no topic of Kafka"),
        ("topic: orders", "topic: a.b, kind: sqs", 7, "a.b is no queue of SQS: letters, digits, - and _, at most 80"),
        ("topic: orders", "topic: a, kind: sqs", 7, "versions.gray: orders.gray is no queue of SQS"),
        ("topic: orders", "topic: a.fifo, kind: sqs", 7, "orders and the topic a.fifo have to be both FIFO queues"),
        ("gray: orders.gray", "gray: orders", 7, "version prod has the group orders already"),
        ("gray: orders.gray", "gray: 3", 7, "versions.gray: takes a mapping, not 3"),
        ("gray: orders.gray", "gray: {nam: x}", 7, "nam: unknown field; did you mean name?"),
        ("prod: orders, ", "", 7, "messages without a tag have no version: give one of the baseline prod"),
        ("versions: {orders: gray}", "versions: {orders: grey}", 5, "there is no version of orders grey"),
        (
            "versions: {orders: gray}",
            "versions: {order: gray}",
            5,
            "there is no service or consumer order; did you mean orders?",
        ),
        ("consumers: {orders", "consumer: {orders", 7, "spec.consumer: unknown field; did you mean consumers?"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old, new, line, said):
    with pytest.raises(InputError) as error:
        compiled((HEAD + ORDERS).replace(old, new, 1))
    (problem,) = [one for one in error.value.problems if said in str(one)]
    assert problem.location.line == line
    assert "\n" not in str(problem)


def test_a_service_and_a_consumer_may_be_one_program():
    text = (HEAD + ORDERS).replace("services: {web:", "services: {orders:").replace("{v: gray}", "{v: x}")
    (service,) = compiled(text).model.services
    assert service.name == "orders"


def test_the_documents_of_one_group_may_each_have_consumers():
    second = HEAD + ORDERS.replace("orders", "mails").replace("{versions: {orders: gray}}", "{}")
    text = HEAD + ORDERS + "---\n" + second
    (group,) = groups(parse(text, "graylane.yaml"))
    assert sorted(group.spec.spec.consumers) == ["mails", "orders"]


@pytest.mark.parametrize(
    ("lane", "group", "otherwise", "said"),
    [
        ("gray", "orders.gray", "orders", "lane gray's own"),
        ("gray.next", "orders.gray", "orders", "lane gray's own"),
        ("prod", "orders", None, "the baseline's (prod)"),
        ("blue", "orders.gray", "orders", "lane blue's own"),
        ("grey", "orders", None, "there is no lane grey; did you mean gray?"),
        (None, "orders", None, "messages without a lane are the baseline's (prod)"),
    ],
)
def test_explain_says_who_handles_a_message(graylane, tmp_path, lane, group, otherwise, said):
    file = tmp_path / "graylane.yaml"
    file.write_text(HEAD + ORDERS)
    asked = ("explain", "-f", file, "--topic", "orders", *(("--lane", lane) if lane else ()))
    code, out, _ = graylane(*asked, "--output", "json")
    (found,) = json.loads(out)
    assert (code, found["name"], found["otherwise"]) == (0, group, otherwise)
    assert said in found["reason"]
    _, out, _ = graylane(*asked)
    assert f"group {group}: " in out
    assert ("while no consumer of gray lives: group orders" in out) == (otherwise is not None)
    if lane:
        assert graylane("explain", "-f", file, "--topic", "orders", "-H", f"env:{lane}")[1] == out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--topic", "order"), "--topic: there is no topic or consumer order; did you mean orders?"),
        (("--topic", "orders", "--host", "web"), "--topic: asks about a message"),
        (("--lane", "gray", "--host", "web"), "--lane: is for --topic"),
        ((), "--host: is missing"),
    ],
)
def test_explain_says_what_it_cannot_answer(graylane, tmp_path, arguments, said):
    file = tmp_path / "graylane.yaml"
    file.write_text(HEAD + ORDERS)
    code, _, err = graylane("explain", "-f", file, *arguments)
    assert code == 2
    assert said in err


def test_the_graph_has_a_place_for_each_consumer():
    spec = compiled(HEAD + ORDERS).spec
    drawn = graph.mermaid(spec)
    assert '    q1_orders[("orders / gray<br>takes orders")]' in drawn
    assert f"  style q0_orders stroke:{BASELINE}\n" in drawn  # not dashed
    root = ElementTree.fromstring(graph.svg(spec))
    texts = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert texts[:3] == ["web", "orders", "takes orders"]


def consumed(file, *versions):
    named = ", ".join(f"{one}: orders.{one}" for one in versions)
    file.write_text(f"{GROUP.rstrip()}\n  consumers: {{orders: {{topic: orders, versions: {{{named}}}}}}}\n")
    return file


def test_apply_writes_the_list_and_takes_it_away(graylane, cluster, tmp_path):
    file = tmp_path / "graylane.yaml"
    baseline = compiled(GROUP).model.baseline
    code, out, err = graylane("apply", "-f", consumed(file, baseline), *AT_ONCE)
    assert code == 0, out + err
    (name,) = [one for one in cluster.api.names("configmaps") if one.endswith("-consumers")]
    written = json.loads(cluster.api.get("configmaps", name)["data"]["consumers.json"])
    assert written["consumers"]["orders"]["lanes"] == {baseline: f"orders.{baseline}"}
    assert graylane("diff", "-f", file)[0] == 0
    code, out, _ = graylane("status", "pets", "-n", "demo", f"--istiod={NOWHERE}", "--output", "json")
    (consumer,) = json.loads(out)["consumers"]
    assert consumer["lanes"][0]["version"] == baseline
    assert "orders" in graylane("status", "pets", "-n", "demo", f"--istiod={NOWHERE}")[1]
    cluster.api.get("configmaps", name)["data"]["consumers.json"] = "{}"
    assert "consumers.json" in graylane("diff", "-f", file)[1]
    file.write_text(GROUP)
    code, out, err = graylane("apply", "-f", file, *AT_ONCE)
    assert code == 0, out + err
    assert name not in cluster.api.names("configmaps")
    assert cluster.api.names("configmaps")  # the history is still there


def test_the_list_is_not_written_over_somebody_elses(graylane, cluster, tmp_path):
    file = consumed(tmp_path / "graylane.yaml", compiled(GROUP).model.baseline)
    cluster.api.put(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "pets-consumers", "namespace": "demo"},
            "data": {},
        }
    )
    code, out, err = graylane("apply", "-f", file, *AT_ONCE)
    assert code != 0
    assert "ConfigMap demo/pets-consumers is there already" in out + err
