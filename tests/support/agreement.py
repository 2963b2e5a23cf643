"""What `simulate` says comes of a request, held against what a real Envoy does with it."""

import json
import math
import re
from collections import Counter
from dataclasses import replace

from meshconfig.simulate import Destination, DirectResponse, Failure, Redirect, simulate

SAMPLES = 40  # requests where the answer is a matter of chance
OWN = ("x-request-id", "x-forwarded-", "x-envoy-", "host", "content-length")  # headers that the way there adds
INJECTED = "fault filter abort"  # what Envoy says when it answers for a fault


def expected(decision):
    """(status, who, path, the headers that reach it) → its probability."""
    chances = Counter()
    for share in decision.shares:
        match share.outcome:
            case Destination() as one:
                name = f"{one.host.split('-svc.')[0]}/{dict(one.labels).get('env', '')}"
                chances[(200, name, one.path, tuple(sorted(one.headers)))] += share.probability
            case Redirect() as one:
                chances[(one.status, one.location, "", ())] += share.probability
            case DirectResponse() as one:
                chances[(one.status, one.body, "", ())] += share.probability
            case Failure() as one:
                chances[(one.status, "", "", ())] += share.probability
            case other:
                raise AssertionError(other)
    return chances


def seen(reply):
    if reply.status != 200:
        own = reply.body.decode().removeprefix(INJECTED)
        return reply.status, reply.location or own, "", ()
    said = json.loads(reply.body)
    headers = [(name.lower(), value) for name, value in said["headers"] if not name.lower().startswith(OWN)]
    return 200, said["who"], said["path"], tuple(sorted(headers))


BUCKET = re.compile(r"bucket=([0-9]+); Path=/; Max-Age=[0-9]+; HttpOnly; SameSite=Lax")


def keeps(index, request, answer, who, set_cookie):
    """What a draw sets leads to where the draw has led; and nothing but a draw sets a bucket.

    Parameters:
        answer: what came back.
        who: (status, who answered) of an answer, and of an expected one.
        set_cookie: the answer's.
    """
    drawn, route = BUCKET.fullmatch(set_cookie), simulate(index, request).route
    assert not (drawn and route.name != "default"), f"{request} is set a bucket by {route}"
    if not drawn:
        return
    others = tuple((name, value) for name, value in request.pairs if name != "cookie")
    again = replace(request, headers=(*others, ("cookie", f"bucket={drawn[1]}")))
    decision = simulate(index, again)
    assert decision.route.name.startswith("bucket:"), f"{again} is taken by {decision.route}"
    assert who(answer) in {who(one) for one in expected(decision)}, f"{request}: {answer}, then {decision}"


def agree(decision, send, what):
    assert not decision.undecided
    chances = expected(decision)
    times = 1 if len(chances) == 1 else SAMPLES
    got = Counter(seen(send()) for _ in range(times))
    assert set(got) <= set(chances), f"{what}: Envoy {got}, simulate {chances}"
    for outcome, chance in chances.items():
        slack = 6 * math.sqrt(float(chance * (1 - chance)) / times) + 1 / times
        assert abs(got[outcome] / times - chance) <= slack, f"{what}: Envoy {got}, simulate {chances}"
