"""What a webhook's receiver gets, and what becomes of a message that does not arrive."""

import base64
import hashlib
import hmac
import json
import socket
from datetime import UTC, datetime

import pytest
from canned import answering
from hypothesis import example, given
from hypothesis import strategies as st
from rollout_world import NOW, Run, rollout
from standardwebhooks import Webhook as Library
from standardwebhooks import WebhookVerificationError

from meshconfig.exchange.allowed import Allowed
from meshconfig.exchange.connections import restricted
from meshconfig.exchange.urls import parse_url
from meshconfig.rollout.notify import PAUSES, KeyUnusableError, message, send, signature, signing_key


def sent(key=b"s3cret", now=NOW):
    run = Run(rollout(notify=[{"url": "https://hooks.example.com"}])).start()
    return message(run.state, run.state.log[-1], key=key, now=now)


def deliver(url, sleep, *, patient=True):
    return send(restricted(Allowed.of(["127.0.0.1"])), parse_url(url), sent(), sleep=sleep, patient=patient)


def test_the_body_says_who_did_what_and_where_it_stands():
    body = json.loads(sent().body)
    assert (body["type"], body["timestamp"]) == ("rollout.transition", NOW.isoformat())
    assert body["data"] == {
        "namespace": "demo",
        "name": "cat-v2",
        "generation": 1,
        "group": "pets",
        "services": {"cat": {"from": "v1", "to": "v2"}, "mouse": {"from": "v1", "to": "v2"}},
        "number": 2,
        "who": "graylane",
        "action": "take up",
        "why": "",
        "phase": "Progressing",
        "stage": "scaling up the new version",
        "step": 0,
        "weight": 10,
    }


def test_a_receiver_can_verify_who_sent_it():
    """As standardwebhooks.com has it, worked out here once more."""
    one = sent()
    name, stamp = one.headers["webhook-id"], one.headers["webhook-timestamp"]
    assert (name, stamp) == ("demo.cat-v2.1.2", str(int(NOW.timestamp())))
    digest = hmac.digest(b"s3cret", f"{name}.{stamp}.".encode() + one.body, hashlib.sha256)
    assert one.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


def test_the_specifications_own_example():
    key = signing_key(base64.b64encode(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").decode())
    body = b'{"test": 2432232314}'
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_it_is_not_signed():
    assert "webhook-signature" not in sent(key=None).headers


@pytest.mark.parametrize(
    ("answers", "attempts", "wrong"),
    [
        ([200], 1, ""),
        ([204], 1, ""),
        ([503, 429, 200], 3, ""),
        ([500], 5, "HTTP 500"),
        ([400], 1, "HTTP 400"),
        ([302], 1, "HTTP 302"),
    ],
)
def test_it_is_sent_again_where_that_may_help(answers, attempts, wrong):
    slept = []
    with answering(*((status, "") for status in answers)) as server:
        found = deliver(server.url + "/hook", slept.append)
    assert found == wrong
    assert len(server.seen) == attempts
    assert slept == list(PAUSES)[: attempts - 1]
    assert {headers["webhook-id"] for _, _, headers, _ in server.seen} == {"demo.cat-v2.1.2"}
    assert {body for *_, body in server.seen} == {sent().body}


def test_nobody_there_is_said_and_nothing_is_raised():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    slept = []
    assert deliver(url, slept.append) == "connection refused"
    assert slept == [1, 2, 4, 8]
    assert deliver(url, slept.append, patient=False) == "connection refused"
    assert slept == [1, 2, 4, 8]


KEYS = st.binary(min_size=1, max_size=64).filter(bytes.strip)


def in_a_secret(value):
    """A value as `data` of a Secret has it."""
    return base64.b64encode(value).decode()


def verified(library_key, one):
    Library(library_key).verify(one.body, one.headers)


@given(KEYS.filter(lambda key: not key.startswith((b"whsec_", b"whsk_"))))
@example(bytes(range(128, 160)))
@example(b"\xff\xfe\x00")
@example(b"line break at the end\n")
def test_the_standard_library_of_webhooks_verifies_what_is_signed_with_any_bytes(key):
    assert signing_key(in_a_secret(key)) == key
    verified(key, sent(key=signing_key(in_a_secret(key)), now=datetime.now(UTC)))


@given(KEYS, st.booleans(), st.sampled_from(["", "\n", " \n"]))
def test_it_verifies_by_a_key_as_receivers_show_it(key, padded, end):
    shown = "whsec_" + (base64.b64encode(key).decode() if padded else base64.b64encode(key).decode().rstrip("="))
    verified(shown, sent(key=signing_key(in_a_secret((shown + end).encode())), now=datetime.now(UTC)))


@given(KEYS, KEYS)
def test_it_refuses_another_key_another_body_another_id_and_another_time(key, other):
    one = sent(key=key, now=datetime.now(UTC))
    changed = {**one.headers, "webhook-id": "x"}
    later = {**one.headers, "webhook-timestamp": str(int(one.headers["webhook-timestamp"]) + 1)}
    for body, headers in ((one.body + b" ", one.headers), (one.body, changed), (one.body, later)):
        with pytest.raises(WebhookVerificationError):
            Library(key).verify(body, headers)
    if other != key:
        with pytest.raises(WebhookVerificationError):
            verified(other, one)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "it is empty"),
        (in_a_secret(b"\n"), "it is empty"),
        (in_a_secret(b"whsec_"), "it is empty"),
        (in_a_secret(b"whsec_\n"), "it is empty"),
        (in_a_secret(b"whsec_T0K3N!"), "what follows whsec_ is no base64"),
        (in_a_secret(b"whsec_T0K3N-_-"), "what follows whsec_ is no base64"),
        (in_a_secret(b"whsec_T0K3N"), "what follows whsec_ is no base64"),
        (in_a_secret(b"whsk_T0K3N"), "whsk_ begins a private key"),
        ("T0K3N!", "it is no base64"),
        ("\ud800", "it is no base64"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_without_being_shown(value, said):
    with pytest.raises(KeyUnusableError, match=said) as error:
        signing_key(value)
    assert "T0K3N" not in str(error.value)
