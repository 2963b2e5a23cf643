"""What a person gets wrong: one line that names the file, the line, the field and what to do."""

import textwrap

import pytest

from meshconfig.errors import InputError
from meshconfig.groups import groups, read
from meshconfig.load import parse

SPEC = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {name: pets, namespace: demo}
spec:
  tag: {header: env, default: prod}
  lanes:
    prod: {}
    gray: {}
  services:
    cat:
      host: cat-svc
      port: 9001
      calls: [mouse]
      versions:
        prod: {labels: {env: prod}}
        gray: {labels: {env: gray}}
    mouse: {host: mouse-svc, port: 9001, versions: {prod: {labels: {env: prod}}}}
  entries:
    - hosts: [cat.example.com]
      routes:
        - {path: {prefix: /}, service: cat}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        groups(parse(text, "graylane.yaml"))
    return str(caught.value).splitlines()


def test_the_spec_itself_is_right():
    assert groups(parse(SPEC, "graylane.yaml"))


def test_a_baseline_that_is_no_lane_is_told_beside_a_lane_that_falls_back_at_run_time():
    text = SPEC.replace("    prod: {}\n    gray: {}\n", "    gray: {fallback: runtime}\n")
    assert any("tag.default: there is no lane prod" in line for line in problems(text))


@pytest.mark.parametrize("split", ["{gray: 5, prod: 95}", "{gray: 100, prod: 0}", "{prod: 5}"])
def test_a_split_that_names_the_baseline_is_right(split: str):
    assert groups(parse(SPEC.replace("routes:", f"split: {split}\n      routes:"), "graylane.yaml"))


