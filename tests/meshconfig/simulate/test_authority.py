"""Host and port of a request's authority."""

import pytest

from meshconfig.simulate.request import Request, split_port

AUTHORITIES = [
    ("a.org", ("a.org", None)),
    ("a.org:80", ("a.org", 80)),
    ("a.org:x", ("a.org:x", None)),
    ("[::1]:80", ("[::1]", 80)),
    ("[::1]", ("[::1]", None)),
    ("::1", ("::1", None)),
    ("1::2", ("1::2", None)),
    (":80", ("", 80)),
]


@pytest.mark.parametrize(("authority", "parts"), AUTHORITIES)
def test_host_and_port_of_an_authority(authority, parts):
    assert split_port(authority) == parts
    assert Request(authority).authority_port == parts[1]
