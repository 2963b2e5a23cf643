"""GL601 to GL612, GL615, GL620 and GL621: rules about specs, which name the spec's field and line."""

from pathlib import Path

import pytest

from meshconfig.lint import Level

ROOT = Path(__file__).parents[3]
CAT = "cat: {host: cat, port: 9001, versions: {prod: {labels: {env: prod}}, gray: {labels: {env: gray}}}%s}"


def spec(entry="", lanes="gray: {}", service="", more=""):
    head = "apiVersion: graylane/v1\nkind: LaneGroup\nmetadata: {name: pets, namespace: demo}\nspec:\n"
    text = f"{head}  lanes:\n    prod: {{}}\n    {lanes}\n  services:\n    {CAT % service}\n{more}"
    route = "      routes: [{path: {prefix: /}, service: cat}]\n"
    return text + (f"  entries:\n    - hosts: [cat.example.com]\n{entry}{route}" if entry else "")


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("      tag: untrusted\n", ["GL601"]),
        ("      tag: trusted\n", []),
        ("      tag: untrusted\n      split: {gray: 0, prod: 1}\n", ["GL601"]),
        ("      tag: untrusted\n      split: {gray: 1, prod: 9}\n", []),
        ("      tag: untrusted\n      admit: [{lane: prod, match: {method: GET}}]\n", ["GL601"]),
        ("      tag: untrusted\n      admit: [{lane: gray, match: {method: GET}}]\n", []),
        ("", []),
    ],
)
def test_gl601_a_lane_is_entered_by_its_tag_an_admit_or_a_share(codes, entry, found):
    assert codes(spec(entry)) == found


def test_gl602_a_lane_of_mapped_versions_has_versions(codes):
    assert codes(spec(lanes="blue: {versions: {cat: gray}}")) == []
    assert codes(spec(lanes="blue: {}")) == ["GL602"]


def test_gl603_names_the_services_that_refuse(findings):
    dog = "    dog: {host: dog, port: 9001, versions: {prod: {labels: {env: prod}}}}\n"
    (finding,) = findings(spec(lanes="gray: {mode: strict}", more=dog))
    assert (finding.code, finding.path, finding.location.line) == ("GL603", "spec.lanes.gray.mode", 7)
    assert "no version of dog" in finding.message
    assert findings(spec(lanes="gray: {mode: strict}")) == []


ANY = """\
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [%s]}]
"""


@pytest.mark.parametrize(("host", "found"), [("'*'", ["GL604"]), ("'*/*'", ["GL604"]), ("'*.example.com'", [])])
def test_gl604_reads_the_gateway_that_the_entry_uses(codes, host, found):
    used = spec("      gateway: {use: istio-system/front}\n")
    assert codes(used) == []
    assert codes(used + ANY % host) == found
    assert codes(used.replace("gateway:", "tag: trusted\n      gateway:") + ANY % host) == []


def test_gl604_is_no_matter_without_a_second_lane(codes):
    text = spec("      tag: trusted\n", lanes="").replace("      tag: trusted\n", "").replace("cat.example.com", "'*'")
    assert codes(text) == []
    assert codes(text.replace("prod: {}\n", "prod: {}\n    gray: {}\n")) == ["GL604"]


def fleet(cat="both", mouse="both", tag="", entry="", calls="[mouse]"):
    """An entry to cat, which calls mouse, which calls dog."""
    one = "{{host: {0}, port: 9001, calls: {1}, carries: {2}, versions: {{prod: {{labels: {{env: prod}}}}}}}}"
    return f"""\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: pets, namespace: demo}}
spec:
  tag: {{{tag}}}
  lanes: {{prod: {{}}, gray: {{versions: {{cat: prod}}}}}}
  services:
    cat: {one.format("cat", calls, cat)}
    mouse: {one.format("mouse", "[dog]" if calls != "[]" else calls, mouse)}
    dog: {one.format("dog", "[]", "both")}
  entries:
    - hosts: [cat.example.com]
      {entry}
      routes: [{{path: {{prefix: /}}, service: cat}}]
"""


