"""The API server's path of each kind that graylane reads or writes."""

from urllib.parse import quote

from meshconfig.backend.kinds import ISTIO, KINDS
from meshconfig.cluster.objects import Key
from meshconfig.errors import InputError


def collection(kind: str, namespace: str, istio_api: str = "v1") -> str:
    """The path of all resources of a kind.

    Parameters:
        namespace: theirs; empty for those of every namespace.
        istio_api: the API version of Istio's kinds.
    """
    one = KINDS[kind]
    api = f"{one.api}/{istio_api}" if one.api == ISTIO else one.api
    root = "/apis/" if one.group else "/api/"
    return f"{root}{api}/namespaces/{_part(namespace)}/{one.plural}" if namespace else f"{root}{api}/{one.plural}"


def path(key: Key, api_version: str = "", *, istio_api: str = "v1") -> str:
    """The path of one resource. Its own `apiVersion`, if known, overrides `istio_api`."""
    version = api_version.rpartition("/")[2] if api_version.startswith(ISTIO) else istio_api
    return f"{collection(key.kind, key.namespace, version)}/{_part(key.name)}"


def _part(name: str) -> str:
    """A name as one part of a path: with `/` or `?` in it, it would be the path of something else.

    Raises:
        InputError: it is `.` or `..`, which no quoting makes a name.
    """
    if name in (".", ".."):
        raise InputError.at("graylane", f"{name} is no name of a resource or a namespace")
    return quote(name, safe="")
