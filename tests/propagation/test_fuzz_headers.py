"""Whatever comes in: never an error, never more than the rules let through, and nothing lost on the way out.

The four together draw a million inputs in `make fuzz`.
"""

import re

from fuzzing import fuzz, several, text
from opentelemetry.context import Context

from propagation import ASGIMiddleware, PropagationConfig, WSGIMiddleware, extract, get, inject

LISTED = PropagationConfig(key_names={"env": ("env", "x-env")}, allowed_values={"env": {"gray", "prod"}})
ANY = PropagationConfig(key_names={"env": ("env", "x-env")})
CONFIGS = (LISTED, ANY)

TAGS = ("gray", "prod", "gray.next", "blue", "", "a b", "gray.", "x" * 65)
FOREIGN = ("1", "a+b", "%C3%A9", "%zz", '"q"')
STRANGE = ("env=gr%61y", "env = prod ; p=1", "env=gray+x", "env", "", " ")
SPACES = ("", " ", "\t")
LATIN_1 = [chr(code) for code in range(256)]
OCTETS = [chr(code) for code in range(0x21, 0x7F) if chr(code) not in ",;"]


def odd(rng):
    return text(rng, LATIN_1, 20)


def tag_or_odd(rng):
    return rng.choice(TAGS) if rng.random() < 0.5 else odd(rng)


def member(rng):
    match rng.randrange(4):
        case 0:
            return f"env={rng.choice(TAGS)}"
        case 1:
            return f"{rng.choice('abc')}={rng.choice(FOREIGN)}{rng.choice(('', ';ttl=5'))}"
        case 2:
            return rng.choice(STRANGE)
    return odd(rng)


def bag(rng):
    return ",".join(several(rng, lambda rng: rng.choice(SPACES) + member(rng) + rng.choice(SPACES), 6))


def cased(rng, name):
    return "".join(char.upper() if rng.random() < 0.5 else char for char in name)


def header(rng):
    match rng.randrange(4):
        case 0:
            return cased(rng, "env"), tag_or_odd(rng)
        case 1:
            return cased(rng, "x-env"), tag_or_odd(rng)
        case 2:
            return cased(rng, "baggage"), bag(rng)
    return rng.choice(("accept", "en", "envv", "referer")), odd(rng)


def headers(rng):
    return several(rng, header, 6)


def plain_member(rng):
    return f"{rng.choice('abcd')}={text(rng, OCTETS, 6)}{rng.choice(('', ';ttl=5', ';a;b=1'))}"


def expected_tag(pairs, config):
    """The rules of reading once more, as plainly as they can be put."""

    def one_good(values):
        values = {value.strip(" \t") for value in values}
        whole = values.pop()
        lane = whole.split(".")[0]
        good = re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9._-]+)?", whole) and len(whole) <= 64
        listed = not config.allowed_values or lane in config.allowed_values["env"]
        return whole if not values and good and listed else None

    for name in ("env", "x-env"):
        if values := [value for key, value in pairs if key.lower() == name]:
            return one_good(values)
    parts = [part for key, value in pairs if key.lower() == "baggage" for part in value.split(",")]
    ours = [part.split("=", 1)[1].split(";")[0] for part in parts if re.match(r"[ \t]*env[ \t]*=", part)]
    return one_good([value.replace("%61", "a") for value in ours]) if ours else None


@fuzz
def test_fuzz_what_is_read_is_what_the_rules_say(rng):
    pairs, config = headers(rng), rng.choice(CONFIGS)
    whole = expected_tag(pairs, config)
    context = extract(pairs, config=config, context=Context())
    assert get("env", context) == (whole.split(".")[0] if whole else None)
    sent = inject({}, context=context)
    assert sent.get("env") == whole
    assert all(re.fullmatch(r"[\t\x20-\x7e]*", value) for value in sent.values())


@fuzz
def test_fuzz_no_bytes_are_an_error(rng):
    pairs = several(
        rng, lambda rng: (rng.choice((b"env", b"Baggage", b"x-env")), rng.randbytes(rng.randint(0, 300))), 5
    )
    config = rng.choice(CONFIGS)
    context = extract(pairs, config=config, context=Context())
    tag = get("env", context)
    assert tag is None or re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tag)
    sent = inject([], context=context)
    assert not re.search(r"[^\t\x20-\x7e]", "".join(value for _, value in sent))
    assert extract(sent, config=config, context=Context()).keys() <= context.keys()
    assert get("env", extract(sent, config=config, context=Context())) == tag


@fuzz
def test_fuzz_foreign_members_keep_their_bytes_and_their_number(rng):
    came, own, tag = several(rng, plain_member, 8), several(rng, plain_member, 8), rng.choice(TAGS)
    context = extract([("env", tag), ("baggage", ",".join(came))], config=ANY, context=Context())
    sent = inject({"baggage": ",".join(own)} if own else {}, context=context)
    once = dict(sent)
    assert inject(sent, context=context) == once
    members = once["baggage"].split(",") if "baggage" in once else []
    keys = {one.split("=")[0] for one in own}
    ours = [f"env={once['env']}"] if "env" in once else []
    passed = [one for one in came if one.split("=")[0] not in keys]
    # The caller's own as they are, but where one is what OpenTelemetry makes of a member that came in.
    assert members[: len(ours)] == ours
    assert [one.split("=")[0] for one in members[len(ours) :][: len(own)]] == [one.split("=")[0] for one in own]
    assert sorted(members[len(ours) + len(own) :]) == sorted(passed)


@fuzz
def test_fuzz_asgi_wsgi_and_extract_agree(rng):
    pairs = headers(rng)
    # A server joins what came twice by a comma for WSGI, so give it each name once.
    pairs = list(
        {key.lower(): (key, value) for key, value in pairs if "," not in value or key.lower() == "baggage"}.values()
    )
    seen = []

    async def asgi(scope, receive, send):
        seen.append(inject({}))

    def wsgi(environ, start_response):
        seen.append(inject({}))
        return []

    scope = {"type": "http", "headers": [(key.encode(), value.encode("latin-1")) for key, value in pairs]}
    drive(ASGIMiddleware(asgi, config=ANY)(scope, None, None))
    environ = {"HTTP_" + key.upper().replace("-", "_"): value for key, value in pairs}
    WSGIMiddleware(wsgi, config=ANY)(environ, None)
    assert seen == [inject({}, context=extract(pairs, config=ANY, context=Context()))] * 2


def drive(coroutine):
    """Run what waits for nothing; a loop for each of a million would take an hour."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waited")
