"""A sticky split: whose each bucket is, how shares move buckets, and what a request with any cookie gets."""

import re
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from meshconfig.compile.buckets import ends, numbers, owners
from meshconfig.draws import draws, runs
from meshconfig.errors import InputError
from meshconfig.groups import groups
from meshconfig.istio import Resources
from meshconfig.load import parse
from meshconfig.render import render
from meshconfig.simulate import ANY_GATEWAY, Destination, Index, Request, simulate

GROUP = """\
apiVersion: graylane/v1
kind: LaneGroup
metadata: {{name: zoo, namespace: demo}}
spec:
  lanes: {{prod: {{}}, gray: {{}}, blue: {{}}, pink: {{}}}}
  services:
    cat:
      host: cat-svc
      port: 9001
      versions: {{prod: {{labels: {{v: prod}}}}, gray: {{labels: {{v: gray}}}}, blue: {{labels: {{v: blue}}}}}}
      rules: [{{match: {{headers: {{x-team: cats}}}}, weights: {{gray: 1}}}}]
    old:
      host: old-svc
      port: 9001
      versions:
        v1: {{labels: {{v: v1}}}}
        v2: {{labels: {{v: v2}}}}
        v3: {{labels: {{v: v3}}}}
        v4: {{labels: {{v: v4}}}}
      weights: {weights}
  entries:
    - hosts: [{hosts}]
      {entry}
      routes:
        - {{path: {{prefix: /old}}, service: old}}
        - {{path: {{prefix: /x}}, service: cat, method: POST}}
        - {{service: cat}}
"""


def group(entry="split: {gray: 20, prod: 80}", sticky="{}", weights="{v1: 1}", hosts="shop.example.com"):
    more = f"{entry}\n      sticky: {sticky}" if sticky else entry
    return groups(parse(GROUP.format(entry=more, weights=weights, hosts=hosts), "f.yaml"))[0]


def shares(index, *headers, host="shop.example.com", path="/", method="GET"):
    found = simulate(index, Request(host, path, method, headers, gateway=ANY_GATEWAY)).shares
    sent = [(one.outcome, one.probability) for one in found if isinstance(one.outcome, Destination)]
    assert len(sent) == len(found)
    return {(one.subset, dict(one.headers).get("env")): chance for one, chance in sent}


def index(found):
    return Index(Resources.parse(render([found.model])))


def answer(found, *headers, **where):
    """The version that answers, and the tag with which the request goes on."""
    (one,) = shares(found if isinstance(found, Index) else index(found), *headers, **where)
    return one


def bucket(number):
    return ("cookie", f"graylane-bucket={number}")


def routes(found, host="shop-example-com"):
    return next(
        one["spec"]["http"]
        for one in render([found.model])
        if one["metadata"]["name"] == host and one["kind"] == "VirtualService"
    )


def cookies(found):
    return [one["headers"]["response"]["add"]["set-cookie"] for one in routes(found)[-1]["route"]]


# --- whose each bucket is ---

SHARES = st.integers(0, 1000)
SIZES = st.integers(2, 100)
ORDERS = st.sampled_from((["a", "b"], ["b", "a"]))


@given(a=SHARES, b=SHARES, base=SHARES, order=ORDERS, size=SIZES)
def test_each_share_is_exact_to_one_bucket_and_a_run_at_its_end(a, b, base, order, size):
    shares = {"a": a, "b": b, "base": base}
    assume(any(shares.values()))
    found = owners(shares, "base", order, size)
    count, total = Counter(found), a + b + base
    assert len(found) == size
    for name, share in shares.items():
        assert abs(count[name] - Fraction(share * size, total)) <= (1 if name == "base" or not base else Fraction(1, 2))
        assert share or not count[name]
    assert [owner for owner, _, _ in runs(found)] == [one for one in (order[0], "base", order[1]) if count[one]]


@given(whole=st.integers(1, 30), parts=st.lists(st.integers(0, 100), min_size=2, max_size=2), order=ORDERS)
def test_shares_in_whole_percent_are_exact_with_a_hundred_buckets(whole, parts, order):
    a, b = sorted(parts)
    shares = {"a": a * whole, "b": (b - a) * whole, "base": (100 - b) * whole}
    count = Counter(owners(shares, "base", order, 100))
    assert [count["a"], count["b"], count["base"]] == [a, b - a, 100 - b]


