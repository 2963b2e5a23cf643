"""A browser's ways into a lane: cookie, links, hosts; which of them wins; and what `graylane links` prints."""

import json
import re

import pytest

from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.links import ways_into
from meshconfig.load import parse
from meshconfig.render import render
from meshconfig.render.ingress import ingress
from meshconfig.simulate import ANY_GATEWAY, Destination, DirectResponse, Failure, Index, Redirect, Request, simulate
from meshconfig.spec import LaneGroup

DOORS = 'cookie: lane\n      links: /.lane\n      laneHosts: "{lane}.shop.example.com"'
GROUP = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: zoo, namespace: demo}}
spec:
  lanes: {{prod: {{}}, gray: {{}}, blue: {{}}, hard: {{mode: strict}}}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {{prod: {{labels: {{v: prod}}}}, gray: {{labels: {{v: gray}}}}}}
      rules: [{{match: {{headers: {{x-team: cats}}}}, weights: {{gray: 1}}}}]
  entries:
    - hosts: [shop.example.com]
      {doors}
      {more}
      routes: [{{service: cat}}]
"""


def group(doors=DOORS, more="tag: trusted"):
    return groups(parse(GROUP.format(doors=doors, more=more), "f.yaml"))[0]


def outcome(found, *headers, host="shop.example.com", path="/"):
    index = Index(Resources.parse(render([found.model])))
    (share,) = simulate(index, Request(host, path, "GET", headers, gateway=ANY_GATEWAY)).shares
    return share.outcome


def lane(found, *headers, **where):
    """The version that answers, and the tag with which the request goes on."""
    sent = outcome(found, *headers, **where)
    if not isinstance(sent, Destination):
        return sent
    return sent.subset, dict(sent.headers).get("env")


COOKIE = ("cookie", "lane=gray")


@pytest.mark.parametrize(
    ("cookie", "answer"),
    [
        ("lane=gray", ("gray", "gray")),
        ("a=b; lane=gray; c=d", ("gray", "gray")),
        ("lane=blue", ("prod", "blue")),  # blue has no version of cat, and its tag goes on
        ("lane=prod", ("prod", "prod")),
        ("lane=gone", ("prod", None)),  # a lane that has gone is nobody's
        ("xlane=gray", ("prod", None)),
        ("lane=gray2", ("prod", None)),
        ("Lane=gray", ("prod", None)),
    ],
)
def test_a_cookie_with_the_name_of_a_lane_puts_a_browser_into_it(cookie, answer):
    assert lane(group(), ("cookie", cookie)) == answer


def test_the_host_wins_then_the_tag_then_the_cookie_then_an_admit_a_rule_and_the_split():
    found = group(more="admit: [{lane: prod, match: {headers: {x-qa: yes-please}}}]\n      split: {prod: 0, blue: 1}")
    everything = [("env", "blue"), COOKIE, ("x-qa", "yes-please"), ("x-team", "cats")]
    assert lane(found, *everything, host="gray.shop.example.com") == ("gray", "gray")
    assert lane(found, *everything) == ("prod", "blue")
    assert lane(found, *everything[1:]) == ("gray", "gray")
    assert lane(found, *everything[2:]) == ("prod", "prod")
    assert lane(found, *everything[3:]) == ("gray", None)
    assert lane(found) == ("prod", "blue")


def test_an_entry_that_trusts_no_tag_still_has_these_doors():
    found = group(more="tag: untrusted")
    assert lane(found, ("env", "gray")) == ("prod", "prod")
    assert lane(found, ("env", "blue"), COOKIE) == ("gray", "gray")
    assert lane(found, ("env", "blue"), host="gray.shop.example.com") == ("gray", "gray")


def test_a_strict_lane_without_a_version_refuses_at_each_door():
    found = group()
    for headers, host in (((("cookie", "lane=hard"),), "shop.example.com"), ((), "hard.shop.example.com")):
        answer = outcome(found, *headers, host=host)
        assert isinstance(answer, DirectResponse)
        assert answer.status == 503


@pytest.mark.parametrize("name", ["gray", "prod", "blue"])
def test_a_link_leads_to_the_first_page(name):
    for headers in ((), (("env", "blue"),), (COOKIE,)):
        answer = outcome(group(), *headers, path=f"/.lane/{name}")
        assert isinstance(answer, Redirect)
        assert (answer.status, answer.location) == (302, "http://shop.example.com/")


@pytest.mark.parametrize("path", ["/.lane", "/.lane/", "/.lane/grey", "/.lane/gray/x"])
def test_a_link_into_no_lane_says_which_there_are(path):
    answer = outcome(group(), path=path)
    assert isinstance(answer, DirectResponse)
    assert answer.status == 404
    assert "/.lane/blue, /.lane/gray, /.lane/hard, /.lane/prod" in answer.body


def test_a_path_that_only_begins_alike_is_no_link():
    assert lane(group(), path="/.lanes") == ("prod", None)


def cookies(found):
    routes = next(one for one in render([found.model]) if one["metadata"]["name"] == "shop-example-com"
                  and one["kind"] == "VirtualService")["spec"]["http"]  # fmt: skip
    return [one["headers"]["response"]["add"]["set-cookie"] for one in routes if "redirect" in one]


def test_the_cookie_is_the_browsers_until_it_closes_and_the_baselines_link_takes_it_away():
    plain = cookies(group())
    assert plain[1] == "lane=gray; Path=/; HttpOnly; SameSite=Lax"
    assert plain[3] == "lane=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    secure = cookies(group(more="gateway: {tls: {mode: SIMPLE, credentialName: shop}}"))
    assert secure == [f"{one}; Secure" for one in plain]


def test_the_gateway_and_an_ingress_serve_the_hosts_of_lanes():
    found = group()
    (entry,) = found.model.entries
    hosts = ["shop.example.com", "*.shop.example.com"]
    assert list(entry.own.served) == hosts
    assert [one["host"] for one in ingress(entry, found.model, "a/b")["spec"]["rules"]] == hosts
    text = GROUP.format(doors=DOORS, more="tag: trusted").replace("[shop.example.com]", '["*.example.com"]')
    (entry,) = groups(parse(text, "f.yaml"))[0].model.entries
    rules = {one["host"] for one in ingress(entry, found.model, "a/b")["spec"]["rules"]}
    assert {"*.example.com", "gray.shop.example.com"} <= rules, "a wildcard of an Ingress stands for one label"
    (entry,) = group(more="gateway: {use: istio-system/public}").model.entries
    lanes = [f"{one}.shop.example.com" for one in ("blue", "gray", "hard", "prod")]
    assert [one["host"] for one in ingress(entry, found.model, "a/b")["spec"]["rules"]] == [hosts[0], *lanes]


@pytest.mark.parametrize(
    ("doors", "said"),
    [
        ("links: /.lane", "spec.entries[0]: links needs cookie"),
        ("cookie: lane\n      links: /", "spec.entries[0].links: '/' is not allowed here: takes a path such as /.lane"),
        ("cookie: a=b", "spec.entries[0].cookie: 'a=b' is not allowed here: takes the name of a cookie"),
        ("cookie: ''", "spec.entries[0].cookie: '' is not allowed here"),
        (
            "laneHosts: shop.example.com",
            "spec.entries[0].laneHosts: 'shop.example.com' is not allowed here: takes a host",
        ),
        ("laneHosts: '{lane}'", "spec.entries[0].laneHosts: '{lane}' is not allowed here"),
        ("laneHosts: 'a.{lane}.com'", "spec.entries[0].laneHosts: 'a.{lane}.com' is not allowed here"),
        ("laneHosts: 'shop-{lane}-.com'", "lane blue would make the host shop-blue-.com"),
    ],
)
def test_what_is_no_door_is_told_by_file_and_line(doors, said):
    with pytest.raises(InputError) as error:
        group(doors)
    line = str(error.value).splitlines()[0]
    assert line.startswith("f.yaml:1")
    assert said in line


def test_a_lane_whose_name_is_no_part_of_a_host():
    text = GROUP.format(doors='laneHosts: "{lane}.example.com"', more="tag: trusted").replace("blue", "QA_1")
    with pytest.raises(
        InputError, match=r"lane QA_1 would make the host QA_1.example.com: a host has lower-case letters"
    ):
        groups(parse(text, "f.yaml"))


def test_a_lanes_host_is_not_another_entrys():
    text = GROUP.format(doors=DOORS, more="tag: trusted")
    text += "    - hosts: [gray.shop.example.com]\n      routes: [{service: cat}]\n"
    with pytest.raises(InputError, match=r"gray\.shop.example.com is a host of an entry already"):
        groups(parse(text, "f.yaml"))


def test_two_entries_have_no_lane_host_in_common():
    text = GROUP.format(doors=DOORS, more="tag: trusted")
    text += '    - hosts: [a.example.com]\n      laneHosts: "{lane}.shop.example.com"\n      routes: [{service: cat}]\n'
    with pytest.raises(InputError) as error:
        groups(parse(text, "f.yaml"))
    (line,) = str(error.value).splitlines()
    assert "spec.entries[1].laneHosts: blue.shop.example.com is the host of a lane at entries[0] already" in line
    stored = LaneGroup.model_validate(parse(text, "f.yaml")[0].value)
    assert compile_group(stored, stored=True).entries, "what an earlier version has applied can be taken away"


def served(found):
    return [tuple(one["spec"]["servers"][0]["hosts"]) for one in render([found.model]) if one["kind"] == "Gateway"]


def test_the_gateway_serves_all_lanes_hosts_before_there_is_a_lane():
    assert served(group()) == [("shop.example.com", "*.shop.example.com")]
    assert isinstance(outcome(group(), host="other.shop.example.com"), Failure)


@pytest.mark.parametrize("hosts", ["shop-{lane}.example.com", "{lane}.example.com"])
def test_a_wildcard_that_may_be_anothers_is_not_served(hosts):
    lanes = ("blue", "gray", "hard", "prod")
    wanted = ("shop.example.com", *(hosts.format(lane=lane) for lane in lanes))
    assert served(group(doors=f'laneHosts: "{hosts}"')) == [wanted]


@pytest.mark.parametrize("other", ["*.shop.example.com", "*.example.com", "*"])
def test_a_wildcard_of_another_entry_keeps_its_requests(other):
    text = GROUP.format(doors=DOORS, more="tag: trusted")
    text += f'    - hosts: ["{other}"]\n      routes: [{{service: cat}}]\n'
    (first, second) = served(groups(parse(text, "f.yaml"))[0])
    assert "*.shop.example.com" not in first
    assert "gray.shop.example.com" in first
    assert second == (other,)


def test_an_entrys_own_hosts_are_served_by_name():
    """With TLS another Gateway's `*.v1.shop.example.com` would be nearer than the wildcard."""
    text = GROUP.format(doors=DOORS, more="tag: trusted")
    text = text.replace("[shop.example.com]", "[a.v1.shop.example.com, shop.example.com]")
    (hosts,) = served(groups(parse(text, "f.yaml"))[0])
    assert hosts == ("a.v1.shop.example.com", "shop.example.com", "*.shop.example.com")


@pytest.mark.parametrize("own", ["*.shop.example.com", "*.example.com", "*"])
def test_lanes_under_a_wildcard_of_the_entry_are_not_listed_beside_it(own):
    """Istio would put the routes of the wildcard's VirtualService before those of the lane's."""
    text = GROUP.format(doors=DOORS, more="tag: trusted").replace("[shop.example.com]", f'["{own}"]')
    found = groups(parse(text, "f.yaml"))[0]
    assert served(found) == [(own,)]
    assert lane(found, ("env", "blue"), host="gray.shop.example.com") == ("gray", "gray")


@pytest.fixture
def spec(tmp_path):
    def write(doors=DOORS, more="tag: trusted"):
        file = tmp_path / "f.yaml"
        file.write_text(GROUP.format(doors=doors, more=more))
        return file

    return write


def test_links_prints_what_testers_need(graylane, spec):
    code, out, err = graylane("links", "-f", spec(), "--lane", "gray")
    assert (code, err) == (0, "")
    assert [line.split(maxsplit=1) for line in out.replace("  gray ", "").splitlines()[1:]] == [
        ["ask", "curl -H 'env: gray' http://shop.example.com/"],
        ["link", "http://shop.example.com/.lane/gray"],
        ["host", "http://gray.shop.example.com/"],
    ]


def test_links_of_an_entry_with_tls_that_trusts_no_tag(graylane, spec):
    more = "tag: untrusted\n      gateway: {port: 8443, tls: {mode: SIMPLE, credentialName: shop}}"
    (prod, gray) = [
        one for one in json.loads(graylane("links", "-f", spec("cookie: lane", more), "--output", "json")[1])
        if one["lane"] in ("prod", "gray")
    ]  # fmt: skip
    assert prod["curl"] == "curl https://shop.example.com:8443/"
    assert gray == {"host": "shop.example.com", "lane": "gray", "curl": None, "link": None, "address": None,
                    "profile": None}  # fmt: skip
    assert "no way" in graylane("links", "-f", spec("cookie: lane", more), "--lane", "gray")[1]


def test_a_profile_sends_the_tag_to_the_entrys_hosts_alone(graylane, spec):
    (profile,) = json.loads(graylane("links", "-f", spec(), "--lane", "gray", "--profile")[1])
    assert profile["headers"] == [{"enabled": True, "name": "env", "value": "gray"}]
    (where,) = profile["urlFilters"]
    assert re.search(where["urlRegex"], "https://shop.example.com/a?b")
    assert re.search(where["urlRegex"], "http://shop.example.com:8080/")
    assert not re.search(where["urlRegex"], "https://evil.com/?https://shop.example.com/")
    assert not re.search(where["urlRegex"], "https://shopxexample.com/")


def test_links_of_an_unknown_lane(graylane, spec):
    code, out, err = graylane("links", "-f", spec(), "--lane", "grey")
    assert (code, out) == (2, "")
    assert "--lane: there is no lane grey; did you mean gray?" in err


TWO_ENTRIES = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: zoo, namespace: demo}
spec:
  lanes: {prod: {}, gray: {}}
  services:
    cat: {host: cat-svc, port: 9001, calls: [mouse, cat], versions: {prod: {labels: {v: prod}}}}
    mouse: {host: mouse-svc, port: 9001, calls: [cat], versions: {prod: {labels: {v: prod}}}}
    dog: {host: dog-svc, port: 9001, versions: {prod: {labels: {v: prod}}}}
  entries:
    - {hosts: [dog.example.com], routes: [{service: dog}]}
    - {hosts: [cat.example.com], routes: [{service: cat}]}
"""


@pytest.mark.parametrize(
    ("services", "first"),
    [(["dog"], "dog"), (["cat"], "cat"), (["mouse"], "cat"), (["dog", "mouse"], "dog"), (["bird"], "dog"), ([], "dog")],
)
def test_the_first_way_into_a_lane_is_at_an_entry_before_its_services(services, first):
    spec = groups(parse(TWO_ENTRIES, "f.yaml"))[0].spec
    found = ways_into(spec, "gray", services)
    assert {one.lane for one in found} == {"gray"}
    assert len(found) == 2
    assert found[0].host == f"{first}.example.com"
