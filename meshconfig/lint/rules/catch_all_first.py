"""A route behind one that takes every request."""

from collections.abc import Iterator

from meshconfig.lint.cover.dead import Reason
from meshconfig.lint.cover.words import dead_routes
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for owner, path, earlier in dead_routes(index, Reason.CATCH_ALL):
        yield Hit(owner, path, f"this route never answers: {earlier} takes every request before it")


DEFAULT = "    - {name: default, route: [{destination: {host: cat.demo.svc.cluster.local, subset: prod}}]}\n"
GRAY = """\
    - name: gray
      match: [{headers: {env: {exact: gray}}}]
      route: [{destination: {host: cat.demo.svc.cluster.local, subset: gray}}]
"""
TOP = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: demo}
spec:
  hosts: [cat.demo.svc.cluster.local]
  http:
"""

RULE = Rule(
    code="GL201",
    level=Level.ERROR,
    title="A route stands behind one that takes every request.",
    fix="Put the route without a match last.",
    why="Envoy takes the first route that matches: whatever follows a route without a match never answers.",
    istio=("IST0130",),
    resources=check,
    bad=TOP + DEFAULT + GRAY,
    good=TOP + GRAY + DEFAULT,
)
