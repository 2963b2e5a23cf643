"""WSGI as such: bodies that are made step by step, on threads that serve others in between."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from wsgiref.util import FileWrapper

import pytest
from opentelemetry import baggage
from opentelemetry.context import attach, get_current

from propagation import PropagationConfig, WSGIMiddleware, extract, get, inject, use
from propagation.attachment import AROUND


class Body:
    """A body that tells which tag each of its steps saw."""

    def __init__(self, saw, count=2):
        self.saw, self.count = saw, count

    def __iter__(self):
        self.saw.append(f"iter {get('env')}")
        return self

    def __next__(self):
        self.saw.append(f"next {get('env')}")
        self.count -= 1
        if self.count < 0:
            raise StopIteration
        return b"x"

    def close(self):
        self.saw.append(f"close {get('env')}")


def serve(body, header="gray"):
    return WSGIMiddleware(lambda environ, start_response: body)({"HTTP_ENV": header}, None)


def test_a_body_has_the_tag_until_it_is_closed_and_the_thread_has_it_not_in_between():
    saw = []
    body = serve(Body(saw))
    for _ in body:
        assert get("env") is None
    assert get("env") is None
    body.close()
    assert get("env") is None
    assert saw == ["iter gray", "next gray", "next gray", "next gray", "close gray"]


def test_bodies_of_two_requests_by_turns_on_one_thread():
    saw = {"gray": [], "prod": []}
    bodies = {lane: serve(Body(saw[lane]), lane) for lane in saw}
    for _ in range(2):
        for lane, body in bodies.items():
            next(body)
            saw[lane].append(get("env"))
    for body in bodies.values():
        body.close()
    assert saw == {lane: [f"iter {lane}", f"next {lane}", None, f"next {lane}", None, f"close {lane}"] for lane in saw}


def test_each_step_may_run_on_another_thread_and_in_another_context(caplog):
    saw = []
    body = serve(Body(saw))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(next, body).result()
        copy_context().run(next, body)
        pool.submit(body.close).result()
        assert pool.submit(get, "env").result() is None
    assert saw == ["iter gray", "next gray", "next gray", "close gray"]
    assert caplog.records == []


def test_a_generator_that_is_dropped_and_never_closed_says_nothing_in_the_log(caplog):
    def parts():
        yield b"x"
        yield b"y"

    body = serve(parts())
    next(body)
    del body
    assert caplog.records == []


def test_what_the_app_set_in_one_step_is_there_in_the_next():
    saw = []

    def parts():
        with use(env="prod"):
            yield b"x"
            saw.append(get("env"))
        saw.append(get("env"))

    assert list(serve(parts())) == [b"x"]
    assert saw == ["prod", "gray"]


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
@pytest.mark.parametrize("where", ["call", "next", "close"])
def test_the_context_is_as_before_after_an_exception(error, where):
    class Broken(Body):
        def __next__(self):
            raise error if where == "next" else StopIteration

        def close(self):
            raise error

    def app(environ, start_response):
        if where == "call":
            raise error
        return Broken([])

    def whole():
        body = WSGIMiddleware(app)({"HTTP_ENV": "gray"}, None)
        list(body)
        body.close()

    with use(env="blue"):
        before = get_current()
        with pytest.raises(error):
            whole()
        assert get_current() is before


@pytest.mark.parametrize("body", [[b"x"], (b"x",), FileWrapper(None)], ids=["list", "tuple", "file"])
def test_a_body_that_a_server_treats_in_its_own_way_stays_what_it_is(body):
    environ = {"HTTP_ENV": "gray", "wsgi.file_wrapper": FileWrapper}
    assert WSGIMiddleware(lambda environ, start_response: body)(environ, None) is body


def test_a_file_wrapper_that_is_a_function_is_no_error():
    environ = {"HTTP_ENV": "gray", "wsgi.file_wrapper": lambda file, size: file}
    body = WSGIMiddleware(lambda environ, start_response: iter([b"x"]))(environ, None)
    assert list(body) == [b"x"]


def test_equal_values_that_the_server_joined_count_as_one():
    saw = []
    for joined in ("gray,gray", "gray, gray", "gray,prod", "gray,"):
        list(serve(Body(saw, 0), joined))
    assert [line.split()[1] for line in saw if line.startswith("iter")] == ["gray", "gray", "None", "None"]


def test_a_request_is_read_once_and_an_edge_takes_the_headers_away():
    saw = []

    def inner(environ, start_response):
        saw.append((get("env"), "HTTP_ENV" in environ))
        return []

    def outer(environ, start_response):
        with use(env="prod"):
            return WSGIMiddleware(inner)(environ, start_response)

    WSGIMiddleware(outer)({"HTTP_ENV": "gray"}, None)
    WSGIMiddleware(inner, PropagationConfig(trust_inbound=False))({"HTTP_ENV": "gray", "HTTP_BAGGAGE": "a=1"}, None)
    assert saw == [("prod", True), (None, False)]


def test_a_thousand_jobs_on_eight_threads_do_not_see_each_others_tag():
    lanes = ("gray", "prod", None)

    def job(number):
        lane = lanes[number % 3]
        with use(extract({"env": lane} if lane else {})):
            time.sleep(0)
            return get("env") == lane

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(job, range(1000)))


def attaching(environ, start_response):
    """An app that attaches what it never detaches: on /attach, and in its body on /body; it says what it saw."""
    saw = f"{get('env')} {inject({})}"
    if environ["PATH_INFO"] == "/attach":
        attach(baggage.set_baggage("env", "gray"))
        use(env="gray").__enter__()
    return parts(saw) if environ["PATH_INFO"] == "/body" else [saw.encode()]


def parts(saw):
    yield saw.encode()
    attach(baggage.set_baggage("env", "gray"))
    use(env="prod").__enter__()
    yield b""


@pytest.mark.parametrize("path", ["/attach", "/body"])
@pytest.mark.parametrize("headers", [{}, {"HTTP_ENV": "prod"}], ids=["untagged", "tagged"])
def test_what_an_app_leaves_attached_is_gone_with_its_request(path, headers, caplog):
    app = WSGIMiddleware(attaching)

    def requests():
        said = []
        for path_info, more in [("/", {}), (path, headers), ("/", {}), (path, headers), ("/body", {}), ("/", {})]:
            body = app({"PATH_INFO": path_info, **more}, None)
            said.append(b"".join(body).decode())
            assert get_current() == {}
            if hasattr(body, "close"):
                body.close()
        return said

    with ThreadPoolExecutor(1) as thread:
        said = thread.submit(requests).result()
        assert thread.submit(AROUND.get).result() == ()  # blocks that never end are not kept either
    assert [said[index] for index in (0, 2, 4, 5)] == ["None {}"] * 4
    assert caplog.records == []


def test_what_an_untagged_request_attaches_holds_until_its_body_ends():
    def app(environ, start_response):
        use(env="prod").__enter__()
        return rest()

    def rest():
        yield get("env")
        yield get("env")

    assert list(WSGIMiddleware(app)({}, None)) == ["prod", "prod"]
    assert get("env") is None
