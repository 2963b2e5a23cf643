"""What is public, and what importing it costs."""

import functools
import importlib.metadata
import logging
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

import propagation
from propagation import ConfigError, instrument, instrumentation, registry, uninstrument


def test_the_public_names_are_the_issues_and_sorted():
    assert propagation.__all__ == [
        "ASGIMiddleware",
        "ConfigError",
        "InvalidValueError",
        "PropagationConfig",
        "PropagationError",
        "RemoteFieldsPropagator",
        "WSGIMiddleware",
        "detached",
        "extract",
        "get",
        "inject",
        "instrument",
        "uninstrument",
        "use",
    ]
    assert all(callable(getattr(propagation, name)) for name in propagation.__all__)


def test_the_version_is_that_of_the_installed_package():
    assert propagation.__version__ == version("graylane"), "make setup installs it anew"


def test_importing_loads_no_client_library_and_no_sdk():
    code = "import sys, propagation; print(*sorted({name.split('.')[0] for name in sys.modules} | set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    libraries = {entry.package for entry in registry.REGISTRY.values()} - sys.stdlib_module_names
    assert {"httpx", "httpx2"} <= libraries
    foreign = libraries | {"opentelemetry.sdk", "opentelemetry.instrumentation", "starlette", "wrapt"}
    assert foreign.isdisjoint(loaded)


def test_importing_loads_no_module_of_ours_before_a_name_is_used():
    code = "import sys, propagation; print(*[name for name in sys.modules if name.startswith('propagation')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(loaded) == ["propagation", "propagation.lazy"]


def test_a_name_is_the_packages_though_a_submodule_is_called_so():
    code = """
import propagation.extract, propagation.inject
from propagation.extract import read_into
from propagation import *
import propagation as package
assert callable(extract) and callable(inject) and package.extract is extract
assert set(package.__all__) <= set(dir(package)) and package.config.PropagationConfig is PropagationConfig
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_client_is_loaded_when_it_is_first_named():
    code = "import propagation; print(propagation.clients.httpx.PropagatingTransport.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "PropagatingTransport"


LIBRARY: Any = propagation  # mypy knows no submodule that is loaded when it is first named


@pytest.mark.parametrize("owner", [LIBRARY, LIBRARY.clients])
def test_a_module_that_is_not_there_is_an_attribute_error(owner):
    with pytest.raises(AttributeError, match="has no attribute 'htpx'"):
        owner.htpx  # noqa: B018 - the access is what is tested


def test_a_client_whose_library_is_missing_says_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx2", None)
    monkeypatch.delitem(sys.modules, "propagation.clients.httpx2", raising=False)
    monkeypatch.delitem(vars(LIBRARY.clients), "httpx2", raising=False)
    with pytest.raises(ModuleNotFoundError, match="httpx2"):
        LIBRARY.clients.httpx2  # noqa: B018


def test_instrument_twice_is_instrument_once():
    import httpx

    plain = httpx.HTTPTransport.handle_request
    assert instrument("httpx") == ("httpx",)
    once = httpx.HTTPTransport.handle_request
    instrument("httpx")
    assert httpx.HTTPTransport.handle_request is once
    uninstrument("httpx")
    uninstrument("httpx")
    assert httpx.HTTPTransport.handle_request is plain


def test_instrument_without_names_takes_every_client_that_is_installed(monkeypatch):
    for name in registry.REGISTRY.keys() - {"httpx", "threading"}:
        monkeypatch.delitem(registry.REGISTRY, name)
    monkeypatch.setitem(registry.REGISTRY, "gone", registry.Library("no_such_library", "x"))
    try:
        assert instrument() == ("httpx",)
        assert instrumentation.is_instrumented("httpx")
    finally:
        uninstrument()
    assert not instrumentation.is_instrumented("httpx")


def test_a_library_that_cannot_be_carried_does_not_keep_the_others(monkeypatch, caplog):
    for name in registry.REGISTRY.keys() - {"httpx"}:
        monkeypatch.delitem(registry.REGISTRY, name)
    # As where a module of the program has a library's name.
    monkeypatch.setitem(registry.REGISTRY, "kafka", registry.Library("json", "propagation.no_such_module"))
    try:
        with caplog.at_level(logging.WARNING):
            assert instrument() == ("httpx",)
    finally:
        uninstrument()
    assert "instrument: json is left alone" in caplog.text
    with pytest.raises(ModuleNotFoundError):
        instrument("kafka")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("htpx", r"^instrument: 'htpx' is not known; did you mean 'httpx'\?$"),
        ("fax", r"^instrument: 'fax' is not known; known are httpx, "),
    ],
)
def test_an_unknown_library_is_named(name, message):
    with pytest.raises(ConfigError, match=message):
        instrument(name)
    with pytest.raises(ConfigError, match=message.replace("instrument", "uninstrument")):
        uninstrument(name)


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(registry.REGISTRY, "gone", registry.Library("no_such_library", "x"))
    with pytest.raises(ConfigError, match=r"^instrument: no_such_library is not installed$"):
        instrument("gone")


@pytest.mark.parametrize("name", [name for name in registry.REGISTRY if registry.is_installed(name)])
def test_each_line_of_the_registry_has_its_module_and_its_description(name):
    found = registry.descriptor(name)
    assert callable(registry.module_of(name).install)
    assert found.distribution is None or importlib.metadata.version(found.distribution)
    line = registry.REGISTRY[name]
    assert (line.default and not line.background) == (found.sends is not None)
    for explicit in found.explicit:
        assert callable(functools.reduce(getattr, explicit.split(".")[1:], propagation))
