"""Which images a group lets its preview lanes name: `limits.images`, an allow-list of registries or parts of them."""

from collections.abc import Iterable

DOCKER = "docker.io"  # the registry of an image that names none, as container runtimes complete it
EARLIER = "index.docker.io"  # the same one, by an earlier name


def is_allowed(image: str, prefixes: Iterable[str]) -> bool:
    """Whether an image is in one of these places; without any, every image is.

    A place counts by whole parts: `registry.example.com/team` does not let `registry.example.com/teams/cat` in, nor
    `registry.example.com` the registry `registry.example.com.example.org`.
    """
    given = list(prefixes)
    name = _parts(repository(image))
    return not given or any(name[: len(place)] == place for place in map(_place, given))


def repository(image: str) -> str:
    """An image without its tag and digest: `registry:5000/team/cat:pr-42` → `registry:5000/team/cat`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _parts(name: str) -> list[str]:
    """The registry, and the parts behind it: `cat` → docker.io, library, cat."""
    parts = _place(name) if "/" in name else [DOCKER, name]
    return [DOCKER, "library", parts[1]] if parts[0] == DOCKER and len(parts) == 2 else parts


def _place(prefix: str) -> list[str]:
    """As `_parts`, for what may be a registry alone, or an owner at Docker Hub."""
    first, *rest = prefix.split("/")
    if not _is_registry(first):
        return [DOCKER, first, *rest]
    return [DOCKER if first.lower() == EARLIER else first.lower(), *rest]


def _is_registry(part: str) -> bool:
    """Docker Hub has no owner with capitals, so that runtimes pull `EVIL/cat` from a host.

    Source: https://github.com/distribution/reference/blob/main/normalize.go, splitDockerDomain
    """
    return "." in part or ":" in part or part == "localhost" or part != part.lower()
