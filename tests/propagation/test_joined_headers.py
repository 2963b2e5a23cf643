"""Values that others joined or encoded on the way: properties in a member, a header that came several times."""

import pytest
from asgi_answer import run_app
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from propagation import ASGIMiddleware, RemoteFieldsPropagator, WSGIMiddleware, extract, get, inject

PROPERTIES = [
    "env=gray;propagation=unlimited",
    "env=gray;propagation%3Dunlimited",
    "env=gray%3Bpropagation%3Dunlimited",
    "env=gray%3bpropagation%3dunlimited",
    "env=gray%20%3B%20propagation%3Dunlimited",
    "env=gray%3B",
    "%65nv=gray%3Ba;b",
    "a=1%3Benv%3Dprod,env=gray%3Bttl%3D5",
]


@pytest.mark.parametrize("member", PROPERTIES)
def test_a_members_properties_end_its_value_also_where_opentelemetry_encoded_them(member):
    context = extract({"baggage": member}, context=Context())
    assert get("env", context) == "gray"
    assert inject({}, context=context)["env"] == "gray"


@pytest.mark.parametrize("member", PROPERTIES)
def test_so_they_do_where_opentelemetry_read_the_member(member):
    context = W3CBaggagePropagator().extract({"baggage": member}, Context())
    assert get("env", context) == "gray"
    sent = inject({}, context=context)
    assert (sent["env"], sent["baggage"].split(",")[0]) == ("gray", "env=gray")
    # A caller's own member, as OpenTelemetry's client wrote it.
    own = {}
    W3CBaggagePropagator().inject(own, context)
    assert inject(own, context=baggage.set_baggage("other", "1", Context()))["env"] == "gray"


@pytest.mark.parametrize("member", ["env=;gray", "env=%3Bgray", "env=a%20b%3Bgray", "env=gray%2C%3B"])
def test_what_is_before_the_properties_must_be_a_tag(member):
    assert get("env", extract({"baggage": member}, context=Context())) is None


REPEATED = [
    (["gray", "gray"], "gray"),
    (["gray,gray"], "gray"),
    (["gray, gray", " gray"], "gray"),
    (["gray,prod"], None),
    (["gray", "prod"], None),
    (["gray,"], None),
    (["gray,,gray"], None),
    (["gray.next,gray.next"], "gray"),
    (["gray,gray.next"], None),
]


def read_by_asgi(values):
    async def app(scope, receive, send):
        seen.append(get("env"))

    seen = []
    scope = {"type": "http", "headers": [(b"env", value.encode()) for value in values]}
    run_app(ASGIMiddleware(app)(scope, None, None))
    return seen[0]


def read_by_wsgi(values):
    def app(environ, start_response):
        seen.append(get("env"))
        return []

    seen = []
    WSGIMiddleware(app)({"HTTP_ENV": ",".join(values)}, None)
    return seen[0]


READERS = {
    "ASGI": read_by_asgi,
    "WSGI": read_by_wsgi,
    "pairs": lambda values: get("env", extract([("env", value) for value in values])),
    "mapping": lambda values: get("env", extract({"env": values})),
    "joined": lambda values: get("env", extract({"env": ",".join(values)})),
    "OpenTelemetry": lambda values: get("env", RemoteFieldsPropagator().extract({"env": values})),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("values", "lane"), REPEATED)
def test_a_header_that_came_several_times_reads_alike_however_it_was_joined(read, values, lane):
    assert read(values) == lane


@given(st.lists(st.lists(st.sampled_from(["gray", "prod", "", " gray", "a b"]), min_size=1), min_size=1, max_size=3))
def test_all_readers_agree(values):
    joined = [",".join(one) for one in values]
    assert len({read(joined) for read in READERS.values()}) == 1


def test_the_callers_own_header_may_be_joined_too():
    assert inject({"env": "prod,prod"}, context=extract({"env": "gray"}, context=Context()))["baggage"] == "env=prod"
