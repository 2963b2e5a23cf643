"""Protocol selection.

Source: Istio, "Protocol Selection": `appProtocol` before the name, the name as `<protocol>[-<suffix>]`, and the three
names of Kubernetes; pkg/config/kube conversion_test.go.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshconfig.istio import Port, ServicePort
from meshconfig.istio.ports import HTTP, OTHER, SNIFFED, entry_protocol, may_be_http, parse, protocol

SELECTED = [
    ({"name": "http"}, "http"),
    ({"name": "http-web"}, "http"),
    ({"name": "HTTP-web"}, "http"),
    ({"name": "http2"}, "http2"),
    ({"name": "http_proxy"}, "http_proxy"),
    ({"name": "grpc-api"}, "grpc"),
    ({"name": "grpc-web"}, "grpc-web"),
    ({"name": "grpc-web-api"}, "grpc-web"),
    ({"name": "grpc-website"}, "grpc-web"),
    ({"name": "tcp-echo"}, "tcp"),
    ({"name": "https"}, "https"),
    ({"name": "mysql"}, "mysql"),
    ({"name": "web"}, SNIFFED),
    ({"name": "httpweb"}, SNIFFED),
    ({}, SNIFFED),
    ({"name": "tcp", "appProtocol": "http"}, "http"),
    ({"name": "http", "appProtocol": "tcp"}, "tcp"),
    ({"name": "http", "appProtocol": "web"}, SNIFFED),
    ({"appProtocol": "kubernetes.io/h2c"}, "http2"),
    ({"appProtocol": "kubernetes.io/ws"}, "http"),
    ({"appProtocol": "kubernetes.io/wss"}, "https"),
    ({"appProtocol": "KUBERNETES.IO/WSS"}, SNIFFED),
    ({"name": "http", "protocol": "UDP"}, "udp"),
    ({"port": 3306}, "tcp"),
    ({"port": 25, "name": "mail"}, "tcp"),
    ({"port": 3306, "name": "http"}, "http"),
]


@pytest.mark.parametrize(("written", "expected"), SELECTED)
def test_the_protocol_of_a_services_port(written, expected):
    assert protocol(ServicePort.model_validate({"port": 9001, **written})) == expected


@pytest.mark.parametrize(("written", "expected"), [("HTTP", "http"), ("GRPC-Web", "grpc-web"), ("", ""), ("X", "")])
def test_the_protocol_of_a_service_entrys_port(written, expected):
    assert entry_protocol(Port(number=80, protocol=written)) == expected


@given(st.one_of(st.sampled_from(sorted(HTTP | OTHER)), st.text(max_size=8)), st.text("abc-", max_size=4))
def test_a_suffix_changes_nothing_but_for_grpc_web(name, suffix):
    plain = protocol(ServicePort(port=9001, name=name))
    suffixed = protocol(ServicePort(port=9001, name=f"{name}-{suffix}"))
    assert suffixed == plain or suffixed == "grpc-web"
    assert plain in {*HTTP, *OTHER, SNIFFED}


def test_http_routes_apply_to_http_and_to_what_is_sniffed():
    assert all(map(may_be_http, (*HTTP, SNIFFED)))
    assert not any(map(may_be_http, OTHER))
    assert parse("Http2") == "http2"
