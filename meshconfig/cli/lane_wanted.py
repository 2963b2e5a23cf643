"""The Lane object that the options of `graylane lane create` describe, on top of the one in a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshconfig.cli.words import pairs, whole_numbers
from meshconfig.errors import InputError, Location
from meshconfig.load import Document, load
from meshconfig.spec import API_VERSION
from meshconfig.spec.base import Locate, validate
from meshconfig.spec.preview import PreviewLane

KIND = "Lane"
COMMAND = Location("lane create")  # where an option's mistake is
Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class VersionOptions:
    """What the options say of the lane's versions.

    Parameters:
        image: `SERVICE=IMAGE` each.
        origin: `SERVICE=VERSION` each, the version whose Deployment is cloned.
        env: `SERVICE:NAME=VALUE` each.
        replicas: `SERVICE=N` each.
    """

    image: Sequence[str] = ()
    origin: Sequence[str] = ()
    env: Sequence[str] = ()
    replicas: Sequence[str] = ()

    def versions(self) -> dict[str, Spec]:
        """By service.

        Raises:
            InputError: an option has another form.
        """
        found: dict[str, Spec] = {}
        fields: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("from", pairs(self.origin, "--from", "SERVICE=VERSION")),
            ("image", pairs(self.image, "--image", "SERVICE=IMAGE")),
            ("env", _variables(self.env)),
            ("replicas", whole_numbers(pairs(self.replicas, "--replicas", "SERVICE=N"), "a number of Pods")),
        )
        for field, by_service in fields:
            for service, value in by_service.items():
                found.setdefault(service, {})[field] = value
        return found


def _variables(given: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for word in given:
        name, equals, value = word.partition("=")
        service, colon, variable = name.partition(":")
        if not (service and colon and variable and equals):
            raise InputError.at("--env", f"takes SERVICE:NAME=VALUE, not {word!r}")
        of_service = found.setdefault(service, {})
        if variable in of_service:
            raise InputError.at("--env", f"{service}:{variable} is given twice")
        of_service[variable] = value
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """A Lane as it is to be; services may still lack the version that is cloned.

    Parameters:
        more: labels and annotations, where the file has any.
        locate: the file and line of a field.
    """

    name: str
    namespace: str
    spec: Spec
    more: Spec
    locate: Locate

    @property
    def group(self) -> str:
        return str(self.spec["group"])

    @property
    def open(self) -> tuple[str, ...]:
        """The services that are cloned from a version which nobody has named."""
        return tuple(name for name, one in _versions(self.spec).items() if not {"from", "labels"} & one.keys())

    def document(self, origin: Callable[[str], str]) -> Spec:
        """The object to apply.

        Parameters:
            origin: the version that is cloned for a service, where nobody has named it.

        Raises:
            InputError: it is not valid; each problem names the field.
        """
        named = {name: {"from": origin(name), **_versions(self.spec)[name]} for name in self.open}
        value = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": self.name, "namespace": self.namespace, **self.more},
            "spec": {**self.spec, **({"versions": {**self.spec["versions"], **named}} if named else {})},
        }
        validate(PreviewLane, value, self.locate)
        return value


def wanted(
    name: str, namespace: str | None, versions: VersionOptions, *, file: str | None, group: str | None, ttl: str | None
) -> Wanted:
    """The Lane that options ask for; what they leave out is as in the file.

    Raises:
        InputError: it is not valid.
    """
    document = _lane(file) if file else None
    value = document.value if document else {}
    metadata = _mapping(value, "metadata")
    given: Spec = {key: text for key, text in (("group", group), ("ttl", ttl)) if text is not None}
    by_service = versions.versions()
    spec = {**_mapping(value, "spec"), **given}
    spec["versions"] = _merged(spec.get("versions") or {}, by_service)
    if "group" not in spec:
        raise InputError.at("--group", "is missing: name the LaneGroup that the lane belongs to")
    if not spec["versions"]:
        raise InputError.at("--image", "is missing: give SERVICE=IMAGE for each service that the lane has its own of")
    where = namespace or metadata.get("namespace") or "default"
    more = {part: metadata[part] for part in ("labels", "annotations") if metadata.get(part)}
    options = {"metadata": {"name": name}, "spec": {**given, "versions": by_service}}
    found = Wanted(name, where, spec, more, _locate(document, options))
    found.document(lambda service: "baseline")  # whatever is wrong is said before anybody asks the cluster
    return found


def _lane(file: str) -> Document:
    lanes = [one for one in load([file]) if one.own and one.kind == KIND]
    if len(lanes) != 1:
        raise InputError.at(file, f"takes one document of kind {KIND}, and has {len(lanes)}")
    return lanes[0]


def _locate(document: Document | None, options: Spec) -> Locate:
    """A field of the file is there; what an option gives is on the command line."""

    def locate(path: Sequence[str | int]) -> Location:
        given: Any = options
        for part in path:
            given = given.get(part) if isinstance(given, dict) else None
        return document.locate(path) if document and given is None and document.has(path) else COMMAND

    return locate


def _merged(before: Any, given: dict[str, Spec]) -> Any:
    """A service's image, replicas and version are the given ones, and so is each variable."""
    if before and not _versions({"versions": before}):
        return before  # the model says what is wrong with it
    found = {service: dict(one) for service, one in before.items()}
    for service, one in given.items():
        old = found.get(service, {})
        env = {**_mapping(old, "env"), **one.get("env", {})}
        found[service] = {**old, **one, **({"env": env} if env else {})}
    return found


def _versions(spec: Spec) -> dict[str, Spec]:
    """The versions by service; none where they have not that form, which the model says."""
    found = _mapping(spec, "versions")
    return found if all(isinstance(one, dict) for one in found.values()) else {}


def _mapping(value: Any, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