@given(
    percents=st.lists(st.integers(0, 100), min_size=2, max_size=2),
    other=st.integers(0, 50),
    order=ORDERS,
    size=SIZES,
)
def test_a_share_that_rises_takes_buckets_from_the_baseline_alone_and_gives_them_back(percents, other, order, size):
    low, high = sorted(percents)
    assume(high + other < 100)
    before, after = (
        owners({"a": one, "b": other, "base": 100 - one - other}, "base", order, size) for one in (low, high)
    )
    moved = {(old, new) for old, new in zip(before, after, strict=True) if old != new}
    assert moved <= {("base", "a")}
    assert len([1 for pair in zip(before, after, strict=True) if pair[0] != pair[1]]) == (
        Counter(after)["a"] - Counter(before)["a"]
    )


@given(st.integers(0, 99), st.integers(0, 99))
def test_the_regular_expression_of_a_run_takes_its_numbers_and_no_other_text(one, other):
    first, last = sorted((one, other))
    taken = re.compile(numbers(first, last))
    assert [number for number in range(1200) if taken.fullmatch(str(number))] == list(range(first, last + 1))
    for text in ("", "00", f"0{first}", f"{first} ", f"-{first}", f"{first}.0", f"+{first}", "٣"):
        assert not taken.fullmatch(text)


@pytest.mark.parametrize(
    ("order", "shares", "expected"),
    [
        ([], {"gray": 1}, ["gray"]),
        ([], {"gray": 1, "blue": 1}, ["blue", "gray"]),
        (["gray"], {"gray": 1, "blue": 1}, ["gray", "blue"]),
        (["gray", "blue"], {"blue": 1}, ["gray", "blue"]),  # gray keeps its end while it has no share
        (["gray"], {"blue": 1}, ["gray", "blue"]),
        (["gray"], {"blue": 1, "pink": 1}, ["blue", "pink"]),
        ([], {"blue": 1, "gray": 0, "pink": 1}, ["blue", "pink"]),
        (["prod", "gray"], {"gray": 1}, ["prod", "gray"]),
        (["prod", "gray"], {"gray": 1, "blue": 1}, ["gray", "blue"]),
        ([], {"blue": 1, "gray": 1, "pink": 1}, ["blue", "gray", "pink"]),
    ],
)
def test_the_first_of_order_has_the_low_end(order, shares, expected):
    assert ends(order, {**shares, "prod": 1}, "prod") == expected


# --- what requests get ---


def test_every_bucket_keeps_its_lane_at_all_paths_hosts_and_methods():
    found = index(
        group("split: {gray: 20, blue: 30, prod: 50}", "{order: [gray]}", hosts="shop.example.com, b.shop.example.com")
    )
    for number in range(100):
        lane = "gray" if number < 20 else "prod" if number < 70 else "blue"
        for host in ("shop.example.com", "b.shop.example.com"):
            assert answer(found, bucket(number), host=host) == (lane, lane)
        assert answer(found, bucket(number), path="/x", method="POST") == (lane, lane)
        assert answer(found, bucket(number), path="/old") == ("v1", lane)


@pytest.mark.parametrize(
    "cookie",
    ["", "100", "999", "-1", "05", "5.0", '"5"', " 5", "5,6", "5x", "٥", "%35", "1e1", "0x5"],
)
def test_a_cookie_that_is_no_bucket_counts_for_nothing(cookie):
    found = index(group())
    assert shares(found, bucket(cookie)) == {("gray", "gray"): Fraction(1, 5), ("prod", "prod"): Fraction(4, 5)}


@pytest.mark.parametrize(
    ("header", "lane"),
    [
        ("a=b; graylane-bucket=5", "gray"),
        ("graylane-bucket=50; a=b", "prod"),
        ("a=b;graylane-bucket=5 ;c=d", "gray"),
        ("graylane-bucket=5; graylane-bucket=50", "gray"),  # the first route that one of them fits
        ("graylane-bucket=50; graylane-bucket=5", "gray"),
        ("graylane-bucket=999; graylane-bucket=50", "prod"),
        ("xgraylane-bucket=5; graylane-bucket=50", "prod"),
    ],
)
def test_the_cookie_is_found_among_others(header, lane):
    assert answer(group(), ("cookie", header)) == (lane, lane)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.integers(2, 100), st.integers(0, 100), st.integers(0, 100))
