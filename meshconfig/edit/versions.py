"""The edits of `graylane version`: each function returns a draft of a group's documents."""

from collections.abc import Mapping

from meshconfig.edit.draft import SERVICES, Draft
from meshconfig.edit.uses import of_version, unknown
from meshconfig.errors import InputError, Problem, dotted
from meshconfig.groups import Group
from meshconfig.load import FieldPath
from meshconfig.spec import Autoscale

WHOLE = 100


def add(
    group: Group,
    service: str,
    version: str,
    *,
    labels: Mapping[str, str],
    workload: str | None = None,
    autoscale: Autoscale | None = None,
    weight: int | None = None,
    host: str | None = None,
) -> Draft:
    """Add a version.

    Parameters:
        labels: the labels that only its Pods carry (`meshconfig.edit.labels`); empty outside the mesh.
        host: its host outside the mesh; None inside.
        workload: the name of its Deployment; None for SERVICE-VERSION.
        weight: its share of untagged requests, relative to the other weights. If the service has no weights, its
            percentage, and the baseline's version gets the rest. None: no untagged request.

    Raises:
        InputError: the version exists already, the service does not, or the weight is not possible.
    """
    draft = _draft(group, service)
    where: FieldPath = (*SERVICES, service)
    if version in group.spec.spec.services[service].versions:
        raise draft.error((*where, "versions", version), f"version {version} exists already")
    value: dict[str, object] = {"host": host} if host else {"labels": dict(labels)}
    value |= {"workload": workload} if workload else {}
    value |= {"autoscale": autoscale.model_dump(exclude_unset=True)} if autoscale else {}
    draft.put((*where, "versions", version), value)
    if weight is not None:
        _weigh(draft, service, {**_current(draft, service, weight), version: weight})
    if version in group.spec.spec.lanes and service not in group.spec.spec.lanes[version].versions:
        draft.note(("spec", "lanes", version), f"lane {version} goes to it from now on")
    elif weight is None:
        draft.notes.append(f"no request goes to {version} yet: give it a weight, or a lane")
    return draft


def _current(draft: Draft, service: str, weight: int) -> Mapping[str, int]:
    one = draft.group.spec.service(service)
    if one.spec.weights is not None:
        return one.spec.weights
    if not 0 <= weight <= WHOLE or one.baseline is None:
        message = (
            f"{weight} is no part of {WHOLE}: {service} has no weights yet, and its baseline's version gets the rest"
        )
        raise InputError.at("--weight", message)
    return {one.baseline: WHOLE - weight}


def weights(group: Group, service: str, given: Mapping[str, int]) -> Draft:
    """Replace the weights of a service. A version without a weight gets no untagged request.

    Raises:
        InputError: a version does not exist, a weight is negative, or none is above 0.
    """
    draft = _draft(group, service)
    for version, weight in given.items():
        _known(draft, service, version)
        if weight < 0:
            raise InputError.at(f"{version}={weight}", "a weight is 0 or more")
    if not any(given.values()):
        raise InputError.at("weights", "at least one weight has to be above 0")
    _weigh(draft, service, given)
    return draft


def _weigh(draft: Draft, service: str, given: Mapping[str, int]) -> None:
    """Write weights in their old order. `weights` replaces `default`, because a spec may have only one of the two."""
    spec = draft.group.spec.spec.services[service]
    where: FieldPath = (*SERVICES, service)
    old = [version for version in spec.weights or () if version in given]
    new = {version: given[version] for version in dict.fromkeys([*old, *given])}
    draft.put((*where, "weights"), new, after="default" if spec.default else "versions")
    draft.drop((*where, "default"))


def mirror(group: Group, service: str, version: str | None, percent: float | None = None) -> Draft:
    """Copy requests of no lane to a version, or to none any more.

    Parameters:
        version: the version that gets the copies; None ends the copying.
        percent: the share of the requests that is copied, above 0 up to 100; None for all of them.

    Raises:
        InputError: the service or version does not exist, or the share is not possible.
    """
    draft = _draft(group, service)
    where: FieldPath = (*SERVICES, service)
    if version is None:
        draft.drop((*where, "mirror"))
        return draft
    _known(draft, service, version)
    if percent is not None and not 0 < percent <= WHOLE:
        raise InputError.at("--percent", f"takes a number above 0, up to 100, not {percent:g}")
    share = {} if percent is None else {"percent": int(percent) if percent.is_integer() else percent}
    draft.put((*where, "mirror"), {"version": version, **share})
    return draft


