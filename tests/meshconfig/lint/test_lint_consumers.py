"""GL614 and GL613, and GL602 of lanes that have consumers: what lint says of who consumes messages."""

from meshconfig.lint import index, lint
from meshconfig.load import parse

HEAD = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: shop, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}, blue: {versions: {orders: gray}}}
  services: {web: {host: web, port: 80, versions: {prod: {labels: {v: prod}}, gray: {labels: {v: gray}}}}}
"""
ORDERS = "  consumers: {orders: {topic: orders, versions: {prod: orders, gray: orders.gray}}}\n"


DEPLOYMENTS = """\
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders-prod, namespace: demo}
spec:
  selector: {matchLabels: {v: prod}}
  template: {metadata: {labels: {v: prod}}, spec: {containers: [{name: app, image: app}]}}
"""


def codes(text):
    return sorted({finding.code for finding in lint(index(parse(text, "graylane.yaml")))})


def test_gl602_knows_lanes_of_consumers_alone():
    alone = HEAD.replace(", gray: {labels: {v: gray}}", "") + ORDERS
    assert "GL602" not in codes(alone)
    assert "GL602" in codes(alone.replace("gray: {}", "gray: {versions: {}}, rose: {}"))


def test_gl614_finds_one_group_of_two_consumers_in_one_and_in_two_specs():
    other = (HEAD + ORDERS).replace("name: shop", "name: mall").replace("host: web", "host: mall")
    assert "GL614" in codes(HEAD + ORDERS + "---\n" + other)
    assert "GL614" not in codes(
        HEAD + ORDERS + "---\n" + other.replace("prod: orders, gray: orders.gray", "prod: b, gray: c")
    )


def found(text, code):
    return [one for one in lint(index(parse(text, "graylane.yaml"))) if one.code == code]


def test_gl614_tells_what_sharing_does():
    text = HEAD + ORDERS.replace("}}}", "}}, bills: {topic: bills, versions: {prod: orders}}}")
    (one,) = found(text, "GL614")
    assert one.path == "spec.consumers.bills.versions.prod"
    assert "the consumer orders has the group orders too: when members of one come or go" in one.message
    (one,) = found(text.replace("topic", "kind: rabbitmq, topic"), "GL614")
    assert "each takes messages of the other" in one.message
    assert not found(text.replace("topic: bills", "kind: rabbitmq, topic: bills"), "GL614")


def test_gl613_finds_a_version_whose_workload_is_not_there():
    (one,) = found(HEAD + ORDERS + DEPLOYMENTS, "GL613")
    assert one.path == "spec.consumers.orders.versions.gray"
    assert one.message == "no workload in demo is called orders-gray"
    named = ORDERS.replace("gray: orders.gray", "gray: {name: orders.gray, workload: orders-prod}")
    assert not found(HEAD + named + DEPLOYMENTS, "GL613")
    assert not found(HEAD + ORDERS, "GL613")  # no workloads were given
