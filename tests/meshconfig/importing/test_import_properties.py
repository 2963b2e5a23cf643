"""On meshes as people write them, an imported spec decides as the original, or import says where it does not."""

import os

import pytest
from handwritten_meshes import HEADERS, PATHS, VALUES, meshes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshconfig.importing import NothingToSayError, import_group
from meshconfig.importing.importer import in_place
from meshconfig.istio import Resources
from meshconfig.simulate import Destination, Index, Request, simulate

MANY = 2000 if os.environ.get("GRAYLANE_FUZZ") else 120
CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@st.composite
def asked(draw):
    """A request that is drawn without looking at the mesh."""
    headers = draw(st.lists(st.tuples(st.sampled_from(HEADERS), st.sampled_from((*VALUES, "beta=1"))), max_size=2))
    path, method = draw(st.sampled_from((*PATHS, "/api/v7/x", "/old"))), draw(st.sampled_from(("GET", "POST")))
    if draw(st.booleans()):
        host = draw(st.sampled_from(("shop.example.com", "shop.org", "a.example.com")))
        return Request(host, path, method, headers, gateway="shop/edge", port=80, claims={})
    name, space = draw(st.sampled_from(("web", "cart", "reviews", "ratings"))), draw(st.sampled_from(("shop", "back")))
    host, port = f"{name}.{space}.svc.cluster.local", draw(st.sampled_from((8080, 9000)))
    labels = draw(st.sampled_from(({}, {"app": "web"})))
    return Request(host, path, method, headers, None, draw(st.sampled_from(("shop", "back"))), labels, port)


def answer(index, request):
    """Who answers, with which path, by which share: told in other words than import's own comparison."""
    found = {}
    for share in simulate(index, request).shares:
        one = share.outcome
        key = (pods(index, one), one.path, one.port) if isinstance(one, Destination) else str(one)
        found[key] = found.get(key, 0) + share.probability
    return found


def pods(index, one):
    if one.workloads:
        return tuple(sorted(one.workloads))
    known = index.registry.get(one.host)
    return one.host, tuple(sorted({**(known.selector if known else {}), **dict(one.labels)}.items()))


def check(manifests, requests):
    resources = Resources.parse(manifests, default_namespace="shop")
    try:
        found = import_group(resources, "shop", "shop")
    except NothingToSayError:
        return
    before, after = Index(resources), Index(in_place(resources, found.fitted.model, found.replaced))
    told = {(one.request.host, one.request.gateway) for one in found.proof.differences}
    tag = found.fitted.found.tag
    for request in requests:
        if len({value for name, value in request.headers if name == tag}) > 1:
            continue  # which of two lanes counts is a matter of the order of routes
        if answer(before, request) != answer(after, request):
            assert any(gateway == request.gateway and stands_for(host, request.host) for host, gateway in told), request


def stands_for(told, host):
    """Of a pattern's hosts, import asks for one, which begins with `any`; that of `*` is any.example.org."""
    return host == told or told == "any.example.org" or (told.startswith("any.") and host.endswith(told[3:]))


@settings(max_examples=5, deadline=None, suppress_health_check=CHECKS)
@given(meshes(), st.lists(asked(), min_size=20, max_size=20))
def test_an_imported_mesh_decides_alike_or_import_says_where_not(manifests, requests):
    check(manifests, requests)


@pytest.mark.slow
@settings(max_examples=MANY, deadline=None, suppress_health_check=CHECKS)
@given(meshes(), st.lists(asked(), min_size=40, max_size=40))
def test_fuzz_imported_meshes_decide_alike_or_import_says_where_not(manifests, requests):
    check(manifests, requests)
