"""Secrets of a rollout's namespace, each for the URLs alone that its own annotation names.

Whoever may write a rollout need not be allowed to read the Secrets that it names. Without the annotation, a rollout
could have the runner sign for, or log in at, a URL of its author's.
"""

from typing import Any

from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key
from meshconfig.cluster.paths import path
from meshconfig.errors import ClusterError
from meshconfig.exchange.urls import Url, covers

ANNOTATION = "graylane.dev/url-prefix"


def read(client: Client, namespace: str, name: str, url: Url) -> dict[str, str]:
    """The `data` of a Secret: base64 by key.

    Parameters:
        url: where it is to be used.

    Raises:
        ClusterError: there is none, it cannot be read, or it is not for this URL.
    """
    key = Key("Secret", namespace, name)
    found = client.get(path(key))
    if found is None:
        raise ClusterError(f"there is no {key}")
    if wrong := _unbound(found, key, url):
        raise ClusterError(wrong)
    data = found.get("data")
    return {one: text for one, text in data.items() if isinstance(text, str)} if isinstance(data, dict) else {}


def _unbound(found: dict[str, Any], key: Key, url: Url) -> str:
    """Why a Secret may not be used for a URL, with the command that allows it; empty if it may.

    The command names the URL's host and not its path, which may be a token.
    """
    annotations = found["metadata"].get("annotations")
    prefixes = annotations.get(ANNOTATION) if isinstance(annotations, dict) else None
    command = f"kubectl annotate secret {key.name} -n {key.namespace} {ANNOTATION}={url.origin}/"
    if not isinstance(prefixes, str) or not prefixes.strip():
        return f"{key} has no annotation {ANNOTATION}, so it is for no URL; to allow this one: {command}"
    try:
        if any(covers(prefix, url) for prefix in prefixes.split()):
            return ""
    except ValueError as error:
        return f"{key}, annotation {ANNOTATION}: {error}; to set it: {command} --overwrite"
    return f"the annotation {ANNOTATION} of {key} does not cover this URL; to allow it: {command} --overwrite"
