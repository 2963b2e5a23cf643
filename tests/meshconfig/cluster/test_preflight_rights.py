"""How often a change asks what the account may do, and that the short way says what the server would say."""

import pytest
from fake_api import RefusedError
from hypothesis import given
from hypothesis import strategies as st
from rollout_world import GROUP, group
from runner_world import cluster, mesh
from stand_in import StandIn

from meshconfig.cluster.granted import LIFE, Granted
from meshconfig.cluster.preflight import Permission
from meshconfig.cluster.preflight.reviews import granted_by_rules
from meshconfig.errors import ApiError

__all__ = ["cluster", "mesh"]

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubject"
LIST = Permission("list", "", "pods", "demo")
SCALE = Permission("patch", "apps", "deployments", "demo", "scale")


def changed(number):
    """The group with another label at one version, so that there is something to write."""
    return group(GROUP.replace("v2: {labels: {v: v2}}", f"v2: {{labels: {{v: v2, try: t{number}}}}}", 1))


def reviews(api, begin):
    return [path.removeprefix(REVIEWS) for _, path in api.seen[begin:] if path.startswith(REVIEWS)]


@pytest.fixture
def unasked(mesh):
    """A mesh whose client has not asked for any right."""
    mesh.client.granted.clear()
    return mesh


def test_one_question_a_namespace_tells_the_rights_for_a_change(unasked):
    begin = len(unasked.api.seen)
    unasked.apply(changed(1))
    assert reviews(unasked.api, begin) == ["rulesreviews"]


def test_another_change_within_a_minute_asks_for_no_right(unasked):
    unasked.apply(changed(1))
    begin = len(unasked.api.seen)
    unasked.apply(changed(2))
    assert reviews(unasked.api, begin) == []


def test_after_a_refusal_rights_are_asked_for_anew(unasked):
    unasked.apply(changed(1))

    def refuse(method, path):
        if path == "/api/v1/secrets":
            raise RefusedError(403, "Forbidden", "no more")

    unasked.api.before.append(refuse)
    with pytest.raises(ApiError, match="no more"):
        unasked.client.session().request("GET", "/api/v1/secrets")
    begin = len(unasked.api.seen)
    unasked.apply(changed(2))
    assert reviews(unasked.api, begin) == ["rulesreviews"]


def test_what_is_granted_is_believed_for_a_minute():
    now = [100.0]
    granted = Granted(lambda: now[0])
    granted.add([LIST])
    now[0] += LIFE - 1
    assert LIST in granted
    assert SCALE not in granted
    now[0] += 1
    assert LIST not in granted


class Server(StandIn):
    """As `Client`: answers with these rules, or with an error."""

    def __init__(self, *rules, incomplete=False, error=None):
        self.status, self.error, self.asked = {"resourceRules": rules, "incomplete": incomplete}, error, []

    def request(self, method, where, body):
        self.asked.append(body["spec"]["namespace"])
        if self.error:
            raise self.error
        return {"status": self.status}

    def map_concurrently(self, function, items):
        return [function(one) for one in items]


def rule(verbs="list patch", groups=("", "apps"), resources="pods deployments/scale", **more):
    return {"verbs": verbs.split(), "apiGroups": list(groups), "resources": resources.split(), **more}


@pytest.mark.parametrize(
    ("one", "granted"),
    [
        (rule(), {LIST, SCALE}),
        (rule(verbs="*", groups=("*",), resources="*"), {LIST, SCALE}),
        (rule(resources="pods */scale"), {LIST, SCALE}),
        (rule(resources="pods deployments"), {LIST}),
        (rule(resources="pods/scale deployments"), set()),
        (rule(verbs="get patch"), {SCALE}),
        (rule(groups=("",)), {LIST}),
        (rule(groups=()), set()),
        (rule(resourceNames=["cat"]), set()),
        ({"verbs": ["*"]}, set()),
        ({"verbs": None, "apiGroups": None, "resources": None}, set()),
    ],
)
def test_a_rule_grants_what_kubernetes_says_it_does(one, granted):
    assert granted_by_rules(Server(one), [LIST, SCALE]) == granted


def test_rights_in_two_rules_are_not_mixed():
    """`list` of Deployments' scale and `patch` of Pods grant neither what the one nor what the other lacks."""
    rules = rule(verbs="list", groups=("apps",), resources="deployments/scale"), rule(verbs="patch", resources="pods")
    assert granted_by_rules(Server(*rules), [LIST, SCALE]) == frozenset()


@pytest.mark.parametrize(
    "server",
    [Server(rule(), incomplete=True), *(Server(error=ApiError(status, "", "no", [])) for status in (403, 404, 500))],
)
def test_where_rules_do_not_tell_it_whole_each_right_is_asked_for_by_itself(server):
    assert granted_by_rules(server, [LIST, SCALE]) == frozenset()


def test_one_question_for_each_namespace_with_several_rights():
    server = Server(rule())
    other = LIST._replace(namespace="other")
    needs = [LIST, SCALE, other, SCALE._replace(namespace="far"), LIST._replace(namespace="far")]
    assert granted_by_rules(server, needs) == {*needs} - {other}
    assert server.asked == ["demo", "far"]


names = st.sampled_from(["a", "b", "*"])


@given(
    st.lists(st.fixed_dictionaries({part: st.lists(names) for part in ("verbs", "apiGroups", "resources")})),
    st.lists(st.tuples(*[st.sampled_from(["a", "b", "c"])] * 3), min_size=2, unique=True),
)
def test_a_right_is_granted_if_and_only_if_one_rule_has_all_of_it(rules, asked):
    needs = [Permission(verb, api, resource, "demo") for verb, api, resource in asked]
    granted = granted_by_rules(Server(*rules), needs)
    for need in needs:
        wanted = (need.verb, need.group, need.resource)
        lists = [(one["verbs"], one["apiGroups"], one["resources"]) for one in rules]
        assert (need in granted) == any(
            all("*" in there or name in there for name, there in zip(wanted, parts, strict=True)) for parts in lists
        )
