"""A config that cannot work fails when it is built, in one line that names the option."""

import pytest

from propagation import (
    ASGIMiddleware,
    ConfigError,
    PropagationConfig,
    RemoteFieldsPropagator,
    WSGIMiddleware,
    instrument,
)
from propagation.environment import READERS
from propagation.instrumentation import is_instrumented
from propagation.registry import REGISTRY


def test_the_defaults_are_the_issues():
    config = PropagationConfig()
    assert config.remote_fields == ("env",)
    assert config.key_names == {"env": ("env",)}
    assert config.origin == {"env": None}
    assert (config.allowed_values, config.allowed_hosts, config.baggage) == (None, None, "passthrough")
    assert config.trust_inbound is True
    assert config.echo is False


def test_every_option_can_be_set_in_the_environment():
    config = PropagationConfig.from_env(
        {
            "PROPAGATION_REMOTE_FIELDS": "env, x-request-id",
            "PROPAGATION_LOCAL_FIELDS": "user",
            "PROPAGATION_TAG_FIELDS": "env",
            "PROPAGATION_CORRELATION_FIELDS": "env,user",
            "PROPAGATION_KEY_NAMES": "env=env|X-Env",
            "PROPAGATION_ALLOWED_VALUES": "env=prod|gray",
            "PROPAGATION_ALLOWED_HOSTS": ".svc.cluster.local,10.0.0.0/8",
            "PROPAGATION_BAGGAGE": "declared",
            "PROPAGATION_TRUST_INBOUND": "false",
            "PROPAGATION_ORIGIN": "env=gray",
            "PROPAGATION_ECHO": "1",
            "PROPAGATION_EMPTY": "",
            "PATH": "/bin",
        }
    )
    assert config == PropagationConfig(
        remote_fields=("env", "x-request-id"),
        local_fields=("user",),
        tag_fields=("env",),
        correlation_fields=("env", "user"),
        key_names={"env": ("env", "x-env")},
        allowed_values={"env": {"prod", "gray"}},
        allowed_hosts=(".svc.cluster.local", "10.0.0.0/8"),
        baggage="declared",
        trust_inbound=False,
        origin={"env": "gray"},
        echo=True,
    )


@pytest.mark.parametrize("value", ["", " ", ",", " , ,"])
@pytest.mark.parametrize("option", READERS)
def test_an_empty_variable_is_an_error(option, value):
    variable = f"PROPAGATION_{option.upper()}"
    with pytest.raises(ConfigError, match=rf"^{variable}: empty; unset it for the default, or give a value$"):
        PropagationConfig.from_env({variable: value})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"PROPAGATION_REMOTE_FIELD": "env"},
            "PROPAGATION_REMOTE_FIELD: no such option; did you mean PROPAGATION_REMOTE",
        ),
        ({"PROPAGATION_TRUST_INBOUND": "perhaps"}, "PROPAGATION_TRUST_INBOUND: 'perhaps' is neither true nor false"),
        ({"PROPAGATION_ORIGIN": "gray"}, "PROPAGATION_ORIGIN: 'gray' is not field=value"),
        ({"PROPAGATION_BAGGAGE": "all"}, "PROPAGATION_BAGGAGE: 'all' is not known; there are passthrough, declared"),
        (
            {"PROPAGATION_BAGGAGE": "passtrough"},
            "PROPAGATION_BAGGAGE: 'passtrough' is not known; did you mean 'passthrough'?",
        ),
        ({"PROPAGATION_TAG_FIELDS": "emv"}, "PROPAGATION_TAG_FIELDS: 'emv' is not declared; did you mean 'env'?"),
        ({"PROPAGATION_LOCAL_FIELDS": "env"}, "PROPAGATION_REMOTE_FIELDS, PROPAGATION_LOCAL_FIELDS: 'env' is decl"),
        ({"PROPAGATION_ALLOWED_VALUES": "env=prod,env=gray"}, "PROPAGATION_ALLOWED_VALUES: 'env' is given twice"),
    ],
)
def test_a_bad_variable_is_named(environ, message):
    with pytest.raises(ConfigError) as caught:
        PropagationConfig.from_env(environ)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("start", [ASGIMiddleware, WSGIMiddleware, RemoteFieldsPropagator, instrument])
