"""Arguments of the form `NAME=VALUE`."""

from collections.abc import Iterable, Mapping

from meshconfig.errors import InputError


def whole_numbers(given: Mapping[str, str], what: str) -> dict[str, int]:
    """Values as numbers.

    Raises:
        InputError: one is no whole number of 0 or more.
    """
    if wrong := [f"{name}={value}" for name, value in given.items() if not (value.isascii() and value.isdecimal())]:
        raise InputError.at(wrong[0], f"{what} is a whole number of 0 or more")
    return {name: int(value) for name, value in given.items()}


def pairs(words: Iterable[str], option: str, shape: str) -> dict[str, str]:
    """Arguments of the form `NAME=VALUE` as a mapping.

    Raises:
        InputError: an argument has another form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise InputError.at(option, f"takes {shape}, not {word!r}")
        if name in found:
            raise InputError.at(option, f"{name} is given twice")
        found[name] = value
    return found
