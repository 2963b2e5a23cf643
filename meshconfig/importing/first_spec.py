"""A first spec from Services and what makes their Pods: versions by labels, calls by environment variables."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshconfig.errors import InputError
from meshconfig.importing.tag import DEFAULT, is_lane
from meshconfig.istio import Resource, Resources, Service, Workload
from meshconfig.istio import ports as protocols
from meshconfig.istio.hosts import ServiceName
from meshconfig.istio.services import Registry
from meshconfig.spec import API_VERSION
from meshconfig.spec.base import LABEL
from meshconfig.spec.group import HOST

PROD = "prod"
_USUAL = (PROD, "production", "stable", "baseline", "main", "v1")  # names of the version that most requests get
_KEYS = ("version", "env", "track", "lane", "release", "slot", "color")  # labels that usually tell versions apart
_FRONT = re.compile("front|web|ui|page|gateway|edge|portal|shop|store|app")  # names of what people open
_OF_PODS = ("pod-template-hash", "controller-revision-hash")  # labels that each roll-out changes


@dataclass(slots=True)
class Found:
    """One service that was found. `versions`: labels by version; `workloads`: what makes its Pods."""

    key: ServiceName
    port: int
    versions: dict[str, Mapping[str, str]] = field(default_factory=dict)
    workloads: dict[str, Workload] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FirstSpec:
    """A LaneGroup and a LocalMesh as plain values, and what was left out, a sentence each."""

    group: Mapping[str, Any]
    local: Mapping[str, Any]
    notes: tuple[str, ...]


def first_spec(resources: Resources, name: str, namespace: str) -> FirstSpec:
    """A spec for the Services of one namespace, and a local mesh with a stand-in for each version.

    Parameters:
        name, namespace: the group's.

    Raises:
        InputError: no Service has Pods of a workload that is given.
    """
    notes: list[str] = []
    registry = Registry(resources)
    read = [_read(one, registry, notes) for one in resources.services if one.namespace == namespace]
    found = {one.key.name: one for one in read if one}
    if not found:
        where = f"namespace {namespace}"
        raise InputError.at(where, "no Service here has the Pods of a Deployment: give both, and -n NAMESPACE")
    base = _baseline(found.values())
    for one in found.values():
        _name_only_version(one, base)
        one.calls = [other for other in found if other != one.key.name and _calls(one, found[other].key)]
    entries = list(_entries(resources, namespace, found, notes)) or [_entry(one) for one in _fronts(found)]
    return FirstSpec(_group(found, base, name, namespace, entries), _local(found, name, namespace), tuple(notes))


def _read(service: Service, registry: Registry, notes: list[str]) -> Found | None:
    ports = [one.port for one in service.spec.ports if protocols.may_be_http(protocols.protocol(one))]
    workloads = registry.workloads(service.namespace, service.spec.selector) if service.spec.selector else ()
    if not ports or not workloads:
        what = "no port that may be HTTP" if not ports else "no workload that is given makes its Pods"
        notes.append(f"{service} is left out: {what}")
        return None
    if len(ports) > 1:
        notes.append(f"{service} has several ports; the spec has the first, {ports[0]}")
    one = Found(ServiceName(service.name, service.namespace), ports[0])
    for version, workload, labels in _versions(service, workloads, notes):
        one.versions[version], one.workloads[version] = labels, workload
    return one


def _versions(
    service: Service, workloads: Sequence[Workload], notes: list[str]
) -> Iterator[tuple[str, Workload, Mapping[str, str]]]:
    """Name, workload and labels of each version. Without a label that tells, the Service's selector has all Pods."""
    labels = {one.key: _labels(one) for one in workloads}
    if len(workloads) == 1:
        only = labels[workloads[0].key]
        usual = next((key for key in _KEYS if key in only and key not in service.spec.selector), None)
        yield (
            _dns(only[usual]) if usual else "",
            workloads[0],
            {usual: only[usual]} if usual else dict(service.spec.selector),
        )
        return
    key = _telling(list(labels.values()))
    if key is None:
        names = ", ".join(map(str, workloads))
        notes.append(f"{service}: no label tells {names} apart, so they are one version")
        yield "", workloads[0], dict(service.spec.selector)
        return
    for one in sorted(workloads, key=lambda one: labels[one.key][key]):
        value = labels[one.key][key]
        yield _dns(value), one, {key: value}


def _labels(workload: Workload) -> dict[str, str]:
    return {name: value for name, value in workload.spec.template.metadata.labels.items() if name not in _OF_PODS}


def _telling(every: Sequence[Mapping[str, str]]) -> str | None:
    """The label that has another value in each: a usual one if there is any, else the first by name."""
    common = set.intersection(*(set(one) for one in every))
    telling = [key for key in sorted(common) if len({_dns(one[key]) for one in every}) == len(every)]
    usual = {key: place for place, key in enumerate(_KEYS)}
    return min(telling, key=lambda key: (usual.get(key.rpartition("/")[2], len(usual)), key), default=None)


def _dns(value: str) -> str:
    """A label's value as the name of a version."""
    name = re.sub(r"[^a-z0-9-]+", "-", value.lower()).strip("-")[:49].rstrip("-")
    return name if re.search(LABEL, name) else "version"


