"""The ConfigMap by which consumers and producers learn who is meant to consume which lane's messages."""

import json

from meshconfig.backend.manifest import Manifest, Owner
from meshconfig.model import Roster

FILE = "consumers.json"  # the key, which becomes the file's name where the ConfigMap is mounted


def text(one: Roster) -> str:
    """The roster as `propagation.messaging.lanes` reads it."""
    return json.dumps(one.as_json(), indent=1) + "\n"


def lower(one: Roster, owner: Owner) -> Manifest:
    """The ConfigMap, to be mounted into the Pods of consumers and producers."""
    return owner.manifest("v1", "ConfigMap", one.name, {FILE: text(one)}, under="data")
