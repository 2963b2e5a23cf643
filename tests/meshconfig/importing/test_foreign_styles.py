"""Manifests in the styles of other people, about 280 cases: import never fails, and says each request that differs."""

import pytest
from foreign_manifests import AWAY, BARE, HOME, Outside, full, gw, rule, service, to, vs
from foreign_styles import cases

from meshconfig.importing import NothingToSayError, import_group, in_place
from meshconfig.istio import Resources
from meshconfig.simulate import ANY_GATEWAY, Destination, Index, Request, simulate

SURROUNDINGS = [
    *(service(name, (80, "http"), app=name) for name in ("web", "api")),
    rule("web", "web", "v1", "v2"),
    rule("api", "api", "v1"),
    gw("everything", 80, ["*"]),
    vs("web", ["web.example.com"], to("web", "v1"), gateways=["everything"]),
    vs("web-inside", ["web"], to("web", "v1")),
]
NAMESPACES = (HOME, AWAY, BARE)


def request(one):
    if isinstance(one, Outside):
        return Request(one.host, one.path, one.method, one.headers, ANY_GATEWAY, port=one.port)
    return Request(one.host, one.path, one.method, one.headers, None, one.namespace, {"app": "probe"}, one.port)


def answer(index, asked):
    """Who gets it, with which path, and by which share."""
    found = {}
    for share in simulate(index, asked).shares:
        one = share.outcome
        who = (one.host, one.port, one.path, pods(index, one)) if isinstance(one, Destination) else str(one)
        found[who] = found.get(who, 0) + share.probability
    return found


def pods(index, one):
    known = index.registry.get(one.host)
    return tuple(sorted({**(known.selector if known else {}), **dict(one.labels)}.items()))


def some(every):
    """All cases, of which `make test` takes one in eight."""
    for number, case in enumerate(every):
        yield pytest.param(case, id=case.name, marks=[pytest.mark.slow] if number % 8 else [])


@pytest.mark.parametrize("case", list(some(cases())))
def test_other_peoples_manifests_are_imported_or_left_alone(case):
    resources = Resources.parse([*SURROUNDINGS, *case.manifests], default_namespace=HOME)
    try:
        found = import_group(resources, "shop", HOME)
    except NothingToSayError:
        return
    before, after = Index(resources), Index(in_place(resources, found.fitted.model, found.replaced))
    told = {one.request.host.lower() for one in found.proof.differences}
    for one in case.asked:
        asked = request(one)
        if answer(before, asked) != answer(after, asked):
            assert told & {asked.authority_host, full(asked.authority_host), "any.example.org"}, (case.manifests, asked)
