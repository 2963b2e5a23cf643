"""Preview lanes as text and as JSON: how far they are, when they end, and how to reach them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meshconfig.cli.console import Table, Text
from meshconfig.cli.history import when
from meshconfig.duration import UNITS
from meshconfig.links import WaysIn

if TYPE_CHECKING:  # the Kubernetes client takes a third of a second to import
    from meshconfig.cluster.previews import PreviewObject

STYLES = {"Pending": "cyan", "Ready": "green", "Ending": "yellow", "Failed": "red"}
UNSEEN = "Pending"  # the phase of a lane that no controller has seen


def table(lanes: "Iterable[PreviewObject]", now: datetime) -> Table:
    """A line for each lane."""
    found = Table(box=None, pad_edge=False)
    for column in ("lane", "group", "phase"):
        found.add_column(column)
    for column in ("age", "expires"):
        found.add_column(column, justify="right")
    for column in ("versions", "link", ""):
        found.add_column(column)
    for one in lanes:
        phase = _phase(one)
        end = one.ends
        left = "" if end is None else _span((end - now).total_seconds())
        found.add_row(
            one.name,
            one.group,
            Text(phase, STYLES.get(phase, "")),
            _span((now - one.created).total_seconds()),
            f"in {left}" if left else "?",
            ", ".join(f"{service}={version}" for service, version in _versions(one).items()),
            one.link,
            "" if phase == "Ready" else _message(one),
        )
    return found


def reached(one: "PreviewObject", ways: Iterable[WaysIn]) -> Iterator[str]:
    """Lines for a person who waits for the lane: how far it is, and how to reach it."""
    until = f" until {when(end)}" if (end := one.ends) else ""
    yield f"lane {one.namespace}/{one.name}: {_phase(one)}{until}"
    if one.link:
        yield f"  link  {one.link}"
    for way in ways:
        given = {"ask": way.curl, "host": way.address}
        yield from (f"  {name:<5} {text}" for name, text in given.items() if text and text != one.link)


def as_json(one: "PreviewObject", ways: Iterable[WaysIn] | None = None) -> dict[str, Any]:
    """{"name", "namespace", "group", "phase", "message", "created", "expires", "link", "versions"}, times in UTC.

    Parameters:
        ways: adds "curl", the command of the first entry that takes tags; None to leave it out.
    """
    asked = {} if ways is None else {"curl": next((way.curl for way in ways if way.curl), None)}
    return {
        "name": one.name,
        "namespace": one.namespace,
        "group": one.group,
        "phase": _phase(one),
        "message": _message(one) or None,
        "created": _moment(one.created),
        "expires": _moment(one.ends),
        "link": one.link or None,
        **asked,
        "versions": _versions(one),
    }


def _phase(one: "PreviewObject") -> str:
    return "Ending" if one.deleting else one.phase or UNSEEN


def _message(one: "PreviewObject") -> str:
    return str(one.condition("Ready").get("message") or ("" if one.phase else "no controller has seen it"))


def _moment(time: datetime | None) -> str | None:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if time else None


def _versions(one: "PreviewObject") -> dict[str, str]:
    """For each service the image, else the version that is copied, else the labels of the Pods. It reads any object."""
    spec = one.manifest.get("spec")
    versions = spec.get("versions") if isinstance(spec, dict) else None
    return {str(name): _version(part) for name, part in versions.items()} if isinstance(versions, dict) else {}


def _version(part: Any) -> str:
    if not isinstance(part, Mapping):
        return "?"
    labels = part.get("labels")
    text = ",".join(f"{key}:{value}" for key, value in labels.items()) if isinstance(labels, Mapping) else ""
    return str(part.get("image") or text or part.get("from") or "?")


def _span(seconds: float) -> str:
    """The two largest units of a time, as kubectl writes ages: `3h12m`."""
    left, parts = max(0, int(seconds)), list[str]()
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(UNITS[unit]))
        parts += [f"{count}{unit}"] if count or parts else []
    return "".join(one for one in parts[:2] if not one.startswith("0")) or "0s"
