"""Rollouts as earlier releases stored them: one ConfigMap each. They are read alone, to be taken over as objects.

As for a Rollout's status, one counts only for the name, the group and the namespace of its ConfigMap, and whatever is
wrong in it is an `UnreadableError`.
"""

import base64
from dataclasses import dataclass, field

from meshconfig.bounded import unpack
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, UnreadableError
from meshconfig.cluster.rollouts import PAGE, check_base, check_state
from meshconfig.render import GROUP, MANAGED_BY

ROLLOUT = "graylane.dev/rollout"  # label: what a rollout still needed
PREFIX = "graylane-rollout."
LEASE = "rollouts.runner"  # of the program that drove them
SELECTOR = f"{MANAGED_BY}=graylane,{ROLLOUT}"


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored rollout.

    Parameters:
        state: as JSON.
        packed: the group's spec from before the rollout, as JSON packed by gzip; empty where it had not begun.
    """

    namespace: str
    name: str
    group: str
    state: str
    packed: bytes = field(default=b"", repr=False)

    @property
    def key(self) -> Key:
        """Its name has a dot, as no group's has, so it is no revision's."""
        return Key("ConfigMap", self.namespace, PREFIX + self.name)


def names(client: Client, namespace: str) -> list[Key]:
    """The ConfigMaps of all stored rollouts of a namespace, or of all namespaces if it is empty."""

    def add(found: list[Key], one: Manifest) -> None:
        found.append(Key("ConfigMap", one["metadata"]["namespace"], one["metadata"]["name"]))

    with client.lists.of():
        return client.read_into(list[Key], add, "ConfigMap", namespace, SELECTOR, page=PAGE, stored=True)


def parse(config_map: Manifest) -> Stored:
    """
    Raises:
        UnreadableError: it is damaged, too large, or another rollout's or group's than its ConfigMap's.
    """
    try:
        return _parsed(config_map)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise UnreadableError.of("ConfigMap", config_map, "rollout", error) from None


def _parsed(config_map: Manifest) -> Stored:
    metadata, data = config_map["metadata"], config_map.get("data") or {}
    if not metadata["name"].startswith(PREFIX):
        raise ValueError(f"its name does not begin with {PREFIX}")
    packed = base64.b64decode((config_map.get("binaryData") or {}).get("group", ""))
    group = metadata["labels"][GROUP]
    one = Stored(metadata["namespace"], metadata["name"].removeprefix(PREFIX), group, data["state"], packed)
    found, _ = check_state(one.state, one.namespace, one.name)
    if found != group:
        raise ValueError(f"its state is that of a rollout of group {found}")
    if packed:
        check_base(unpack(packed), one.namespace, group)
    return one
