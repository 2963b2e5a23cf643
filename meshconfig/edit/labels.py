"""The labels and the workload name of a new version, derived from those of an existing version."""

from collections.abc import Mapping

from meshconfig.errors import InputError
from meshconfig.spec import ServiceSpec


def labels(spec: ServiceSpec, old: str, new: str, given: Mapping[str, str]) -> dict[str, str]:
    """The labels that only the Pods of a new version carry.

    Parameters:
        old: the version to begin with. Its labels that are its name get the new name, else those by which it differs
            from other versions, else its only one.
        given: labels that the user gave; if there are any, the old version's other labels stay unchanged.

    Raises:
        InputError: the labels would also select Pods of another version.
    """
    found = dict(spec.versions[old].labels)
    if given:
        found |= given
    else:
        found |= dict.fromkeys(_telling(spec, old), new)
    for version, other in spec.versions.items():
        if not any(found[key] != other.labels[key] for key in found.keys() & other.labels.keys()):
            message = f"Pods with {shown(found)} may be of version {version} too, which has {shown(other.labels)}"
            raise InputError.at("--label", f"{message}: give the label that distinguishes them")
    return found


def _telling(spec: ServiceSpec, old: str) -> list[str]:
    mine = spec.versions[old].labels
    if named := [key for key, value in mine.items() if value == old]:
        return named
    others = [version.labels for name, version in spec.versions.items() if name != old]
    if apart := [key for key, value in mine.items() if any(other.get(key, value) != value for other in others)]:
        return apart
    return list(mine) if len(mine) == 1 else []


def workload(spec: ServiceSpec, old: str, new: str) -> str | None:
    """The name of a new version's Deployment: the old one's with the version replaced at its end. None for the default,
    SERVICE-VERSION."""
    name = spec.versions[old].workload
    return f"{name.removesuffix(old)}{new}" if name and name.endswith(f"-{old}") else None


def shown(found: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(found.items()))
