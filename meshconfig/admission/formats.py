"""Formats of single values: durations, ports, host names, labels. Each check returns what is wrong, or nothing.

Source: istio pkg/config/validation (validation.go, agent/validation.go) and pkg/config/labels; the CRDs' CEL rules.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from meshconfig.duration import go_seconds

_LABEL = r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?"
_NAME = r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_IS_LABEL = re.compile(_LABEL)
_IS_WILDCARD_LABEL = re.compile(rf"\*|(?:\*|\*-)?{_LABEL}")
_IS_LABEL_KEY = re.compile(rf"({_LABEL}(?:\.{_LABEL})*/)?({_NAME})")
_IS_LABEL_VALUE = re.compile(rf"(?:{_NAME})?")
_IS_API_GROUP = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_IS_KIND = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")
_IS_NUMBER = re.compile(r"[+-]?[0-9]+")
_IS_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_PREFIX_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")

LONGEST_LABEL, LONGEST_DOMAIN, LONGEST_PREFIX = 63, 255, 253
INT32 = 2**31
UNIX = "unix://"
_MILLISECOND = Decimal("0.001")
_LONGEST_DURATION = Decimal(2**63) / 10**9  # seconds; Go counts nanoseconds in 64 bits


@lru_cache(maxsize=4096)  # names of lanes, versions and namespaces stand in each resource of a mesh again
def is_dns_label(text: str) -> bool:
    """Istio's DNS label, which unlike Kubernetes' may have upper-case letters."""
    return len(text) <= LONGEST_LABEL and bool(_IS_LABEL.fullmatch(text))


def is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def subnet(text: str) -> str:
    """An address, or one with the length of its network: `10.0.0.0/8`."""
    if text.count("/") != 1:
        return "" if is_ip(text) else f"{text!r} is not an IP address"
    address, length = text.split("/")
    bits = 128 if ":" in address else 32
    fits = is_ip(address) and "%" not in address and _PREFIX_LENGTH.fullmatch(length) and int(length) <= bits
    return "" if fits else f"{text!r} is not a network such as 10.0.0.0/8"


def parsed_duration(text: str) -> Decimal | None:
    """Seconds, as Go reads a duration with or without a sign; None if it is none."""
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    if rest == "0":
        return Decimal(0)
    try:
        found = go_seconds(rest)
    except ValueError:
        return None
    return (-found if sign == "-" else found) if found < _LONGEST_DURATION else None


def any_duration(text: str) -> str:
    """A duration of any length."""
    return "" if parsed_duration(text) is not None else f"{text!r} is not a duration; write 30s, 5m or 500ms"


def duration(text: str) -> str:
    """A duration of at least a millisecond."""
    found = parsed_duration(text)
    short = found is not None and found < _MILLISECOND
    return f"takes a duration of 1ms or more, not {text}" if short else any_duration(text)


def whole_milliseconds(text: str) -> str:
    """A duration without parts of a millisecond. What is no duration is none of this check's business."""
    found = parsed_duration(text)
    return "" if found is None or found % _MILLISECOND == 0 else f"takes whole milliseconds, not {text}"


def port(number: float) -> str:
    return "" if 1 <= number <= 65535 else f"a port is 1 to 65535, not {number}"


def fqdn(text: str) -> str:
    """A host name without a wildcard."""
    return _length(text) or _labels(text)


@lru_cache(maxsize=65536)  # a host stands in each of its routes, and again in its DestinationRule
def wildcard_domain(text: str) -> str:
    """A host name, whose first label may be or begin with `*`."""
    if why := _length(text):
        return why
    first, dot, rest = text.partition(".")
    if len(first) > LONGEST_LABEL or not _IS_WILDCARD_LABEL.fullmatch(first):
        return _not_a_host(text, first)
    return _labels(rest, text) if dot else ""


def partial_wildcard(text: str) -> str:
    partial = "*" in text and len(text) != 1 and not text.startswith("*.")
    return f"{text}: a * stands for whole labels; write * or *.example.com" if partial else ""


def _length(text: str) -> str:
    if not text:
        return "a host name is wanted, not an empty string"
    return f"a host name has at most {LONGEST_DOMAIN} characters" if len(text.encode()) > LONGEST_DOMAIN else ""


def _labels(domain: str, whole: str = "") -> str:
    *first, last = domain.split(".")
    if _IS_NUMBER.fullmatch(last):
        return f"{whole or domain} is not a host name: its last label is a number"
    wrong = next((one for one in first if not is_dns_label(one)), "." if last and not is_dns_label(last) else None)
    return "" if wrong is None else _not_a_host(whole or domain, last if wrong == "." else wrong)


def _not_a_host(text: str, label: str) -> str:
    shown = repr(label) if label else "an empty label"
    return f"{text!r} is not a host name because of {shown}: labels have letters, digits and -"


@lru_cache(maxsize=4096)
def label_key(key: str) -> str:
    found = _IS_LABEL_KEY.fullmatch(key)
    fits = found and len(found[1] or "") <= LONGEST_PREFIX + 1 and len(found[2]) <= LONGEST_LABEL
    return "" if fits else f"{key!r} is not a label's name: letters, digits, -, _ and ., as in app.kubernetes.io/name"


@lru_cache(maxsize=4096)
def label_value(value: str) -> str:
    return "" if _IS_LABEL_VALUE.fullmatch(value) else f"{value!r} is not a label's value: letters, digits, -, _ and ."


def unix_path(address: str) -> str:
    """The path behind `unix://`; another address is none of this check's business."""
    if not address.startswith(UNIX):
        return ""
    path = address.removeprefix(UNIX)
    if path.startswith("@"):
        return "" if not path.endswith("/") else f"{path} ends with /"
    return "" if path.startswith("/") and not path.endswith("/") else f"{path!r} is not the absolute path of a file"


def _int32(number: float) -> str:
    return "" if -INT32 <= number < INT32 else f"takes a number of 32 bits, not {number}"


def _byte(text: str) -> str:
    return "" if text and _IS_BASE64.fullmatch(text) else "is not base64"


def _no_wildcard(text: str) -> str:
    return f"{text!r}: a selector takes whole values, no *" if "*" in text else ""


def _label_keys(labels: Mapping[str, Any]) -> str:
    wrong = next((one for one in labels if not one or "*" in one), None)
    return "" if wrong is None else f"{wrong!r}: a selector takes whole names, no * and none that is empty"


def _port_names(ports: Mapping[str, Any]) -> str:
    wrong = next((one for one in ports if len(one) >= LONGEST_LABEL or not is_dns_label(one)), None)
    return "" if wrong is None else f"{wrong!r} is not a port's name: letters, digits and -"


def _api_group(text: str) -> str:
    return "" if not text or _IS_API_GROUP.fullmatch(text) else f"{text!r} is no API group: networking.istio.io, say"


def _kind_name(text: str) -> str:
    # The schema asks for its length; an empty one is missing already.
    return "" if not text or _IS_KIND.fullmatch(text) else f"{text!r} is no kind: a letter, then letters, digits and -"


# By the names that `fields.json` has for them.
FORMATS: Mapping[str, Callable[[Any], str]] = {
    "duration": duration,
    "port": port,
    "notEverything": lambda host: "the host * is too much: name a host, or *.example.com" if host == "*" else "",
    "noWildcard": _no_wildcard,
    "labelKeys": _label_keys,
    "portNames": _port_names,
    "unixPath": unix_path,
    "ownNamespace": lambda text: "names the resource's own namespace alone: delete it" if text else "",
    "apiGroup": _api_group,
    "kindName": _kind_name,
    "int32": _int32,
    "byte": _byte,
}