def _baseline(found: Iterable[Found]) -> str:
    """The version that most services have; where several do, a usual name."""
    names = Counter(name for one in found for name in one.versions if name and is_lane(name))
    usual = {name: len(_USUAL) - place for place, name in enumerate(_USUAL)}
    return max(names, key=lambda name: (usual.get(name, 0) > 0, names[name], usual.get(name, 0), name), default=PROD)


def _name_only_version(one: Found, base: str) -> None:
    if "" in one.versions:
        one.versions = {base: one.versions[""]}
        one.workloads = {base: one.workloads[""]}


def _calls(one: Found, other: ServiceName) -> bool:
    """Whether an environment variable, argument or command of a service names another's address."""
    name, space = map(re.escape, other)
    host = rf"{name}(\.{space}(\.svc(\.cluster\.local)?)?)?"
    address = re.compile(rf"(//|^|[\s,;=@\"'])({host})(:\d+|/|$)(?![\w.-]*\.\w)")
    return any(address.search(text) for workload in one.workloads.values() for text in _texts(workload))


def _texts(workload: Workload) -> Iterator[str]:
    """What a workload's containers are told: the values of variables, the arguments and the command."""
    spec = workload.manifest.get("spec")
    template = spec.get("template", {}) if isinstance(spec, Mapping) else {}
    pods = template.get("spec", {}) if isinstance(template, Mapping) else {}
    for container in (pods.get("containers") or ()) if isinstance(pods, Mapping) else ():
        given = container if isinstance(container, Mapping) else {}
        yield from (str(one.get("value", "")) for one in given.get("env") or () if isinstance(one, Mapping))
        yield from map(str, (*(given.get("args") or ()), *(given.get("command") or ())))


def _fronts(found: Mapping[str, Found]) -> list[Found]:
    """The services that no other calls: requests from outside come to them. Where each is called, the first."""
    called = {name for one in found.values() for name in one.calls}
    fronts = [one for name, one in sorted(found.items()) if name not in called]
    if calling := [one for one in fronts if one.calls]:
        return calling
    named = [one for one in fronts if _FRONT.search(one.key.name)]
    return (named or fronts or [found[min(found)]])[:1]


def _entry(one: Found) -> dict[str, Any]:
    return {"hosts": [f"{one.key.name}.example.com"], "routes": [{"path": {"prefix": "/"}, "service": one.key.name}]}


def _entries(
    resources: Resources, namespace: str, found: Mapping[str, Found], notes: list[str]
) -> Iterator[dict[str, Any]]:
    """An entry for each rule of the namespace's Ingresses."""
    for one in resources.others:
        if one.kind == "Ingress" and one.namespace == namespace:
            yield from _of_ingress(one, found, notes)


def _of_ingress(one: Resource[Any], found: Mapping[str, Found], notes: list[str]) -> Iterator[dict[str, Any]]:
    spec = _mapping(one.manifest.get("spec"))
    for rule in map(_mapping, spec.get("rules") or ()):
        host, routes = str(rule.get("host") or "*"), []
        for path in map(_mapping, _mapping(rule.get("http")).get("paths") or ()):
            name = str(_mapping(_mapping(path.get("backend")).get("service")).get("name"))
            kind = "exact" if path.get("pathType") == "Exact" else "prefix"
            if name in found:
                routes.append({"path": {kind: str(path.get("path") or "/")}, "service": name})
            else:
                notes.append(f"{one}: the path {path.get('path') or '/'} leads to {name}, which is left out")
        if routes and re.search(HOST, host):
            # An Ingress takes the longest path, an entry the first.
            yield {"hosts": [host], "routes": sorted(routes, key=_longest_first)}


def _longest_first(route: Mapping[str, Any]) -> tuple[bool, int]:
    ((kind, path),) = route["path"].items()
    return kind != "exact", -len(path)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _group(
    found: Mapping[str, Found], base: str, name: str, namespace: str, entries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    lanes = sorted({version for one in found.values() for version in one.versions if is_lane(version)} - {base})
    return {
        "apiVersion": API_VERSION,
        "kind": "LaneGroup",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "tag": {"header": DEFAULT, "default": base},
            "lanes": {lane: {} for lane in (base, *lanes)},
            "services": {one: _service(found[one], base) for one in sorted(found)},
            "entries": list(entries),
        },
    }


def _service(one: Found, base: str) -> dict[str, Any]:
    return {
        "host": one.key.name,
        "port": one.port,
        **({"calls": one.calls} if one.calls else {}),
        "versions": {
            version: {
                "labels": dict(one.versions[version]),
                **({"workload": workload.name} if workload.name != f"{one.key.name}-{version}" else {}),
            }
            for version, workload in one.workloads.items()
        },
        **({"default": min(one.versions)} if base not in one.versions else {}),
    }


def _local(found: Mapping[str, Found], name: str, namespace: str) -> dict[str, Any]:
    """A LocalMesh in which a stand-in answers for each version and calls whom the service calls."""
    return {
        "apiVersion": API_VERSION,
        "kind": "LocalMesh",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "workloads": {
                one: {version: {"command": _echo(found[one], version)} for version in found[one].versions}
                for one in sorted(found)
            }
        },
    }


def _echo(one: Found, version: str) -> str:
    calls = "".join(f" --call {{{name}}}/" for name in one.calls)
    me = f"--name {one.key.name} --version {version}"
    return f"python -m meshconfig.local.echo {me} --port {{port}} --carry {DEFAULT}{calls}"
