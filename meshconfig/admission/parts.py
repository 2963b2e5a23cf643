"""Parts that several kinds have: labels, names of Gateways, destinations, exportTo, regular expressions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from meshconfig.admission import formats
from meshconfig.admission.refusals import At, Kind, Refusals
from meshconfig.admission.words import example_of
from meshconfig.istio.strings import compiled
from meshconfig.spec.match import MAX_REGEX, is_too_long

Part = Mapping[str, Any]


def part(value: Part, name: str) -> Part:
    """A field that is a mapping; an empty one where it is missing."""
    return value.get(name) or {}


def items(value: Part, name: str) -> Sequence[Any]:
    """A field that is a list; an empty one where it is missing."""
    return value.get(name) or ()


def check_labels(labels: Part | None, at: At, out: Refusals) -> None:
    for key, value in (labels or {}).items():
        out.bad((at, key), formats.label_key(key))
        out.bad((at, key), formats.label_value(value or ""))


def check_apart(port: Part, numbers: set[Any], at: At, out: Refusals) -> None:
    """Ports of one resource have numbers of their own. `numbers` are those of the ports before."""
    number = port.get("number") or 0
    if number in numbers:
        out.repeated((at, "number"), f"the port {number} stands here twice: give each its own")
    numbers.add(number)


def check_selector(selector: Part | None, at: At, out: Refusals) -> None:
    """The `workloadSelector` of a ServiceEntry or a Sidecar. The schema looks for `*` in values, not in names."""
    for key in part(selector or {}, "labels"):
        if not key or "*" in key:
            out.bad(((at, "labels"), key), f"{key!r}: a selector takes whole names, no * and none that is empty")


def check_durations(value: Part, names: Iterable[str], at: At, out: Refusals) -> None:
    """Durations of which the schema has checked that they are at least a millisecond long."""
    for name in names:
        if (text := value.get(name)) is not None:
            out.bad((at, name), formats.whole_milliseconds(text))


def check_gateways(names: Sequence[str], at: At, out: Refusals) -> None:
    """Names of Gateways: `name` or `namespace/name`. Behind one without a namespace Istio checks no more."""
    for number, name in enumerate(names):
        namespace, slash, own = name.partition("/")
        if not slash:
            out.bad((at, number), formats.fqdn(name))
            return
        if not (formats.is_dns_label(namespace) and formats.is_dns_label(own)):
            out.bad((at, number), f"{name!r} is not the name of a Gateway: write gateway or namespace/gateway")


def check_destination(destination: Part | None, at: At, out: Refusals) -> None:
    if destination is None:
        return
    host = destination.get("host") or ""
    if host == "*":
        out.bad((at, "host"), "a request goes to one host: write its name instead of *")
    elif why := formats.wildcard_domain(host):
        out.bad((at, "host"), why)
    if subset := destination.get("subset"):
        check_subset_name(subset, (at, "subset"), out)
    if (port := destination.get("port")) is not None:
        if port.get("number") is None:
            out.missing((at, "port"), f"the port has no number{example_of('number')}")
        elif why := formats.port(port["number"]):
            out.bad(((at, "port"), "number"), why)


def check_subset_name(name: str, at: At, out: Refusals) -> None:
    if not formats.is_dns_label(name):
        out.add(Kind.SUBSET_NAME, at, f"{name!r}: only letters, digits and -, at most 63 characters")


def check_destinations(
    routes: Sequence[Part], at: At, out: Refusals, headers: Callable[..., None] | None = None
) -> None:
    """The destinations of one route with their weights."""
    total = 0
    for number, one in enumerate(routes):
        here = (at, number)
        if headers is not None:
            headers(one.get("headers"), (here, "headers"), out)
        check_destination(one.get("destination"), (here, "destination"), out)
        weight = one.get("weight") or 0
        if weight < 0:
            out.bad((here, "weight"), f"a weight is 0 or more, not {weight}")
        total += weight
    if len(routes) > 1 and total == 0:
        out.add(Kind.ZERO_WEIGHTS, at, f"the weights of all {len(routes)} destinations are 0")


def check_regex(text: str, at: At, out: Refusals) -> None:
    if why := _unusable(text):
        out.add(Kind.REGEX, at, why)


def _unusable(text: str) -> str:
    if not text:
        return "an empty regular expression; for any value write {} in its place"
    if text == "*":
        return "* is not RE2; for any value write {} in place of {regex: '*'}, or regex: .*"
    if is_too_long(text):
        return f"{len(text.encode())} bytes, and Istio takes at most {MAX_REGEX}"
    return "" if compiled(text) else f"not RE2, which has no look-around and no back references: {text}"


def check_string(match: Part | None, at: At, out: Refusals, *, empty_prefix: bool = False) -> None:
    """A StringMatch.

    Parameters:
        empty_prefix: Istio takes `prefix: ""` here.
    """
    if not match:
        return
    if (text := match.get("regex")) is not None:
        check_regex(text, (at, "regex"), out)
    elif match.get("prefix") == "" and not empty_prefix:
        out.bad((at, "prefix"), "an empty prefix; for any value write {} in its place")


def check_export_to(names: Sequence[str], namespace: str, at: At, out: Refusals, *, nobody: bool = False) -> None:
    """`exportTo`. `nobody`: `~`, which hides a ServiceEntry from everybody, is allowed."""
    seen: set[str] = set()
    for number, name in enumerate(names):
        key = namespace if name == "." else name
        if key in seen:
            out.repeated((at, number), f"{name} is repeated" + (f": . is {namespace}" if key != name else ""))
        elif not (nobody and name == "~") and key not in (".", "*") and not formats.is_dns_label(key):
            out.bad((at, number), f"{name!r} is not a namespace: write one's name, . or *")
        else:
            seen.add(key)
    if len(names) > 1 and (only := next((one for one in ("*", "~") if one in seen), "")):
        out.contradiction(at, f"{only} is {'everybody' if only == '*' else 'nobody'}: delete the other entries")
