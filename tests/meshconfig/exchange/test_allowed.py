"""Which addresses a runner connects to: public ones by https, and those that its option names, in whatever notation."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from misbehaving import misbehaving

from meshconfig.errors import InputError
from meshconfig.exchange.allowed import Allowed, is_public
from meshconfig.exchange.connections import AddressRefusedError, restricted
from meshconfig.exchange.send import Limits, NoAnswerError, send

LIMITS = Limits(seconds=10.0, size=1 << 16)
PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200",
    "169.254.169.254", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255", "198.18.0.1", "::",
    "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
    "64:ff9b::10.0.0.1", "2001:db8::1", "64:ff9b:1::1", "fec0::1", "3fff::1", "5f00::1", "192.88.99.1",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


def test_public_and_private_addresses():
    assert [one for one in PRIVATE if is_public(ipaddress.ip_address(one))] == []
    assert [one for one in PUBLIC if not is_public(ipaddress.ip_address(one))] == []


@given(st.ip_addresses(v=4))
def test_an_address_within_an_ipv6_address_is_judged_as_by_itself(address):
    inner = int(address)
    held = [0xFFFF << 32 | inner, int(ipaddress.ip_address("64:ff9b::")) | inner, 0x2002 << 112 | inner << 80]
    mapped, nat64, six_to_four = (ipaddress.IPv6Address(one) for one in held)
    assert is_public(mapped) == is_public(nat64) == is_public(address)
    assert is_public(address) or not is_public(six_to_four)


def asked(url, *allowed):
    return send(restricted(Allowed.of(allowed)), "GET", url, limits=LIMITS, headers={})


@pytest.fixture
def server():
    with misbehaving("html") as found:
        yield found


HERE = [
    "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "0.0.0.0",
]  # fmt: skip


@pytest.mark.parametrize("host", HERE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_loopback_is_refused_in_whatever_notation(server, host, scheme):
    with pytest.raises(AddressRefusedError, match=r"to allow it: graylane controller --allow-host \S+:\d+$"):
        asked(f"{scheme}://{host}:{server.port}/", "prometheus.monitoring", "10.0.0.0/8", "128.0.0.1")
    assert server.seen == []


@pytest.mark.parametrize("host", HERE[:6])
def test_it_is_reached_where_the_option_has_its_address(server, host):
    assert asked(f"http://{host}:{server.port}/", "127.0.0.0/8").status == 200
    assert asked(f"http://{host}:{server.port}/", f"127.0.0.1:{server.port}").status == 200
    with pytest.raises(AddressRefusedError):
        asked(f"http://{host}:{server.port}/", "127.0.0.1:1")


@pytest.fixture
def names(monkeypatch):
    """Names that a name server of the test's knows: each look-up gives the next address; `asked` has the look-ups."""

    class Names(dict):
        asked: list

    known = Names()
    known.asked = []
    real = socket.getaddrinfo

    def look_up(host, *more, **settings):
        if host not in known:
            return real(host, *more, **settings)
        known.asked.append(host)
        answers = known[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [one for address in found for one in real(address, *more, **settings)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def test_a_name_is_judged_by_the_address_that_is_connected_to(server, names):
    """It is looked up once: a name server that changes its mind in between changes nothing."""
    names["rebind.example.com"] = [["127.0.0.1"], ["10.0.0.1"]]
    assert asked(f"http://rebind.example.com:{server.port}/", "127.0.0.1").status == 200
    assert names.asked == ["rebind.example.com"]
    names["inward.example.com"] = [["127.0.0.1"]]
    with pytest.raises(AddressRefusedError, match=r"^inward.example.com has no public address"):
        asked(f"https://inward.example.com:{server.port}/")
    assert b"inward" not in b"".join(server.seen)


def test_of_several_addresses_only_allowed_ones_are_tried(server, names):
    names["both.example.com"] = [["127.0.0.2", "127.0.0.1"]]
    assert asked(f"http://both.example.com:{server.port}/", "127.0.0.1").status == 200
    with pytest.raises(NoAnswerError, match="connection refused"):
        asked(f"http://both.example.com:{server.port}/", "127.0.0.2")


@pytest.mark.slow
@pytest.mark.parametrize("written", ["p.monitoring", "p.monitoring.svc", "P.Monitoring.svc.cluster.local."])
@pytest.mark.parametrize("allowed", ["p.monitoring", "p.monitoring.svc", "p.monitoring.svc.cluster.local"])
def test_a_named_host_may_have_any_address_under_each_of_a_services_names(server, names, written, allowed):
    for name in ("p.monitoring", "p.monitoring.svc", "p.monitoring.svc.cluster.local", written.lower(), written):
        names[name] = [["127.0.0.1"]]
    url = f"http://{written}:{server.port}/".lower().replace("local./", "local/").replace("local.:", "local:")
    assert asked(url, allowed).status == 200
    assert asked(url, f"{allowed}:{server.port}").status == 200
    for other in (f"{allowed}:1", "monitoring", "x.p.monitoring", "p.monitoring.example.com"):
        with pytest.raises(AddressRefusedError):
            asked(url, other)


def test_no_proxy_of_the_environment_is_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert asked(f"http://127.0.0.1:{server.port}/", "127.0.0.1").status == 200


def test_a_name_that_nobody_knows_is_said(names):
    with pytest.raises(NoAnswerError, match="its host name is not known"):
        asked("https://no-such-host.invalid/")


@pytest.mark.parametrize(
    "entry",
    ["", " ", "a b", "https://h", "http://u:S3cret@h", "u:S3cret@h", "h:0", "h:65536", "h:x", "h/path", "10.0.0.0/33",
     "10.0.0.1/8", "::1:9090:x", "*", "h?x", "h#x", "a..b"],
)  # fmt: skip
def test_an_entry_that_names_nothing_is_an_error(graylane, entry):
    with pytest.raises(InputError, match=r"^--allow-host: takes HOST") as error:
        Allowed.of([entry])
    assert "S3cret" not in str(error.value)
    code, out, err = graylane("rollout", "run", "--allow-host", entry)
    assert (code, out, err.count("\n")) == (2, "", 1)
