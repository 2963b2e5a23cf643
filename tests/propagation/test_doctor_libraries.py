"""The doctor and libraries that it cannot see into, does not know, or that came before `instrument()`."""

import subprocess
import sys

import pytest
from doctor_lines import marks

from propagation import instrument, uninstrument

pytestmark = pytest.mark.slow  # each starts the doctor as a process
APP = """
import propagation
{before}
propagation.instrument()
{after}
@propagation.WSGIMiddleware
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
"""
EARLY = {
    "a function": ("from grpc import insecure_channel", "shop.insecure_channel is grpc.insecure_channel"),
    "another name": ("from grpc import secure_channel as connect", "shop.connect is grpc.secure_channel"),
    "grpc.aio": ("from grpc.aio import insecure_channel", "shop.insecure_channel is grpc.aio.insecure_channel"),
    "a class": ("from confluent_kafka import Producer", "shop.Producer is confluent_kafka.Producer"),
    "a channel": ("import grpc\nmade = grpc.insecure_channel('mouse-svc:9003')", "channel to dns:///mouse-svc:9003"),
    "an intercepted channel": (
        "import grpc\nclass I(grpc.UnaryUnaryClientInterceptor):\n    def intercept_unary_unary(self, c, d, r): ...\n"
        "made = grpc.intercept_channel(grpc.insecure_channel('mouse-svc:9003'), I())",
        "channel to dns:///mouse-svc:9003",
    ),
    "a producer": (
        "import confluent_kafka\nmade = confluent_kafka.Producer({})",
        "1 confluent_kafka.Producer was made",
    ),
}


def test_a_client_in_c_is_said_to_be_unseen(doctor, monkeypatch):
    code = """
        import pycurl, propagation
        def app(environ, start_response):
            start_response("200 OK", [])
            return [b""]
        app = propagation.WSGIMiddleware(app)
    """
    pytest.importorskip("pycurl")
    exit_code, out, _ = doctor(code, "shop:app")
    assert exit_code == 0
    assert marks(out, "calls by", "pycurl", "are not seen") == ["note"]
    assert not any("each as it should be" in line for line in out)


@pytest.mark.parametrize(
    ("package", "distribution", "summary", "text"),
    [
        ("pynng", "pynng", "Networking made simply using nng", "its calls are not seen"),
        ("primp", "primp", "", "its calls are not seen"),
        ("treq", "treq", "High-level Twisted HTTP Client API", "knows nothing of"),
        ("hexhttp", "hex-http", "The sixteenth-generation HTTP client", "knows nothing of"),
        ("quickws", "quickws", "A fast WebSocket client and server", "knows nothing of"),
        ("ourmq", "ourmq", "Clients for AMQP 1.0", "knows nothing of"),
    ],
)
def test_a_client_that_it_does_not_know_is_listed(doctor, tmp_path, package, distribution, summary, text):
    (tmp_path / f"{package}.py").write_text("")
    info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\nSummary: {summary}\n")
    (info / "RECORD").write_text(f"{package}.py,,\n")
    _, out, _ = doctor("")
    assert marks(out, f"{package} 1.2", text) == ["note"]
    app = APP.replace("propagation.instrument()", "").format(before="", after="")
    _, out, _ = doctor(app, "shop:app")
    assert marks(out, "not loaded by the app", package) == ["note"]
    _, out, _ = doctor(f"import {package}\n{app}", "shop:app")
    assert marks(out, f"{package} 1.2", text) == ["note"]
    sys.modules.pop(package, None)


def test_what_is_no_client_is_not_listed(doctor):
    _, out, _ = doctor("")
    for package in (
        "starlette",
        "uvicorn",
        "h11",
        "httpcore",
        "yarl",
        "flask",
        "jinja2",
        "kubernetes",
        "requests_oauthlib",
    ):
        assert not any(f" {package} " in line for line in out), package


@pytest.mark.parametrize("name", EARLY)
def test_what_was_there_before_instrument_is_found(tmp_path, name):
    early, text = EARLY[name]

    def run(**parts):
        (tmp_path / "shop.py").write_text(APP.format(**{"before": "", "after": "", **parts}))
        done = subprocess.run(
            [sys.executable, "-m", "propagation", "doctor", "shop:app"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()

    code, out = run(before=early)
    assert marks(out, text, "before instrument()") == ["lost"]
    assert code == 1
    code, out = run(after=early)
    assert marks(out, "before instrument()") == []
    assert code == 0


def test_a_channel_with_an_interceptor_of_ours_is_not_early(doctor):
    code = """
        import grpc, propagation
        from propagation.clients.grpc import PropagatingInterceptor, aio_interceptors
        made = grpc.intercept_channel(grpc.insecure_channel("mouse-svc:9003"), PropagatingInterceptor("mouse-svc:9003"))
        propagation.instrument("grpc")
        @propagation.WSGIMiddleware
        def app(environ, start_response):
            start_response("200 OK", [])
            return [b""]
    """
    _, out, _ = doctor(code, "shop:app")
    assert marks(out, "before instrument()") == []


def test_taken_back_nothing_is_early(doctor):
    instrument("grpc")
    uninstrument("grpc")
    assert marks(doctor("from grpc import insecure_channel")[1], "before instrument()") == []