@pytest.mark.parametrize(
    ("given", "service", "says"),
    [
        ({"cat": "baggage"}, "cat", "set tag.baggage: true"),
        ({"cat": "baggage", "tag": "baggage: true"}, None, None),
        ({"mouse": "baggage"}, "mouse", "set tag.baggage: true"),
        ({"cat": "header", "mouse": "baggage", "tag": "baggage: true"}, "mouse", "env alone reaches it"),
        ({"cat": "baggage", "mouse": "header", "tag": "baggage: true"}, "mouse", "have its caller send env"),
        ({"cat": "header", "mouse": "header"}, None, None),
        ({"cat": "none"}, "cat", "it carries neither env nor baggage"),
        ({"mouse": "none", "calls": "[]"}, "mouse", "it carries neither env nor baggage"),
        ({"cat": "baggage", "tag": "baggage: true", "entry": "baggage: keep"}, "cat", "an entry: baggage: replace"),
    ],
)
def test_gl605_names_the_service_that_loses_the_tag_and_what_to_set(findings, given, service, says):
    found = [(one.path, one.message) for one in findings(fleet(**given)) if one.code == "GL605"]
    if service is None:
        assert found == []
        return
    assert any(path == f"spec.services.{service}.carries" and says in message for path, message in found)


def test_gl605_is_no_matter_for_a_service_that_calls_nobody(codes):
    assert codes(fleet().replace("calls: [], carries: both", "calls: [], carries: none")) == []


@pytest.mark.parametrize(
    ("carries", "lost"),
    [
        (("both", "both", "both"), set()),
        (("baggage", "both", "both"), {"a"}),
        (("both", "baggage", "none"), {"b", "c"}),
        (("header", "both", "baggage"), {"a", "c"}),  # what c sends is in baggage, and a reads the header
    ],
)
def test_gl605_where_nobody_says_whom_it_calls_each_may_call_each_other(findings, carries, lost):
    one = "    {0}: {{host: {0}, port: 80, carries: {1}, versions: {{prod: {{labels: {{env: prod}}}}}}}}\n"
    services = "".join(one.format(name, how) for name, how in zip("abc", carries, strict=True))
    text = "apiVersion: graylane/v1\nkind: LaneGroup\nmetadata: {name: pets, namespace: demo}\nspec:\n"
    text += f"  lanes: {{prod: {{}}, gray: {{versions: {{a: prod}}}}}}\n  services:\n{services}"
    found = {one.path.split(".")[2] for one in findings(text) if one.code == "GL605"}
    assert found == lost


def test_gl606_says_what_keeping_costs_and_whom(findings):
    found = [one for one in findings(fleet(entry="baggage: keep")) if one.code == "GL606"]
    assert [(one.path, one.level) for one in found] == [("spec.entries[0].baggage", Level.INFO)]
    assert "this doubles 3 routes" in found[0].message
    assert found[0].message.endswith("sees no lane")
    (named,) = [one for one in findings(fleet(cat="baggage", entry="baggage: keep")) if one.code == "GL606"]
    assert named.message.endswith("sees no lane: cat")
    assert [one for one in findings(fleet(entry="baggage: replace")) if one.code == "GL606"] == []


def circle(**calls):
    one = "    {0}: {{host: {0}, port: 80, calls: [{1}], versions: {{prod: {{labels: {{env: prod}}}}}}}}\n"
    services = "".join(one.format(name, ", ".join(callees)) for name, callees in calls.items())
    head = "apiVersion: graylane/v1\nkind: LaneGroup\nmetadata: {name: pets, namespace: demo}\nspec:\n"
    return f"{head}  lanes: {{prod: {{}}}}\n  services:\n{services}"


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ({"a": "b", "b": "a"}, ["b → a → b"]),
        ({"a": "b", "b": "c", "c": "b"}, ["c → b → c"]),
        ({"a": "b", "b": "c", "c": "ab"}, ["c → a → b → c", "c → b → c"]),
        ({"a": "bc", "b": "d", "c": "d", "d": ""}, []),  # two ways, no circle
        ({"a": "b", "b": ""}, []),
    ],
)
def test_gl607_a_circle_of_calls_is_told_with_the_services_on_it(findings, calls, told):
    found = [one for one in findings(circle(**calls)) if one.code == "GL607"]
    assert sorted(one.message for one in found) == [f"these calls lead in a circle: {text}" for text in told]
    assert all(one.path == f"spec.services.{one.message.split(' ')[-1]}.calls" for one in found)
    assert {one.level for one in found} <= {Level.INFO}


