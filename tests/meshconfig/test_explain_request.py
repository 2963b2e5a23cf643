"""The request that `graylane explain` makes of its options, whatever is typed."""

import yaml
from hypothesis import given
from hypothesis import strategies as st
from istio_world import gateway, in_mesh, says, service, virtual_service

from meshconfig.cli.explain_input import read
from meshconfig.errors import InputError
from meshconfig.explain import Asked, Names, request
from meshconfig.simulate import near_misses, simulate

LABEL = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
PATH = st.from_regex(r"(/[a-zA-Z0-9._~-]{0,5}){1,3}(\\?[a-z=&]{0,6})?", fullmatch=True)
PORT = st.integers(1, 65535)
SCHEME = st.sampled_from(["http", "https"])
WORLD = (
    service("cat"),
    service("db", clusterIP="None"),
    gateway(port=8080),
    virtual_service("shop", says(201)),
    in_mesh("cat", says(202)),
    in_mesh("half", says(203), hosts=("db.demo",)),
)


def names(tmp_path_factory):
    file = tmp_path_factory.mktemp("explain") / "world.yaml"
    file.write_text(yaml.safe_dump_all(WORLD))
    return Names(read([str(file)], "default"))


def test_a_url_and_its_parts_make_one_request(tmp_path_factory):
    known = names(tmp_path_factory)

    @given(HOST, PORT, PATH, SCHEME, st.sampled_from([None, "demo/"]))
    def check(host, port, path, scheme, source):
        whole = Asked(f"{scheme}://{host}:{port}{path}", source=source)
        parts = Asked(host, path, source=source, port=port, scheme=scheme)
        (one, origin), (other, same) = request(known, whole), request(known, parts)
        assert origin == same
        assert (one.path, one.scheme, one.authority_host) == (other.path, other.scheme, other.authority_host)
        assert (one.port or one.authority_port) == (other.port or other.authority_port) == port
        assert simulate(known.given.index, one).route == simulate(known.given.index, other).route

    check()


def test_whatever_is_typed_is_answered_or_refused(tmp_path_factory):
    known = names(tmp_path_factory)
    text = st.text(st.characters(max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"]), max_size=24)
    typed = text | st.builds("{}{}".format, st.sampled_from(["http://", "//", "cat", "*.", "[::1]", "@", ":"]), text)

    @given(typed, st.none() | typed, st.none() | typed, st.none() | st.integers(-1, 70000))
    def check(host, path, source, port):
        try:
            made, _ = request(known, Asked(host, path, source=source, port=port))
        except InputError:
            return
        decision = simulate(known.given.index, made)
        assert sum(share.probability for share in decision.shares) == 1
        near_misses(known.given.index, made, decision)

    check()
