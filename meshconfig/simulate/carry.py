"""How a service passes the tag on: the headers in which it reads it, and those in which it sends it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from meshconfig import baggage
from meshconfig.model import Carries
from meshconfig.simulate.request import Pairs


@dataclass(frozen=True, slots=True)
class Carrying:
    """In which headers services pass the tag on.

    Parameters:
        tags: the headers that carry a tag, in lower case.
        services: by fully qualified host, the headers in which the service carries a tag; both for other hosts.
        allowed: by tag, the values that services pass on, without the part behind a dot; all values for other tags.
        versions: by the host of a Service that stands for one version, the host of its service.
    """

    tags: tuple[str, ...]
    services: Mapping[str, Carries] = field(default_factory=dict)
    allowed: Mapping[str, Collection[str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def service_of(self, host: str) -> str:
        """The host of the service that requests to a host reach."""
        return self.versions.get(host, host)

    def sent(self, host: str, headers: Pairs) -> Pairs:
        """The headers that a service sends, of those that it received."""
        how = self.services.get(self.service_of(host), "both")
        if how == "none":
            return ()
        if how == "baggage":
            return _joined(values(headers, baggage.HEADER))
        given = {tag: value for tag in self.tags if (value := self._read(tag, headers, how)) is not None}
        if how == "header":
            return tuple(given.items())
        ours = [baggage.member(tag, value) for tag, value in given.items()]
        others = [
            one
            for one in baggage.members(values(headers, baggage.HEADER))
            if (key := baggage.key_of(one)) and key not in self.tags
        ]
        return (*given.items(), *_joined([*ours, *others]))

    def _read(self, tag: str, headers: Pairs, how: Carries) -> str | None:
        """The one value of a tag: of its header, else of its member if baggage is read. Two values count as none."""
        found = values(headers, tag)
        if how == "both":  # a WSGI server joins a header that was sent twice
            found = [one.strip(" \t") for value in found for one in value.split(",")] or member_values(headers, tag)
        value = found[0] if len({*found}) == 1 else ""
        allowed = self.allowed.get(tag)
        return value if value and (allowed is None or value.partition(".")[0] in allowed) else None


def values(headers: Pairs, name: str) -> list[str]:
    """Every value of a header."""
    return [value for key, value in headers if key == name]


def member_values(headers: Pairs, tag: str) -> list[str]:
    """Every value of the tag's member of baggage."""
    listed = baggage.members(values(headers, baggage.HEADER))
    return [baggage.value_of(one) for one in listed if baggage.key_of(one) == tag]


def _joined(listed: Iterable[str]) -> Pairs:
    text = ",".join(listed)
    return ((baggage.HEADER, text),) if text else ()


def loss(service: str, how: Carries, tag: str, received: Pairs, sent: Pairs, *, in_baggage: bool) -> str | None:
    """Why the routes behind a service no longer see the tag that reached it, and what to set; None where they do.

    Parameters:
        service: its name in the spec.
        received, sent: the headers that reached it, and those of its own requests.
        in_baggage: routes ask for the tag in W3C baggage too.
    """
    header, member = values(received, tag), member_values(received, tag)
    if len({*(header or member)}) != 1 or values(sent, tag) or (in_baggage and member_values(sent, tag)):
        return None
    return f"{service} loses the tag: {_advice(how, tag, header=bool(header), member=bool(member))}"


def _advice(how: Carries, tag: str, *, header: bool, member: bool) -> str:
    if how == "none":
        return f"it carries neither {tag} nor baggage; have it pass on {tag}, and set its carries to header or both"
    if how == "header":
        return f"baggage alone reaches it, and it reads {tag} alone; have its caller send {tag}"
    if member:
        return (
            f"it sends baggage alone, and no route asks for that; set tag.baggage: true, or have it send {tag} "
            "and set its carries to both"
        )
    return (
        f"{tag} alone reaches it, and it reads baggage alone; have its caller send baggage too "
        "(an entry: baggage: replace), or have it read and send the header, and set its carries to both"
    )
