"""The labels of a new version: like those of the one that it comes from, with its own name in them."""

from collections.abc import Mapping

from meshconfig.errors import InputError
from meshconfig.spec import ServiceSpec


def labels(spec: ServiceSpec, old: str, new: str, given: Mapping[str, str]) -> dict[str, str]:
    """The labels that the Pods of a new version alone carry.

    Parameters:
        old: the version to begin with. Its labels that are its name get the new name, else those by which it differs
            from other versions, else its only one.
        given: labels that are said; with any, the others stay as they are.

    Raises:
        InputError: they would not tell the new version's Pods from another's.
    """
    found = dict(spec.versions[old].labels)
    if given:
        found |= given
    else:
        found |= dict.fromkeys(_telling(spec, old), new)
    for version, other in spec.versions.items():
        if not any(found[key] != other.labels[key] for key in found.keys() & other.labels.keys()):
            message = f"Pods with {shown(found)} may be of version {version} too, which has {shown(other.labels)}"
            raise InputError.at("--label", f"{message}: say the label that tells them apart")
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
    """The name of a new version's Deployment: as the old one's, with the name of the version at its end; None for the
    usual one, SERVICE-VERSION."""
    name = spec.versions[old].workload
    return f"{name.removesuffix(old)}{new}" if name and name.endswith(f"-{old}") else None


def shown(found: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(found.items()))