def takeover(group: Group, service: str, version: str) -> Draft:
    """Give all untagged requests, and those of lanes that name no version of the service, to one version.

    `weights` are removed, and a `mirror` that copies to this version. `default`, if given, and the baseline lane name
    the version. A rule that named a version which served untagged requests so far now names this one. Lanes and rules
    that name another version are kept.

    Raises:
        InputError: the service or version does not exist.
    """
    draft = _draft(group, service)
    _known(draft, service, version)
    one, spec = group.spec.service(service), group.spec.spec
    where: FieldPath = (*SERVICES, service)
    served = {name for name, weight in (one.spec.weights or {}).items() if weight} | {one.baseline}
    old = {name for name in served if name not in (None, version)}
    if one.spec.default or one.version_in(spec.tag.default) is None:
        draft.put((*where, "default"), version, after="weights" if one.spec.weights else "versions")
    draft.drop((*where, "weights"))
    if one.spec.mirror and one.spec.mirror.version == version:
        draft.drop((*where, "mirror"))
        draft.note((*where, "mirror"), f"no more copies: {version} answers the requests itself")
    _baseline(draft, service, version)
    for index, rule in enumerate(one.spec.rules):
        if old & {name for name, weight in rule.weights.items() if weight}:
            _take_rule(draft, service, index, version, {name for name in old if name})
    _tell_others(draft, service, version, {name for name in old if name})
    return draft


def _baseline(draft: Draft, service: str, version: str) -> None:
    """Make the baseline lane name the version, if it names one of this service."""
    spec = draft.group.spec.spec
    lane = spec.tag.default
    where: FieldPath = ("spec", "lanes", lane, "versions")
    if draft.group.spec.service(service).version_in(lane) is None:
        return
    if lane != version:
        draft.put((*where, service), version)
    elif set(spec.lanes[lane].versions) == {service}:
        draft.drop(where)
    else:
        draft.drop((*where, service))


def _take_rule(draft: Draft, service: str, index: int, version: str, old: set[str]) -> None:
    weights = draft.group.spec.spec.services[service].rules[index].weights
    taken: dict[str, int] = {}
    for name, weight in weights.items():
        to = version if name in old else name
        taken[to] = taken.get(to, 0) + weight
    path: FieldPath = (*SERVICES, service, "rules")
    for document in draft.values:
        rules = ((document.get("spec") or {}).get("services") or {}).get(service, {}).get("rules")
        if rules:
            rules[index]["weights"] = taken
    draft.note((*path, index), f"the rule gives to {version} what it gave to {' and '.join(sorted(old))}")


def _tell_others(draft: Draft, service: str, version: str, old: set[str]) -> None:
    """Note the lanes, rules, splits and copies that keep another version."""
    one, spec = draft.group.spec.service(service), draft.group.spec.spec
    if one.spec.mirror and one.spec.mirror.version != version:
        draft.note((*SERVICES, service, "mirror"), f"copies still go to {one.spec.mirror.version}")
    for lane in spec.lanes:
        own = one.version_in(lane)
        if lane != spec.tag.default and own is not None and own != version:
            draft.note(("spec", "lanes", lane), f"lane {lane} keeps {own}")
    for index, rule in enumerate(one.spec.rules):
        for name, weight in rule.weights.items():
            if weight and name != version and name not in old:
                draft.note((*SERVICES, service, "rules", index), f"the rule still sends to {name}")
    for index, entry in enumerate(spec.entries):
        lanes = [lane for lane, weight in (entry.split or {}).items() if weight and one.version_in(lane) is not None]
        if apart := [lane for lane in lanes if lane != spec.tag.default and one.version_in(lane) != version]:
            draft.note(("spec", "entries", index, "split"), f"the split still sends to {' and '.join(apart)}")


def retire(group: Group, service: str, version: str) -> Draft:
    """Remove a version, and its weights of 0.

    Raises:
        InputError: something still uses it (the message lists each place), or it does not exist.
    """
    draft = _draft(group, service)
    _known(draft, service, version)
    where: FieldPath = (*SERVICES, service)
    spec = group.spec.spec.services[service]
    uses = list(of_version(group, service, version))
    if len(spec.versions) == 1:
        uses.append(((*where, "versions"), f"it is the only version of {service}"))
    if uses:
        found = [(path, f"{service} {version} is in use: {how}") for path, how in uses]
        raise InputError(sorted(Problem(group.locate(path), dotted(path), message) for path, message in found))
    draft.drop((*where, "versions", version))
    draft.drop((*where, "weights", version))
    for document in draft.values:
        for rule in (((document.get("spec") or {}).get("services") or {}).get(service) or {}).get("rules") or ():
            rule["weights"].pop(version, None)
    return draft


def _draft(group: Group, service: str) -> Draft:
    draft = Draft(group)
    if service not in group.spec.spec.services:
        raise draft.error(SERVICES, unknown("service", service, group.spec.spec.services))
    return draft


def _known(draft: Draft, service: str, version: str) -> None:
    versions = draft.group.spec.spec.services[service].versions
    if version not in versions:
        path: FieldPath = (*SERVICES, service, "versions")
        raise draft.error(path, unknown(f"version of {service}", version, versions))