def test_a_bad_variable_fails_at_the_start_and_not_in_a_request(start, environment):
    environment(baggage="of")
    with pytest.raises(ConfigError, match=r"^PROPAGATION_BAGGAGE: 'of' is not known; did you mean 'off'\?$"):
        start(*[None] * (start in (ASGIMiddleware, WSGIMiddleware)))
    assert not any(map(is_instrumented, REGISTRY))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"remote_fields": "env"}, "remote_fields: give a tuple of names, not the string 'env'"),
        ({"remote_fields": ("env", "env")}, "remote_fields, local_fields: 'env' is declared twice"),
        ({"local_fields": ("env",)}, "remote_fields, local_fields: 'env' is declared twice"),
        ({"remote_fields": ("bad name",)}, "remote_fields: 'bad name' cannot be a header's name"),
        ({"remote_fields": ("env", "Env")}, "key_names: 'env' and 'Env' both use the header 'env'"),
        ({"remote_fields": ("host",)}, "key_names: 'host' cannot be carried by the header 'host'"),
        ({"key_names": {"env": ("baggage",)}}, "key_names: 'env' cannot be carried by the header 'baggage'"),
        ({"key_names": {"env": ()}}, "key_names: 'env' has no header"),
        ({"key_names": {"evn": ("env",)}}, "key_names: 'evn' is not declared; did you mean 'env'?"),
        ({"tag_fields": ("user",)}, "tag_fields: 'user' is not declared; declared are env"),
        ({"allowed_values": {"env": {"a b"}}}, "allowed_values: 'env' cannot be 'a b'"),
        ({"allowed_values": {"env": {"gray.next"}}}, "allowed_values: 'env' cannot be 'gray.next'"),
        ({"allowed_values": {"env": "gray"}}, "allowed_values: give a tuple of names, not the string 'gray'"),
        ({"allowed_values": {"env": {"gray"}}, "origin": {"env": "blue"}}, "origin: 'env' cannot be 'blue'"),
        ({"trust_inbound": "no"}, "trust_inbound: 'no' is neither True nor False"),
        ({"allowed_hosts": ("http://mouse",)}, "allowed_hosts: 'http://mouse' is not a host"),
        ({"allowed_hosts": ("mouse:80",)}, "allowed_hosts: 'mouse:80' is not a host"),
        ({"allowed_hosts": ("fe80::1%eth0",)}, "allowed_hosts: 'fe80::1%eth0' is not a host"),
        ({"allowed_hosts": ("fe80::%eth0/64",)}, "allowed_hosts: 'fe80::%eth0/64' is not a host"),
        ({"allowed_hosts": ("*.example.com",)}, "allowed_hosts: '*.example.com' is not a host"),
        ({"allowed_hosts": ".example.com"}, "allowed_hosts: give a tuple of names, not the string '.example.com'"),
    ],
)
def test_a_clash_or_an_unknown_name_fails_when_built(options, message):
    with pytest.raises(ConfigError) as caught:
        PropagationConfig(**options)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mouse-svc", True),
        ("MOUSE-SVC", True),
        ("mouse-svc.", True),
        ("mouse.demo.svc.cluster.local", True),
        ("svc.cluster.local", False),
        ("mouse.svc.cluster.local.example.com", False),
        ("evil-svc.cluster.local", False),
        ("notmouse-svc", False),
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("[fd00::1]", True),
        ("fd00::1", True),
        ("fe80::1", False),
        ("fd00::1%eth0", False),
        ("[fd00::1%25eth0]", False),
        ("::1%.svc.cluster.local", False),
        ("::1%25.svc.cluster.local", False),
        ("::1:.svc.cluster.local", False),
        ("evil.example.com%2f.svc.cluster.local", False),
        ("evil.example.com%23.svc.cluster.local", False),
        ("", False),
        (None, False),
    ],
)
def test_allowed_hosts_are_names_suffixes_and_networks(host, allowed):
    config = PropagationConfig(allowed_hosts=("mouse-svc", ".svc.cluster.local", "10.0.0.0/8", "fd00::/8"))
    assert config.allows(host) is allowed


def test_without_allowed_hosts_every_host_is_allowed():
    assert PropagationConfig().allows("anything.example.com")
    assert not PropagationConfig(allowed_hosts=()).allows("mouse-svc")
