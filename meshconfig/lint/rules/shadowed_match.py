"""A match that an earlier, wider one has swallowed: `gray.*` before `gray`. Istio and Kiali do not look for it."""

from collections.abc import Iterator

from meshconfig.lint.cover.dead import Reason
from meshconfig.lint.cover.words import dead_routes
from meshconfig.lint.finding import Level
from meshconfig.lint.index import Index
from meshconfig.lint.rule import Hit, Rule


def check(index: Index) -> Iterator[Hit]:
    for owner, path, earlier in dead_routes(index, Reason.SWALLOWED):
        yield Hit(owner, path, f"this route never answers: {earlier} takes all of its requests before it")


TOP = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cat, namespace: demo}
spec:
  hosts: [cat.demo.svc.cluster.local]
  http:
"""
WIDE = """\
    - name: any-gray
      match: [{headers: {env: {regex: "gray.*"}}}]
      route: [{destination: {host: cat.demo.svc.cluster.local, subset: gray}}]
"""
NARROW = """\
    - name: gray-eu
      match: [{headers: {env: {exact: gray-eu}}}]
      route: [{destination: {host: cat.demo.svc.cluster.local, subset: gray-eu}}]
"""
DEFAULT = "    - route: [{destination: {host: cat.demo.svc.cluster.local, subset: prod}}]\n"

RULE = Rule(
    code="GL203",
    level=Level.ERROR,
    title="A wider match before it takes all of a route's requests.",
    fix="Put the narrower match first: exact before prefix and regex, and those before mere presence.",
    why="Envoy takes the first route that matches: the version behind the later route never gets a request, and "
    "nothing else says so.",
    resources=check,
    bad=TOP + WIDE + NARROW + DEFAULT,
    good=TOP + NARROW + WIDE + DEFAULT,
)
