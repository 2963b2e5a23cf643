"""What a signature covers stays as it was signed, whatever would be written or taken out otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from signing import QUERIES, SCHEMES

from propagation import PropagationConfig, RemoteFieldsPropagator, extract, inject, use
from propagation.carriers import find
from propagation.fields import HeaderNames

IN_CLUSTER = PropagationConfig(allowed_hosts=("mouse-svc",))
FIELDS = ("env", "baggage")
URLS = ["http://mouse-svc:9002/", "https://sqs.eu-west-1.amazonaws.com/"]
ARRIVED = {"env": "gray", "baggage": "user=alice;ttl=5"}


def arrived(config=IN_CLUSTER, **headers):
    return extract(headers or ARRIVED, config=config, context=Context())


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("own", [{}, {"Env": "blue", "Baggage": "own=1 ,user=alice;ttl=5,env=blue"}])
def test_signed_headers_stay_as_they_are(scheme, url, own):
    headers = {**own, **SCHEMES[scheme](["host", *FIELDS, "x-date"])}
    assert inject(dict(headers), url, config=IN_CLUSTER, context=arrived()) == headers


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("scheme", QUERIES)
def test_so_do_those_that_a_url_says_are_signed(scheme, url):
    headers = {"env": "blue", "baggage": "env=blue"}
    signed = f"{url}?{QUERIES[scheme](['host', *FIELDS])}"
    assert inject(dict(headers), signed, config=IN_CLUSTER, context=arrived()) == headers
    assert inject({}, signed, config=IN_CLUSTER, context=arrived()) == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_not_signed_is_written_and_taken_out_as_ever(scheme):
    headers = SCHEMES[scheme](["host", "x-env", "my-baggage"])
    assert inject(dict(headers), config=IN_CLUSTER, context=arrived()) == {
        **headers,
        "env": "gray",
        "baggage": "env=gray,user=alice;ttl=5",
    }
    assert inject({"env": "gray", **headers}, URLS[1], config=IN_CLUSTER, context=arrived()) == headers


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_header_is_judged_by_itself(scheme):
    headers = {"baggage": "own=1", **SCHEMES[scheme](["host", "baggage"])}
    assert inject(dict(headers), config=IN_CLUSTER, context=arrived()) == {**headers, "env": "gray"}


@pytest.mark.parametrize(
    "value",
    [
        "Bearer eyJhbGciOiJIUzI1NiJ9.headers.env",
        "Basic ZW52OmJhZ2dhZ2U=",
        'Digest username="env", realm="baggage", nonce="headers"',
        "AWS AK:env=",
        "SharedKey account:baggage=",
        'Signature keyId="env",signature="baggage"',
        "",
    ],
)
def test_credentials_that_name_no_header_sign_none(value):
    assert inject({"Authorization": value}, context=arrived())["env"] == "gray"


def test_a_list_of_pairs_in_bytes_too():
    ((name, value),) = SCHEMES["AWS SigV4"](FIELDS).items()
    headers = [(name.encode(), value.encode()), (b"baggage", b"own=1")]
    assert inject(list(headers), context=arrived()) == headers


def test_opentelemetrys_way_to_write_them_too():
    headers = SCHEMES["RFC 9421"](FIELDS)
    written = dict(headers)
    RemoteFieldsPropagator().inject(written, arrived(config=PropagationConfig()))
    assert written == headers


def test_declared_and_off_leave_a_signed_header_too():
    headers = {"baggage": "own=1", **SCHEMES["AWS SigV4"](FIELDS)}
    for choice in ("declared", "off"):
        config = PropagationConfig(baggage=choice)
        assert inject(dict(headers), config=config, context=arrived(config=config)) == headers


SENTRY = "sentry-trace_id=771a43a4192642f0b136d5159a501700,sentry-sampled=true"


@pytest.mark.parametrize("member", ["own=1", "own=1;ttl=5", "user=bob", "tracker=%C3%A9"])
def test_members_that_somebody_wrote_for_this_call_stay_for_a_stranger(member):
    with use(arrived()):
        assert inject({"baggage": f"env=gray,{member},user=alice;ttl=5"}, URLS[1]) == {"baggage": member}


@pytest.mark.parametrize(
    "passed_on", ["user=alice;ttl=5", "user=alice%3Bttl%3D5"], ids=["as it came", "by OpenTelemetry"]
)
def test_what_came_in_with_the_request_does_not_go_to_a_stranger(passed_on):
    assert inject({"baggage": passed_on}, URLS[1], config=IN_CLUSTER, context=arrived()) == {}


def test_of_a_key_that_came_twice_neither_goes_to_a_stranger():
    context = arrived(baggage="a=1,a=2")
    assert inject({"baggage": "a=1,b=3,a=2"}, URLS[1], config=IN_CLUSTER, context=context) == {"baggage": "b=3"}


def test_sentry_writes_its_members_for_each_call_also_those_that_came_in():
    context = arrived(baggage=f"{SENTRY},user=alice")
    assert inject({"baggage": f"user=alice,{SENTRY}"}, URLS[1], config=IN_CLUSTER, context=context) == {
        "baggage": SENTRY
    }


TOKENS = st.text(st.sampled_from("abcexyz0189-_"), min_size=1, max_size=12)


@given(
    scheme=st.sampled_from([*SCHEMES.values(), *QUERIES.values()]),
    names=st.lists(st.sampled_from(FIELDS) | TOKENS, max_size=5),
    own=st.dictionaries(
        st.sampled_from(["env", "Env", "baggage", "Baggage", "accept"]),
        st.sampled_from(["gray", "blue", "", "env=gray", "a=1,env=blue"]),
        max_size=3,
    ),
    host=st.sampled_from(URLS),
    baggage=st.sampled_from(["passthrough", "declared", "off"]),
)
def test_no_signed_header_is_ever_changed(scheme, names, own, host, baggage):
    said = scheme(names)
    headers = {**own, **(said if isinstance(said, dict) else {})}
    url = host if isinstance(said, dict) else f"{host}?{said}"
    config = PropagationConfig(allowed_hosts=("mouse-svc",), baggage=baggage)
    written = inject(dict(headers), url, config=config, context=arrived(config=config))
    signed = HeaderNames(names)
    assert find(written, signed) == find(headers, signed)


def test_a_hostile_list_of_components_takes_no_time_to_speak_of():
    headers = {"signature-input": "(" + '"a' * 100_000, "authorization": "headers=" * 100_000}
    assert inject(headers, context=arrived())["env"] == "gray"