def test_gl607_a_long_way_is_no_circle_and_no_traceback(codes):
    chain = {f"s{number}": [f"s{number + 1}"] for number in range(1200)} | {"s1200": []}
    assert "GL607" not in codes(circle(**chain))


ROLLOUT = """\
---
apiVersion: graylane/v1
kind: Rollout
metadata: {name: cat-gray, namespace: %s}
spec: {group: %s, services: {cat: {from: prod, to: gray}}, steps: [{weight: 10}, {pause: {}}]}
"""


@pytest.mark.parametrize(
    ("namespace", "group", "found"),
    [("demo", "pets", []), ("demo", "petz", ["GL608"]), ("demo", "shop", ["GL608"]), ("other", "petz", [])],
)
def test_gl608_a_rollout_s_group_is_among_those_of_its_namespace(findings, namespace, group, found):
    text = ROLLOUT % (namespace, group)
    given = [one for one in findings(spec() + text) if one.code == "GL608"]
    assert [one.code for one in given] == found
    assert all(one.resource == "Rollout demo/cat-gray" and one.path == "spec.group" for one in given)
    assert findings(text.removeprefix("---\n")) == []  # the groups are in other files


LANE = """\
---
apiVersion: graylane.dev/v1
kind: Lane
metadata: {name: pr-42, namespace: %s}
spec: {group: %s, versions: {cat: {from: prod, image: "cat:pr-42"}}}
"""


@pytest.mark.parametrize(
    ("namespace", "group", "found"), [("demo", "pets", []), ("demo", "petz", ["GL608"]), ("other", "petz", [])]
)
def test_gl608_a_lane_s_group_is_among_those_of_its_namespace(findings, namespace, group, found):
    text = LANE % (namespace, group)
    given = [one for one in findings(spec() + text) if one.code == "GL608"]
    assert [one.code for one in given] == found
    assert all(one.resource == "Lane demo/pr-42" and one.path == "spec.group" for one in given)
    assert findings(text.removeprefix("---\n")) == []  # the groups are in other files


NAMED = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: %s, namespace: demo}
spec:
  lanes: {prod: {}}
  services:
    %s
%s---
"""
ENTRY = "  entries: [{hosts: [%s], tag: trusted, routes: [{path: {prefix: /}, service: %s}]}]\n"


def versions(**workloads):
    """A service's versions, each with its workload, which may have an autoscaler: `prod="cat-dp+"`."""
    each = [f"{name.replace('_', '-')}: {{labels: {{v: {name}}}{_workload(of)}}}" for name, of in workloads.items()]
    return f"port: 80, versions: {{{', '.join(each)}}}"


def _workload(of):
    name = of.removesuffix("+")
    return f", workload: {name}" * bool(name) + ", autoscale: {min: 1, max: 2}" * of.endswith("+")


@pytest.mark.parametrize(
    ("cat", "kid", "found"),
    [
        (versions(prod="", a_b=""), versions(prod="", b=""), ["spec.services.cat-a.versions.b"]),
        (versions(prod="", a_b=""), versions(prod="", b="other"), []),
        # One Deployment may serve two Services, where its name is given.
        (versions(prod="one"), versions(prod="one"), []),
        (versions(prod="one+"), versions(prod="one"), []),
        (versions(prod="one+"), versions(prod="one+"), ["spec.services.cat-a.versions.prod"]),
        (versions(prod="", a_prod="+"), versions(prod="+"), ["spec.services.cat-a.versions.prod"] * 2),
    ],
)
def test_gl609_derived_names_that_meet(findings, cat, kid, found):
    text = NAMED % ("pets", f"cat: {{host: cat, {cat}}}\n    cat-a: {{host: kid, {kid}}}", "")
    assert [one.path for one in findings(text) if one.code == "GL609"] == found


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("cat.example.com", "cat-example.com", ["entry cat.example.com of group demo/pets"]),
        ("cat.example.com", "dog.example.com", []),
        ("dog", "cat.example.com", ["entry dog of group demo/pets"]),  # as the Service of the other group
    ],
)
def test_gl609_resources_of_two_groups_that_meet(findings, first, second, found):
    cat, dog = (f"{name}: {{host: {name}, {versions(prod='')}}}" for name in ("cat", "dog"))
    text = NAMED % ("pets", cat, ENTRY % (first, "cat")) + NAMED % ("zoo", dog, ENTRY % (second, "dog"))
    given = [one for one in findings(text) if one.code == "GL609"]
    assert [one.resource for one in given] == ["LaneGroup demo/zoo"] * len(found)
    assert [one.message.partition("which ")[2].removesuffix(" has too") for one in given] == found


