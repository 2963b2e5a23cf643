"""The changes that a person asks for by a form, as edits of a spec. Pure; `meshconfig.edit` makes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from meshconfig.edit import labels, lanes, uses, versions
from meshconfig.edit.draft import SERVICES, Draft
from meshconfig.errors import InputError
from meshconfig.groups import Group

WEIGHT, LANE_VERSION = "weight.", "version."  # how the fields begin that there is one of for each version or service
LONGEST = 200  # characters of a note
MODES = ("permissive", "strict")

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a group's spec.

    Parameters:
        action: what `graylane history` shows for it.
        draft: makes the edit.
    """

    action: str
    draft: Callable[[Group], Draft] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rollback:
    """The spec of an earlier revision, by its number."""

    to: int


Wish = Edit | Rollback


def wish(fields: Fields) -> Wish:
    """What a form asks for.

    Raises:
        InputError: a field is missing or makes no sense.
    """
    act = fields.get("act", "")
    if act not in ACTS:
        raise InputError.at("act", "is no change that the console makes")
    return ACTS[act](fields)


def note(fields: Fields, longest: int = LONGEST) -> str:
    """What the person says about the change: one line.

    Parameters:
        longest: characters that it may have.

    Raises:
        InputError: it is too long.
    """
    text = " ".join(fields.get("note", "").split())
    if len(text) > longest:
        raise InputError.at("note", f"has at most {longest} characters, not {len(text)}")
    return text


def _add(fields: Fields) -> Edit:
    service, version, old = (_needed(fields, name) for name in ("service", "version", "from"))
    given, workload = _labels(fields.get("labels", "")), fields.get("workload", "").strip() or None
    weight = _number(fields["weight"], "weight") if fields.get("weight", "").strip() else None
    host = fields.get("host", "").strip() or None

    def draft(group: Group) -> Draft:
        spec = group.spec.spec.services.get(service)
        if spec is None:
            raise Draft(group).error(SERVICES, uses.unknown("service", service, group.spec.spec.services))
        if old not in spec.versions:
            path = (*SERVICES, service, "versions")
            raise Draft(group).error(path, uses.unknown(f"version of {service}", old, spec.versions))
        if spec.external:
            return versions.add(group, service, version, labels={}, weight=weight, host=host)
        name = workload or labels.workload(spec, old, version)
        own = labels.labels(spec, old, version, given)
        return versions.add(group, service, version, labels=own, workload=name, weight=weight)

    return Edit(f"version add {service} {version}", draft)


def _weights(fields: Fields) -> Edit:
    service = _needed(fields, "service")
    given = {name: _number(value, name) for name, value in _each(fields, WEIGHT) if value.strip()}
    said = " ".join(f"{name}={weight}" for name, weight in given.items())
    return Edit(f"version weights {service} {said}", lambda group: versions.weights(group, service, given))


def _takeover(fields: Fields) -> Edit:
    service, version = _needed(fields, "service"), _needed(fields, "version")
    return Edit(f"version takeover {service} {version}", lambda group: versions.takeover(group, service, version))


def _retire(fields: Fields) -> Edit:
    service, version = _needed(fields, "service"), _needed(fields, "version")
    return Edit(f"version retire {service} {version}", lambda group: versions.retire(group, service, version))


def _lane_add(fields: Fields) -> Edit:
    lane, mode = _needed(fields, "lane"), fields.get("mode", MODES[0])
    if mode not in MODES:
        raise InputError.at("mode", f"takes {' or '.join(MODES)}")
    chosen = {**_labels(fields.get("versions", "")), **{name: one for name, one in _each(fields, LANE_VERSION) if one}}
    return Edit(
        f"lane add {lane}",
        lambda group: lanes.add(group, lane, versions=chosen, mode="strict" if mode == "strict" else None),
    )


def _lane_remove(fields: Fields) -> Edit:
    lane = _needed(fields, "lane")
    return Edit(f"lane remove {lane}", lambda group: lanes.remove(group, lane))


def _rollback(fields: Fields) -> Rollback:
    to = _number(_needed(fields, "to"), "to")
    if to < 1:
        raise InputError.at("to", "takes a revision; graylane rollback --to 0 gives back what was adopted")
    return Rollback(to)


ACTS: Mapping[str, Callable[[Fields], Wish]] = {
    "add": _add,
    "weights": _weights,
    "takeover": _takeover,
    "retire": _retire,
    "lane-add": _lane_add,
    "lane-remove": _lane_remove,
    "rollback": _rollback,
}


def _each(fields: Fields, prefix: str) -> list[tuple[str, str]]:
    return [(name.removeprefix(prefix), value) for name, value in fields.items() if name.startswith(prefix)]


def _needed(fields: Fields, name: str) -> str:
    value = fields.get(name, "").strip()
    if not value:
        raise InputError.at(name, "is missing")
    return value


def _number(text: str, name: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InputError.at(name, f"takes a whole number of 0 or more, not {text[:40]!r}")
    return int(text)


def _labels(text: str) -> dict[str, str]:
    """`KEY=VALUE`, with commas, blanks or line breaks between several."""
    found: dict[str, str] = {}
    for word in text.replace(",", " ").split():
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise InputError.at("labels", f"takes NAME=VALUE, not {word[:80]!r}")
        found[name] = value
    return found
