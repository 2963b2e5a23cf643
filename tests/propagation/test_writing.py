"""Writing headers: once, the caller's own first, other people's baggage as it came, nothing to strangers."""

from types import MappingProxyType

import httpx
import pytest
from opentelemetry import baggage
from opentelemetry.context import Context

from propagation import PropagationConfig, extract, get, inject, use
from propagation.carriers import PairsCarrier

IN_CLUSTER = PropagationConfig(allowed_hosts=(".svc.cluster.local", "mouse-svc", "10.0.0.0/8"))


def arrived(**headers):
    """The context of a request that came with these headers."""
    return extract(headers, context=Context())


def test_a_tag_goes_out_as_a_header_and_as_a_member_of_baggage():
    assert inject({}, context=arrived(env="gray")) == {"env": "gray", "baggage": "env=gray"}


def test_without_a_tag_nothing_is_written():
    headers = {"accept": "*/*"}
    assert inject(headers) is headers
    assert headers == {"accept": "*/*"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"env": "prod"},
        {"Baggage": "a=1;ttl=5 , env=prod"},
        [("baggage", "a=1"), ("baggage", "b=2")],
        [("env", "prod"), ("env", "blue")],
    ],
)
def test_writing_twice_changes_nothing(headers):
    context = arrived(env="gray", baggage="user=alice;ttl=5,x=a+b,x=c")
    once = type(headers)(inject(headers, context=context))
    assert inject(headers, context=context) == once


@pytest.mark.parametrize("own", ["env=", "env=a b", "env=gray,env=prod", "env=%ff", "env=,user=alice"])
def test_writing_twice_changes_nothing_where_the_callers_own_member_is_no_tag(own):
    with use(env="gray"):
        once = inject({"baggage": own})
        assert inject(dict(once)) == once
    assert once["env"] == "gray"


@pytest.mark.parametrize("name", ["env", "Env", "ENV"])
def test_the_callers_own_header_wins_and_baggage_says_the_same(name):
    headers = inject({name: "prod"}, context=arrived(env="gray"))
    assert headers == {name: "prod", "baggage": "env=prod"}


def test_the_callers_own_header_under_a_second_wire_name_wins():
    config = PropagationConfig(key_names={"env": ("env", "x-env")})
    assert inject({"X-Env": "prod"}, config=config, context=arrived(env="gray")) == {
        "X-Env": "prod",
        "baggage": "env=prod",
    }


def test_a_header_that_the_caller_wrote_twice_stays_and_baggage_takes_no_side():
    own = [("env", "prod"), ("env", "blue")]
    assert inject(list(own), context=arrived(env="gray")) == own


@pytest.mark.parametrize("own", ["", "a b", "blue"])
def test_a_header_that_the_callees_would_not_take_stays_and_baggage_does_not_contradict_it(own):
    config = PropagationConfig(allowed_values={"env": {"gray", "prod"}})
    assert inject({"env": own}, config=config, context=arrived(env="gray")) == {"env": own}


def test_the_callers_own_member_of_baggage_wins_too():
    headers = inject({"baggage": "user=bob,env=prod"}, context=arrived(env="gray"))
    assert headers == {"env": "prod", "baggage": "env=prod,user=bob"}


def test_the_callers_own_baggage_is_added_to_and_keeps_its_bytes():
    own = 'a=1;ttl=5;p="q" , b=%C3%A9+x,c=;d'
    headers = inject({"baggage": own}, context=arrived(env="gray", baggage="user=alice;ttl=5,a=2"))
    assert headers["baggage"] == 'env=gray,a=1;ttl=5;p="q",b=%C3%A9+x,c=;d,user=alice;ttl=5'


FOREIGN = ["user=alice;ttl=5", "b=%C3%A9", "c=a+b", "d=", "e==;=", "k!#$%&'*+-.^_`|~=v", "f=a b", "g=1,g=2;x", "h=%zz"]


@pytest.mark.parametrize("member", FOREIGN)
def test_foreign_members_pass_byte_for_byte(member):
    assert inject({}, context=arrived(baggage=member)) == {"baggage": member}
    assert inject({}, context=arrived(env="gray", baggage=f"x=1 , {member},y=2")) == {
        "env": "gray",
        "baggage": f"env=gray,x=1,{member},y=2",
    }


@pytest.mark.parametrize("member", ["a=1\r\nx: y", "a=\x00", "a=\xe9", "a", "=b"])
def test_what_is_no_member_or_could_not_stand_in_a_header_is_not_passed_on(member):
    assert inject({}, context=arrived(baggage=f"x=1,{member}")) == {"baggage": "x=1"}


def test_what_the_app_changes_in_opentelemetrys_baggage_is_what_leaves():
    context = arrived(baggage="a=1;ttl=5,b=2,c=3")
    context = baggage.set_baggage("a", "new value", context)
    context = baggage.remove_baggage("b", context)
    context = baggage.set_baggage("d+%", "ü,;", context)
    assert inject({}, context=context) == {"baggage": "a=new%20value,c=3,d%2B%25=%C3%BC%2C%3B"}
    assert inject({}, context=baggage.clear(context)) == {}


def test_no_more_of_the_apps_own_baggage_leaves_than_others_must_pass_on():
    context = arrived(env="gray")
    for number in range(100):
        context = baggage.set_baggage(f"key{number}", "value", context)
    members = inject({}, context=context)["baggage"].split(",")
    assert members == ["env=gray", *(f"key{number}=value" for number in range(64))]


