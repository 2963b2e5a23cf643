"""PropagationConfig's options as environment variables: PROPAGATION_REMOTE_FIELDS=env,x-request-id …

Lists are separated by commas; a mapping is `field=value`, with several values for one field separated by `|`:
PROPAGATION_KEY_NAMES=env=env|x-env,tenant=x-tenant.
"""

from collections.abc import Callable, Mapping

from propagation.errors import ConfigError, nearest

PREFIX = "PROPAGATION_"
_SWITCH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _list(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for field, sign, value in (item.partition("=") for item in _list(text)):
        if not sign:
            raise ConfigError(f"{field!r} is not field=value")
        if field.strip() in pairs:
            raise ConfigError(f"{field.strip()!r} is given twice; several values go as field=one|two")
        pairs[field.strip()] = value.strip()
    return pairs


def _lists(text: str) -> dict[str, tuple[str, ...]]:
    return {field: tuple(one.strip() for one in value.split("|")) for field, value in _pairs(text).items()}


def _sets(text: str) -> dict[str, frozenset[str]]:
    return {field: frozenset(values) for field, values in _lists(text).items()}


def _switch(text: str) -> bool:
    try:
        return _SWITCH[text.strip().lower()]
    except KeyError:
        raise ConfigError(f"{text!r} is neither true nor false") from None


def _word(text: str) -> str:
    return text.strip().lower()


READERS: dict[str, Callable[[str], object]] = {
    "remote_fields": _list,
    "local_fields": _list,
    "tag_fields": _list,
    "correlation_fields": _list,
    "key_names": _lists,
    "allowed_values": _sets,
    "allowed_hosts": _list,
    "baggage": _word,
    "trust_inbound": _switch,
    "origin": _pairs,
    "echo": _switch,
    "trail": _switch,
}


def options(environ: Mapping[str, str]) -> dict[str, object]:
    """The options that `environ` sets.

    Raises ConfigError naming the variable, also for an empty one, which could mean either nothing or the default, and
    for one that is nearly an option's name.
    """
    _check_spelling(environ)
    return {
        option: _read(PREFIX + option.upper(), reader, environ)
        for option, reader in READERS.items()
        if PREFIX + option.upper() in environ
    }


def named(message: str) -> str:
    """What is wrong with an option, said of its variable."""
    options, colon, rest = message.partition(": ")
    return ", ".join(PREFIX + option.upper() for option in options.split(", ")) + colon + rest


def _read(variable: str, reader: Callable[[str], object], environ: Mapping[str, str]) -> object:
    if not environ[variable].strip(", "):
        raise ConfigError(f"{variable}: empty; unset it for the default, or give a value")
    try:
        return reader(environ[variable])
    except ConfigError as error:
        raise ConfigError(f"{variable}: {error}") from None


def _check_spelling(environ: Mapping[str, str]) -> None:
    known = [PREFIX + option.upper() for option in READERS]
    for variable in environ:
        ours = variable.startswith(PREFIX) and variable not in known
        # Others may use the prefix too: only what is nearly an option of ours is an error.
        if ours and (near := nearest(variable, known, cutoff=0.85)):
            raise ConfigError(f"{variable}: no such option; did you mean {near}?")