def test_gl609_hosts_of_lanes_that_meet(findings):
    cat, dog = (f"{name}: {{host: {name}, {versions(prod='')}}}" for name in ("cat", "dog"))
    lanes = (ENTRY % ("cat.example.com", "cat")).replace(
        "tag: trusted", "tag: trusted, laneHosts: '{lane}.example.com'"
    )
    text = NAMED % ("pets", cat, lanes) + NAMED % ("zoo", dog, ENTRY % ("prod-example.com", "dog"))
    (one,) = [one for one in findings(text) if one.code == "GL609"]
    assert one.message == (
        "its VirtualService is demo/prod-example-com, which entry cat.example.com of group demo/pets has too"
    )


def test_gl610_a_mirrored_version_that_calls_others(findings):
    dog = "    dog: {host: dog, port: 9001, versions: {prod: {labels: {env: prod}}}}\n"
    (finding,) = findings(spec(service=", calls: [dog], mirror: {version: gray}", more=dog))
    assert (finding.code, finding.path, finding.location.line) == ("GL610", "spec.services.cat.mirror", 9)
    assert "calls dog for each" in finding.message
    assert findings(spec(service=", mirror: {version: gray}", more=dog)) == []


@pytest.mark.parametrize(
    ("entry", "service", "path"),
    [
        ("      split: {gray: 1, prod: 9}\n", "mirror: {version: gray}", "spec.entries[0].split"),
        ("      split: {gray: 0, prod: 9}\n", "mirror: {version: gray}", None),
        ("      split: {gray: 1, prod: 9}\n", "calls: []", None),
        ("", "mirror: {version: prod}", "spec.services.cat.mirror.version"),
        ("", "mirror: {version: gray}, weights: {gray: 1}", "spec.services.cat.mirror.version"),
        ("", "mirror: {version: gray}, weights: {gray: 0, prod: 1}", None),
        ("", "mirror: {version: gray}, weights: {gray: 1, prod: 1}", None),
    ],
)
def test_gl611_a_mirror_that_gets_nothing(findings, entry, service, path):
    found = [
        one for one in findings(spec(entry or "      tag: trusted\n", service=f", {service}")) if one.code != "GL211"
    ]
    assert [(one.code, one.path) for one in found] == ([("GL611", path)] if path else [])


def test_gl612_a_door_of_an_entry_that_trusts_no_tag(findings):
    doors = "      cookie: lane\n      laneHosts: '{lane}.cat.example.com'\n"
    found = findings(spec("      tag: untrusted\n" + doors))
    assert [(one.code, one.path) for one in found] == [
        ("GL612", "spec.entries[0].cookie"),
        ("GL612", "spec.entries[0].laneHosts"),
    ]
    assert findings(spec("      tag: trusted\n" + doors)) == []


def test_gl401_a_wildcard_of_lanes_hosts_is_told_at_their_field(findings):
    own = spec("      laneHosts: '{lane}.cat.example.com'\n")
    server = "{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.cat.example.com']}"
    gateway = f"""---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: platform, namespace: infra}}
spec: {{selector: {{istio: ingressgateway}}, servers: [{server}]}}
"""
    (found, _) = (one for one in findings(own + gateway) if one.code == "GL401")
    assert found.path == "spec.entries[0].laneHosts"


def test_gl612_the_cookie_of_a_bucket_chooses_a_lane_too_where_there_is_a_split(codes):
    sticky, split = "      sticky: {}\n", "      split: {prod: 90, gray: 10}\n"
    assert codes(spec("      tag: untrusted\n" + sticky + split)) == ["GL612"]
    assert codes(spec("      tag: trusted\n" + sticky + split)) == []