@pytest.mark.parametrize(
    ("split", "said"), [("{gray: 0}", "at least one weight"), ("{grey: 5}", "there is no lane grey; did you mean")]
)
def test_a_split_with_another_mistake_has_that_mistake_alone(split: str, said: str):
    (problem,) = problems(SPEC.replace("routes:", f"split: {split}\n      routes:"))
    assert said in problem


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("port: 9001\n", "prot: 9001\n", "12: spec.services.cat.prot: unknown field; did you mean port?"),
        (
            "calls: [mouse]",
            "calls: [mose]",
            "13: spec.services.cat.calls[0]: there is no service mose; did you mean mouse?",
        ),
        ("port: 9001\n", 'port: "9001"\n', "12: spec.services.cat.port: takes a whole number, not '9001'"),
        ("port: 9001\n", "port: 99999\n", "12: spec.services.cat.port: should be less than or equal to 65535"),
        (
            "{env: gray}",
            "{env: no}",
            "16: spec.services.cat.versions.gray.labels.env: takes a string, not false; quote it",
        ),
        ("default: prod", "default: prud", "5: spec.tag.default: there is no lane prud; did you mean prod?"),
        ("gray: {}", "gray: {mode: strickt}", "8: spec.lanes.gray.mode: takes 'permissive' or 'strict', not 'strickt'"),
        (
            "gray: {}",
            "gray: {versions: {cot: gray}}",
            "8: spec.lanes.gray.versions.cot: there is no service cot; did you mean cat?",
        ),
        (
            "gray: {}",
            "gray: {versions: {cat: v2}}",
            "8: spec.lanes.gray.versions.cat: there is no version of cat v2; there is gray, prod",
        ),
        ("gray: {}", "gray.1: {}", "8: spec.lanes[\"gray.1\"]: 'gray.1' is not allowed here"),
        (
            "service: cat}",
            "service: cart}",
            "21: spec.entries[0].routes[0].service: there is no service cart; did you mean cat?",
        ),
        ("{prefix: /}", "{prefix: x}", "21: spec.entries[0].routes[0].path.prefix: 'x' is not allowed here"),
        (
            "{prefix: /}",
            "{prefix: /, exact: /}",
            "21: spec.entries[0].routes[0].path: takes exactly one of exact, prefix, regex",
        ),
        (
            "{prefix: /}",
            "{regex: '(?=x)'}",
            "21: spec.entries[0].routes[0].path: not a regular expression that Envoy (RE2) takes",
        ),
        ("kind: LaneGroup", "kind:", "2: kind: this field is required: Lane or LaneGroup or LocalMesh or Rollout"),
        ("kind: LaneGroup", "kind: LaneGruop", "2: kind: unknown kind LaneGruop; did you mean LaneGroup?"),
        (
            "apiVersion: graylane/v1",
            "apiVersion: v2",
            "1: apiVersion: takes 'graylane.dev/v1' or 'graylane/v1', not 'v2'",
        ),
        ("      host: cat-svc\n", "", "10: spec.services.cat.host: this field is required"),
        ("host: mouse-svc", "host: cat-svc", "17: spec.services.mouse.host: service cat has this host already"),
        ("[cat.example.com]", "[]", "19: spec.entries[0].hosts: "),
        (
            "        prod: {labels: {env: prod}}\n",
            "",
            "10: spec.services.cat: untagged requests have no version: give default or weights",
        ),
        (
            "port: 9001\n",
            "port: 9001\n      weights: {prod: 0}\n",
            "13: spec.services.cat.weights: at least one weight has to be above 0",
        ),
        (
            "port: 9001\n",
            "port: 9001\n      weights: {prd: 1}\n",
            "13: spec.services.cat.weights.prd: there is no version of cat prd",
        ),
        (
            "port: 9001\n",
            "port: 9001\n      policy: {timeOut: 2s}\n",
            "13: spec.services.cat.policy.timeOut: unknown field; did you mean timeout?",
        ),
        (
            "port: 9001\n",
            "port: 9001\n      policy: {timeout: 2}\n",
            "13: spec.services.cat.policy.timeout: takes a duration such as 30s, 5m or 1h30m, not 2",
        ),
        (
            "port: 9001\n",
            "port: 9001\n      trafficPolicy: {loadBalancer: {simple: ROUNDROBIN}}\n",
            "13: spec.services.cat.trafficPolicy.loadBalancer.simple: takes ",
        ),
        (
            "routes:",
            "split: {grey: 1}\n      routes:",
            "20: spec.entries[0].split.grey: there is no lane grey; did you mean gray?",
        ),
        (
            "routes:",
            "split: {gray: 5}\n      routes:",
            "20: spec.entries[0].split: gives prod no share, so every untagged request would go to gray: weights are "
            "relative to each other; write {gray: 5, prod: 95}, or prod: 0 if gray is to get all",
        ),
        (
            "routes:",
            "split: {gray: 100}\n      routes:",
            "20: spec.entries[0].split: gives prod no share, so every untagged request would go to gray: weights are "
            "relative to each other; write {gray: 100, prod: 0}",
        ),
        (
            "routes:",
            "admit: [{lane: gray, match: {}}]\n      routes:",
            "20: spec.entries[0].admit[0].match: takes at least one of",
        ),
        (
            "routes:",
            "admit: [{lane: gray, match: {headers: {a: {}}}}]\n      routes:",
            "20: spec.entries[0].admit[0].match.headers.a: takes exactly one of",
        ),
        (
            "routes:",
            "gateway: {use: a/b, port: 80}\n      routes:",
            "20: spec.entries[0].gateway: use names a Gateway that exists",
        ),
        (
            "      port: 9001\n",
            "      port: 9001\n      port: 9002\n",
            "13: spec.services.cat.port: this key is given twice",
        ),
        ("calls: [mouse]", "calls: mouse", "13: spec.services.cat.calls: takes a list, not 'mouse'"),
        ("header: env", "header: Cookie", "5: spec.tag.header: cookie has a meaning of its own"),
        ("{prefix: /}", "{exact: '/a?b'}", "21: spec.entries[0].routes[0].path.exact: '/a?b' is not allowed here"),
        ("port: 9001\n", "port: 9001\n      policy: {fault: {abort: {}}}\n", "takes one of httpStatus, grpcStatus"),
        (
            "port: 9001\n",
            "port: 9001\n      trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}\n",
            "13: spec.services.cat.trafficPolicy.loadBalancer: takes one of simple, consistentHash",
        ),
        ("lanes:\n", "lanes: [\n", "not YAML"),
        (
            "routes:",
            "admit: [{lane: gray, match: {headers: {}, cookies: {}}}]\n      routes:",
            "20: spec.entries[0].admit[0].match: takes at least one of",
        ),
        (
            "routes:",
            "admit: [{lane: gray, match: {query: {'': x}}}]\n      routes:",
            "20: spec.entries[0].admit[0].match.query",
        ),
        (
            "routes:",
            "gateway: {port: 80, tls: {mode: SIMPLE, credentialName: c, httpsRedirect: true}}\n      routes:",
            "20: spec.entries[0].gateway: httpsRedirect listens on port 80: give TLS another port",
        ),
        ("port: 9001\n", "port: !!int x\n", "12: spec.services.cat.port: 'x' is no int"),
        ("port: 9001\n", f"port: {'9' * 5000}\n", "12: spec.services.cat.port: 999"),
        ("cat-svc", "cat\0svc", "11: not YAML: a control character, #x0000"),
        ("port: 9001\n", f"port: {'[' * 2000}{']' * 2000}\n", "12: nested too deeply"),
        (
            "port: 9001\n",
            "port: 9001\n      traffic_policy: {}\n",
            "13: spec.services.cat.traffic_policy: unknown field; did you mean trafficPolicy?",
        ),
        (
            "{env: gray}",
            "{env: two words}",
            "16: spec.services.cat.versions.gray.labels.env: 'two words' is not allowed",
        ),
        (
            "{labels: {env: gray}}",
            "{labels: {env: gray}, workload: ../../x}",
            "16: spec.services.cat.versions.gray.workload: '../../x' is not allowed",
        ),
        (
            "cat.example.com",
            ".".join(["a" * 60] * 5),
            "19: spec.entries[0].hosts[0]: String should have at most 253 characters",
        ),
        (
            "cat.example.com",
            "mouse-svc",
            "19: spec.entries[0].hosts: its VirtualService would be called mouse-svc, as service mouse's",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(was, becomes, said):
    assert was in SPEC
    (line,) = problems(SPEC.replace(was, becomes, 1))
    assert line.startswith("graylane.yaml:")
    assert said in line


def test_every_mistake_is_told_at_once():
    lines = problems(SPEC.replace("port: 9001\n", "prot: 9001\n").replace("gray: {}", "gray: {mode: x}"))
    assert [line.split(":")[1] for line in lines] == ["8", "12"]


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.yaml: no such file"):
        read([str(tmp_path / "nowhere.yaml")])


def test_a_directory_of_files_is_one_group(tmp_path):
    head, services = SPEC.split("  services:\n")
    (tmp_path / "a.yaml").write_text(head)
    (tmp_path / "b.yaml").write_text(
        textwrap.dedent("""\
        apiVersion: graylane/v1
        kind: LaneGroup
        metadata: {name: pets, namespace: demo}
        spec:
          services:
        """)
        + services
    )
    (together,) = read([str(tmp_path)])
    (alone,) = groups(parse(SPEC, "graylane.yaml"))
    assert together.spec == alone.spec


def test_a_mistake_in_the_second_file_is_told_there(tmp_path):
    (tmp_path / "a.yaml").write_text(SPEC)
    head = SPEC.split("  tag:")[0]
    (tmp_path / "b.yaml").write_text(
        f"{head}  entries:\n  - hosts: [b.example.com]\n    routes: [{{path: /, service: dog}}]\n"
    )
    with pytest.raises(InputError) as caught:
        read([str(tmp_path)])
    assert f"{tmp_path}/b.yaml:7: spec.entries[1].routes[0].service: there is no service dog" in str(caught.value)


def test_a_field_of_the_second_file_is_told_there(tmp_path):
    (tmp_path / "a.yaml").write_text(SPEC)
    head = SPEC.split("  tag:")[0]
    entries = "  entries:\n  - hosts: [b.example.com]\n    routes: [{path: /, service: cat, methud: GET}]\n"
    (tmp_path / "b.yaml").write_text(head + entries)
    with pytest.raises(InputError) as caught:
        read([str(tmp_path)])
    assert str(caught.value).startswith(f"{tmp_path}/b.yaml:7: spec.entries[1].routes[0].methud: unknown field")


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        (
            "graylane/v1",
            "graylane/v2",
            "b.yaml:1: apiVersion: takes 'graylane.dev/v1' or 'graylane/v1', not 'graylane/v2'",
        ),
        ("namespace: demo", "namespace: demo, nmae: x", "b.yaml:3: metadata.nmae: unknown field; did you mean name?"),
        ("spec:", "more: 1\nspec:", "b.yaml:4: more: unknown field"),
    ],
)
def test_the_head_of_the_second_file_is_checked_too(tmp_path, was, becomes, said):
    (tmp_path / "a.yaml").write_text(SPEC)
    (tmp_path / "b.yaml").write_text(SPEC.split("  tag:")[0].replace(was, becomes) + "  entries: []\n")
    with pytest.raises(InputError) as caught:
        read([str(tmp_path)])
    assert said in str(caught.value)


def test_a_file_named_twice_or_by_a_link_is_read_once(tmp_path):
    file, link = tmp_path / "a.yaml", tmp_path / "b.yaml"
    file.write_text(SPEC)
    link.symlink_to(file)
    (group,) = read([str(file), str(tmp_path), str(link), str(file)])
    assert len(group.spec.spec.entries) == 1


def test_an_equals_sign_is_a_string_as_kubernetes_reads_it():
    (group,) = groups(
        parse(
            SPEC.replace("service: cat}", "service: cat}\n      admit: [{lane: gray, match: {headers: {x: =}}}]"),
            "graylane.yaml",
        )
    )
    assert group.spec.spec.entries[0].admit[0].match.headers["x"].exact == "="


def test_two_files_that_disagree_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text(SPEC)
    (tmp_path / "b.yaml").write_text(SPEC.replace("cat-svc", "kitten-svc").split("  entries:")[0])
    with pytest.raises(
        InputError, match=r"b\.yaml:10: spec\.services\.cat: another file of this group has another value"
    ):
        read([str(tmp_path)])