def test_the_draw_sets_each_bucket_with_the_same_weight_and_leads_where_the_bucket_leads(size, gray, blue):
    assume(gray + blue < 100)
    one = group(f"split: {{gray: {gray}, blue: {blue}, prod: {100 - gray - blue}}}", f"{{buckets: {size}}}")
    found = index(one)
    *kept, drawn = routes(one)
    assert [int(re.match(r"graylane-bucket=(\d+);", cookie)[1]) for cookie in cookies(one)] == list(range(size))
    assert {each["weight"] for each in drawn["route"]} == {1}
    for number, each in enumerate(drawn["route"]):
        assert answer(found, bucket(number)) == (
            each["destination"]["subset"],
            each["headers"]["request"]["set"]["env"],
        )
    assert len([each for each in kept if each["name"].startswith("bucket:")]) <= 9  # three shares at three paths


def test_who_has_a_bucket_is_set_no_cookie_and_what_comes_first_counts_more_than_a_bucket():
    one = group(
        "cookie: lane\n      admit: [{lane: gray, match: {headers: {x-qa: y}}}]\n      split: {gray: 20, prod: 80}"
    )
    assert all("set-cookie" not in str(route) for route in routes(one) if route["name"] != "default")
    found = index(one)
    for lane, header in (
        ("prod", ("env", "prod")),
        ("gray", ("cookie", "lane=gray; graylane-bucket=99")),
        ("gray", ("x-qa", "y")),
    ):
        number = 0 if lane == "prod" else 99
        headers = [header] if header[0] == "cookie" else [bucket(number), header]
        assert answer(found, *headers) == (lane, lane)
    assert answer(found, bucket(99), ("x-team", "cats")) == ("gray", None)
    assert answer(found, bucket(0)) == ("gray", "gray")


def test_without_a_split_it_is_valid_and_idle():
    for entry in ("tag: trusted", "tag: untrusted", "cookie: lane"):
        assert render([group(entry).model]) == render([group(entry, sticky="").model])


def test_a_service_without_lanes_keeps_each_user_at_a_version_by_its_weights():
    one = group("tag: trusted", weights="{v1: 70, v2: 20, v3: 10}")
    found = index(one)
    for number in range(100):
        version = "v2" if number < 20 else "v1" if number < 90 else "v3"
        assert answer(found, bucket(number), path="/old") == (version, None)
    drawn = shares(found, path="/old")
    assert drawn == {("v1", None): Fraction(7, 10), ("v2", None): Fraction(1, 5), ("v3", None): Fraction(1, 10)}
    assert answer(found, bucket(5)) == ("prod", None)  # the service with lanes has no split here


def test_a_split_and_weights_are_kept_by_one_bucket():
    found = index(group("split: {gray: 50, prod: 50}", "{buckets: 10}", weights="{v1: 80, v2: 20}"))
    assert [answer(found, bucket(number), path="/old") for number in (0, 1, 2, 4, 5, 9)] == [
        ("v2", "gray"), ("v2", "gray"), ("v1", "gray"), ("v1", "gray"), ("v1", "prod"), ("v1", "prod"),
    ]  # fmt: skip
    assert len(shares(found, path="/old")) == 3


def test_weights_that_draw_anew_stay_exact_in_a_lane_without_a_version():
    """A service with some lanes and no version of the baseline: its weights are none of sticky's."""
    text = GROUP.format(
        entry="split: {gray: 50, prod: 50}\n      sticky: {buckets: 2}", weights="{v1: 3, v2: 1}", hosts="a.b"
    )
    (one,) = groups(parse(text.replace("v4: {labels: {v: v4}}", "gray: {labels: {v: gray}}"), "f.yaml"))
    assert shares(index(one), host="a.b", path="/old") == {
        ("gray", "gray"): Fraction(1, 2), ("v1", "prod"): Fraction(3, 8), ("v2", "prod"): Fraction(1, 8),
    }  # fmt: skip
    assert shares(index(one), bucket(1), host="a.b", path="/old") == {
        ("v1", "prod"): Fraction(3, 4), ("v2", "prod"): Fraction(1, 4),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sticky", "more", "hosts", "attributes"),
    [
        ("{}", "", "shop.example.com", "Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"),
        ("{maxAge: 1h30m}", "", "shop.example.com", "Path=/; Max-Age=5400; HttpOnly; SameSite=Lax"),
        ("{maxAge: 1500ms}", "", "shop.example.com", "Path=/; Max-Age=1; HttpOnly; SameSite=Lax"),
        (
            "{domain: example.com}",
            "gateway: {tls: {mode: SIMPLE, credentialName: shop}}\n      ",
            "shop.example.com",
            "Path=/; Max-Age=2592000; Domain=example.com; HttpOnly; SameSite=Lax; Secure",
        ),
        (
            "{}",
            "",
            "shop.example.com, www.shop.example.com",
            "Path=/; Max-Age=2592000; Domain=shop.example.com; HttpOnly; SameSite=Lax",
        ),
    ],
)
def test_the_cookie_s_attributes(sticky, more, hosts, attributes):
    one = group(f"{more}split: {{gray: 20, prod: 80}}", sticky, hosts=hosts)
    assert cookies(one) == [f"graylane-bucket={number}; {attributes}" for number in range(100)]