@pytest.mark.parametrize(
    ("split", "buckets", "said"),
    [
        ("{prod: 95, gray: 5}", 100, None),
        ("{prod: 1, gray: 1}", 2, None),
        ("{prod: 0, gray: 1}", 7, None),
        ("{prod: 95, gray: 5}", 20, None),
        (
            "{prod: 95, gray: 5}",
            10,
            "prod has 9 of 10 buckets, 90 % in place of 95 %; gray has 1 of 10 buckets, 10 % in place of 5 %",
        ),
        ("{prod: 7, gray: 1}", 100, "gray has 13 of 100 buckets, 13 % in place of 12.5 %"),
        ("{prod: 1, gray: 999}", 100, "prod has none of 100 buckets, 0 % in place of 0.1 %; gray has 100 of"),
    ],
)
def test_gl620_says_what_a_share_is_rounded_to(split, buckets, said, findings):
    found = findings(spec(f"      split: {split}\n      sticky: {{buckets: {buckets}}}\n"))
    assert [one.code for one in found] == ["GL620"] * (said is not None)
    assert all(said in one.message and one.path == "spec.entries[0].split" for one in found)


def test_gl620_of_a_service_s_weights(findings):
    text = spec("      sticky: {buckets: 4}\n", service=", weights: {v1: 1, v2: 9}").replace(
        "gray: {labels", "v2: {labels"
    )
    found = findings(text.replace("prod: {labels", "v1: {labels"))
    (one,) = [one for one in found if one.code == "GL620"]
    assert one.path == "spec.entries[0].routes[0].service"
    assert "of the versions of cat, v1 has none of 4 buckets, 0 % in place of 10 %; v2 has 4" in one.message


@pytest.mark.parametrize(
    ("hosts", "sticky", "hits"),
    [
        ("[a.example.com, b.example.com]", "{}", 1),
        ("[a.example.com, b.example.com]", "{domain: example.com}", 0),
        ("[shop.example.com, www.shop.example.com]", "{}", 0),
        ("['*.example.com']", "{}", 1),
        ("['*.example.com', example.com]", "{}", 0),
        ("['*.example.com']", "{domain: example.com}", 0),
    ],
)
def test_gl621_hosts_that_do_not_share_a_cookie(hosts, sticky, hits, codes):
    text = spec(f"      split: {{prod: 90, gray: 10}}\n      sticky: {sticky}\n")
    assert codes(text.replace("[cat.example.com]", hosts)) == ["GL621"] * hits
    idle = spec(f"      sticky: {sticky}\n").replace("[cat.example.com]", hosts)
    assert codes(idle) == []


@pytest.mark.parametrize(
    ("weights", "lanes", "message"),
    [
        (
            "{gray: 5}",
            "gray: {}",
            "every untagged request goes to gray: weights are relative to each other; write "
            "{gray: 5, prod: 95}, or gray: 100 if it is to get all",
        ),
        ("{gray: 99}", "gray: {}", "write {gray: 99, prod: 1}, or"),
        ("{gray: 20, red: 0}", "gray: {}", "write {gray: 20, red: 0, prod: 80}, or"),
        (
            "{red: 30}",
            "gray: {versions: {cat: red}}",
            "goes to red: weights are relative to each other; write {red: 30, ",
        ),
        ("{gray: 1}", "gray: {}", None),
        ("{gray: 100}", "gray: {}", None),
        ("{gray: 5, prod: 0}", "gray: {}", None),
        ("{gray: 5, prod: 95}", "gray: {}", None),
        ("{prod: 5}", "gray: {}", None),
        ("{gray: 5, red: 5}", "gray: {}", None),
    ],
)
def test_gl615_a_weight_that_stands_alone(findings, weights, lanes, message):
    text = spec(lanes=lanes, service=f", weights: {weights}").replace(
        "prod: {labels", "red: {labels: {env: red}}, prod: {labels"
    )
    found = [
        one for one in findings(text) if one.path == "spec.services.cat.weights" and one.code in ("GL211", "GL615")
    ]
    if message is None:
        assert "GL615" not in [one.code for one in found]
    else:
        assert [one.code for one in found] == ["GL615"]  # GL211 would say less of the same
        assert message in found[0].message


def test_gl615_there_is_no_other_version(codes):
    alone = spec(service=", weights: {prod: 5}").replace(", gray: {labels: {env: gray}}", "")
    assert "GL615" not in codes(alone)