def test_opentelemetrys_spelling_of_a_member_that_came_in_is_put_right():
    # What its propagator makes of `user=alice;ttl=5` and `c=a+b`, both of which it read and writes again.
    headers = {"baggage": "user=alice%3Bttl%3D5,c=a+b"}
    assert inject(headers, context=arrived(env="gray", baggage="user=alice;ttl=5,c=a%20b")) == {
        "env": "gray",
        "baggage": "env=gray,user=alice;ttl=5,c=a%20b",
    }


def test_declared_lets_only_our_members_out():
    config = PropagationConfig(baggage="declared")
    context = extract({"env": "gray", "baggage": "user=alice"}, config=config, context=Context())
    assert inject({"baggage": "a=1,env=gray"}, context=context) == {"env": "gray", "baggage": "env=gray"}
    assert inject({"baggage": "a=1"}, config=config, context=Context()) == {}


def test_off_does_not_touch_baggage():
    config = PropagationConfig(baggage="off")
    assert inject({}, config=config, context=arrived(env="gray")) == {"env": "gray"}
    own = {"baggage": "env=prod,a=1"}
    assert inject(own, config=config, context=arrived(env="gray")) == {"baggage": "env=prod,a=1", "env": "gray"}


def test_local_fields_never_leave():
    config = PropagationConfig(local_fields=("user",))
    with use(extract({"env": "gray"}, config=config), user="alice"):
        assert get("user") == "alice"
        assert inject({}) == {"env": "gray", "baggage": "env=gray"}
    # Not even those that came in, or that OpenTelemetry's API set.
    context = extract({"baggage": "user=bob,env=gray"}, config=config, context=Context())
    assert inject({}, context=baggage.set_baggage("user", "eve", context))["baggage"] == "env=gray"


def test_several_fields_each_have_their_header():
    config = PropagationConfig(remote_fields=("env", "x-request-id"))
    context = extract({"env": "gray", "X-Request-ID": "r-1"}, config=config, context=Context())
    assert inject({}, context=context) == {"env": "gray", "x-request-id": "r-1", "baggage": "env=gray,x-request-id=r-1"}


ALLOWED = ["http://mouse-svc:9002/", "http://MOUSE-SVC/x", "https://a.b.svc.cluster.local", "http://10.1.2.3:80/"]
STRANGERS = [
    "http://example.com/",
    "http://mouse-svc@example.com/",
    "http://example.com\\@mouse-svc/",
    "http://mouse-svc\t.example.com/",
    "http://example.com/?http://mouse-svc",
    "http://[::1]/",
    "http://[broken/",
    "/relative",
    "",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_allowed_hosts_get_the_tag(url):
    assert inject({}, url, config=IN_CLUSTER, context=arrived(env="gray"))["env"] == "gray"


@pytest.mark.parametrize("url", STRANGERS)
def test_strangers_get_neither_the_tag_nor_our_member(url):
    context = arrived(env="gray", baggage="user=alice;ttl=5")
    assert inject({}, url, config=IN_CLUSTER, context=context) == {}
    # What an earlier hop wrote is taken back; what the caller wrote for this host stays.
    headers = inject({"Accept": "*/*", "Baggage": "own=1"}, config=IN_CLUSTER, context=context)
    assert inject(headers, url, config=IN_CLUSTER, context=context) == {"Accept": "*/*", "baggage": "own=1"}


def test_a_stranger_is_sent_a_baggage_header_of_the_callers_untouched():
    headers = [("baggage", "a=1 ,b=2"), ("baggage", "c=3")]
    assert inject(list(headers), "http://example.com/", config=IN_CLUSTER, context=arrived(env="gray")) == headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"a", b"1")], [(b"a", b"1"), (b"env", b"gray"), (b"baggage", b"env=gray")]),
        ([("a", b"1")], [("a", b"1"), ("env", b"gray"), ("baggage", b"env=gray")]),
        ([], [("env", "gray"), ("baggage", "env=gray")]),
        (httpx.Headers(), httpx.Headers({"env": "gray", "baggage": "env=gray"})),
    ],
)
def test_headers_are_written_in_the_shape_they_have(headers, expected):
    assert inject(headers, context=arrived(env="gray")) == expected


@pytest.mark.parametrize("name", ["é".encode(), b"\xff\xfe", "日".encode()])
def test_bytes_of_the_callers_that_are_no_ascii_go_out_as_they_are(name):
    with use(env="gray"):
        headers = inject([(b"baggage", b"user=" + name)])
    assert sorted(headers) == [(b"baggage", b"env=gray,user=" + name), (b"env", b"gray")]


def test_an_empty_list_is_written_in_the_types_that_its_carrier_says():
    pairs = []
    PairsCarrier(pairs, str, bytes).add("env", "gray")
    assert pairs == [("env", b"gray")]


@pytest.mark.parametrize("headers", [(("a", "1"),), MappingProxyType({"a": "1"}), "env", 7])
def test_what_cannot_be_written_is_a_type_error(headers):
    with pytest.raises(TypeError, match="neither a mutable mapping nor a list of pairs"):
        inject(headers, context=arrived(env="gray"))


def test_headers_that_are_not_there_yet_are_a_new_dict():
    assert inject(None, context=arrived(env="gray")) == {"env": "gray", "baggage": "env=gray"}
    assert inject(None) == {}


def test_foreign_members_go_beside_a_value_of_origin():
    config = PropagationConfig(origin={"env": "gray"})
    context = baggage.set_baggage("user", "alice", Context())
    assert inject({}, config=config, context=context) == {"env": "gray", "baggage": "env=gray,user=alice"}