def test_a_percent_sign_in_a_cookie_s_name_is_none_of_envoy_s_formats():
    one = group("cookie: a%b\n      links: /.lane\n      split: {gray: 20, prod: 80}", "{cookie: c%d}")
    assert cookies(one)[0].startswith("c%%d=0; ")
    links = [each["headers"]["response"]["add"]["set-cookie"] for each in routes(one) if "redirect" in each]
    assert links[1].startswith("a%%b=gray; ")
    (table,) = one.model.routing().entries.values()
    assert {draw.cookie for draw in draws(table)} == {"c%d"}
    assert answer(one, ("cookie", "a=b; c%d=5")) == ("gray", "gray")


@pytest.mark.parametrize(
    ("entry", "sticky", "said"),
    [
        ("split: {gray: 1, blue: 1, pink: 1, prod: 7}", "{}", "at most two lanes beside prod: blue, gray, pink"),
        ("tag: trusted", "{buckets: 1}", "sticky.buckets"),
        ("tag: trusted", "{buckets: 101}", "sticky.buckets"),
        ("tag: trusted", "{cookie: 'a b'}", "sticky.cookie"),
        ("cookie: x", "{cookie: x}", "give the buckets another one"),
        ("tag: trusted", "{order: [grey]}", "sticky.order[0]: there is no lane grey; did you mean gray?"),
        ("tag: trusted", "{order: [gray, gray]}", "names gray twice"),
        ("tag: trusted", "{order: [gray, blue, pink]}", "takes at most two lanes"),
        ("tag: trusted", "{maxAge: 500ms}", "takes a second or more"),
        ("tag: trusted", "{maxAge: 30}", "takes a duration"),
        ("tag: trusted", "{domain: example.org}", "no cookie for example.org from the host shop.example.com"),
        ("tag: trusted", "{domain: op.example.com}", "browsers take no cookie"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_named_with_its_line(entry, sticky, said):
    with pytest.raises(InputError) as error:
        _ = group(entry, sticky).model
    assert said in str(error.value)
    assert re.match(r"f\.yaml:\d+: spec\.entries\[0\]", str(error.value))


def test_more_versions_than_two_ends_and_the_middle_are_an_error():
    with pytest.raises(
        InputError, match=r"routes\[0\]\.service: sticky keeps users at no more than three versions of old"
    ):
        _ = group("tag: trusted", weights="{v1: 1, v2: 1, v3: 1, v4: 1}").model
    _ = group("tag: trusted", weights="{v1: 1, v2: 1, v3: 0, v4: 1}").model


def test_a_mirror_copies_what_the_baseline_s_buckets_send():
    text = GROUP.format(entry="split: {gray: 20, prod: 80}\n      sticky: {}", weights="{v1: 1}", hosts="a.b")
    (one,) = groups(parse(text.replace("rules: [", "mirror: {version: blue}\n      rules: ["), "f.yaml"))
    copied = {route["name"] for route in routes(one, "a-b") if "mirrors" in route}
    assert "bucket:prod" in copied
    assert not {"bucket:gray", "default", "gray"} & copied


def test_tables_say_whose_each_bucket_is():
    one = group("split: {gray: 20, prod: 80}", "{buckets: 10}", weights="{v1: 70, v2: 30}")
    (table,) = one.model.routing().entries.values()
    found = {draw.host.partition("-")[0]: draw for draw in draws(table)}
    assert found["cat"].runs == [("gray", 0, 1), ("prod", 2, 9)]
    assert found["old"].runs == [("gray v2", 0, 1), ("prod v2", 2, 2), ("prod v1", 3, 9)]
    assert (found["cat"].cookie, found["cat"].settled) == ("graylane-bucket", False)
