"""Reads a kubeconfig: the server's address and the user's credentials, or one line about what is wrong in which file.

The Kubernetes package merges the files and builds the credentials. It checks little before that: a file that is no
mapping, a certificate that is no base64 or an exec plugin that is not installed would end in a traceback, or in
requests without credentials. So the files' shape is checked here first.

Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/.
"""

import logging
import os
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_incluster_config
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from meshconfig.bounded import Room, TooMuchError, read_all
from meshconfig.errors import ClusterError, InputError, nearest, shown
from meshconfig.exchange.urls import shown_url
from meshconfig.load import parse

DEFAULT = "~/.kube/config"
# A list of a kubeconfig, and the field in which each of its items has its content.
LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}


def configure(configuration: Configuration, context: str | None = None) -> str:
    """Fill a configuration by KUBECONFIG or ~/.kube/config; inside a Pod without either, by its service account.

    Parameters:
        context: the context in the kubeconfig; None for its current context.

    Returns:
        Where the configuration is from, for error messages: `context NAME of FILE`, or the service account.

    Raises:
        InputError: a file cannot be read, or what it says cannot be used.
        ClusterError: there is no configuration.
    """
    named = os.environ.get("KUBECONFIG") or DEFAULT
    files = [str(Path(name).expanduser()) for name in named.split(os.pathsep) if name]
    found = [name for name in files if Path(name).exists()]
    if not found:
        if context is None and _in_cluster(configuration):
            return "the Pod's service account"
        raise ClusterError(
            f"no cluster: {' and '.join(files)} does not exist; set KUBECONFIG to the cluster's kubeconfig"
        )
    configs = {file: _read(file) for file in found}
    chosen = _chosen(configs, context)
    if chosen is None:
        if _in_cluster(configuration):
            return "the Pod's service account"
        raise ClusterError(
            f"no cluster: {found[0]} has no current-context; set one by: kubectl config use-context NAME"
        )
    _load(configuration, configs, chosen)
    return f"context {chosen} of {found[0] if len(found) == 1 else 'KUBECONFIG'}"


def _in_cluster(configuration: Configuration) -> bool:
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        return False
    return True


def _read(file: str) -> dict[str, Any]:
    """One file, of the shape that the Kubernetes package expects.

    Raises:
        InputError: it cannot be read, or has another shape.
    """
    try:
        with Path(file).open("rb") as stream:
            text = read_all(stream, Room()).decode()
    except TooMuchError as error:
        raise InputError.at(file, str(error), line=error.line) from None
    except UnicodeDecodeError:
        raise InputError.at(file, "a kubeconfig is UTF-8 text, and this file is not: save it as UTF-8") from None
    except OSError as error:
        raise InputError.at(file, f"cannot be read as a kubeconfig: {error.strerror or error}") from None
    documents = parse(text, file)
    value = documents[0].value if documents else {}
    known = isinstance(value, dict) and (not documents or {*LISTS, "current-context"} & set(value))
    if len(documents) > 1 or not known:
        raise InputError.at(file, "is no kubeconfig: it takes a mapping with clusters, contexts and users")
    for name, content in LISTS.items():
        items = value.get(name)
        if items is not None and not isinstance(items, list):
            raise InputError([documents[0].problem((name,), "takes a list")])
        for index, item in enumerate(items or ()):
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                raise InputError([documents[0].problem((name, index), f"takes a mapping with name and {content}")])
            if not isinstance(item.get(content), dict | None):
                raise InputError([documents[0].problem((name, index, content), "takes a mapping")])
    return value


def _item(configs: dict[str, dict[str, Any]], kind: str, name: str) -> tuple[str, dict[str, Any]] | None:
    """The content of an item and its file; of several files, the first one that has it."""
    for file, config in configs.items():
        for item in config.get(kind) or ():
            if item["name"] == name:
                return file, item.get(LISTS[kind]) or {}
    return None


def _chosen(configs: dict[str, dict[str, Any]], context: str | None) -> str | None:
    """The context's name, given or current. It, its cluster and its user are in the files, and can be used."""
    last = list(configs)[-1]
    current = [(file, config["current-context"]) for file, config in configs.items() if config.get("current-context")]
    where, name = ("--context", context) if context is not None else current[-1] if current else (last, None)
    if name is None:
        return None
    found = _item(configs, "contexts", str(name))
    if found is None:
        known = [item["name"] for config in configs.values() for item in config.get("contexts") or ()]
        raise InputError.at(where, f"there is no context {name}{nearest(str(name), known)}")
    file, content = found
    cluster = _referred(configs, file, str(name), "clusters", content.get("cluster"))
    _check_server(*cluster, content.get("cluster"))
    if content.get("user"):
        _check_plugin(*_referred(configs, file, str(name), "users", content["user"]), content["user"])
    return str(name)


def _referred(
    configs: dict[str, dict[str, Any]], file: str, context: str, kind: str, name: Any
) -> tuple[str, dict[str, Any]]:
    found = _item(configs, kind, str(name)) if name else None
    if found is None:
        what = f"its {LISTS[kind]} {name} is not in {kind}" if name else f"it names no {LISTS[kind]}"
        raise InputError.at(file, what, path=f"context {context}")
    return found


def _check_server(file: str, cluster: dict[str, Any], name: Any) -> None:
    server = cluster.get("server")
    try:
        parts = urlsplit(server if isinstance(server, str) else "")
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        usable = False
    if not usable:
        said = f"not {shown_url(server, path=True)!r}" if isinstance(server, str) else f"not {shown(server)}"
        said = said if server else "and is missing"
        raise InputError.at(file, f"takes a URL such as https://HOST:6443, {said}", path=f"cluster {name}: server")


def _check_plugin(file: str, user: dict[str, Any], name: Any) -> None:
    """Is the exec plugin installed? Kubernetes looks it up beside the kubeconfig if its name has a slash."""
    plugin = user.get("exec")
    if plugin is None or user.get("token") or user.get("tokenFile"):
        return
    path = f"user {name}: exec"
    command = plugin.get("command") if isinstance(plugin, dict) else None
    if not isinstance(command, str) or not command:
        raise InputError.at(file, "takes a mapping with apiVersion and command", path=path)
    beside = Path(file).absolute().parent / command if os.sep in command else command
    if shutil.which(beside) is None:
        hint = str(plugin.get("installHint") or "").strip() or "install it, or log in another way"
        message = f"the plugin {command}, which gets the credentials, is not on PATH: {' '.join(hint.split())}"
        raise InputError.at(file, message, path=path)


def _load(configuration: Configuration, configs: dict[str, dict[str, Any]], context: str) -> None:
    """Build the credentials.

    Raises:
        InputError: a certificate, key or token cannot be used, or the exec plugin failed.
    """
    file = next(iter(configs))
    with _errors_logged() as said:
        try:
            merged = KubeConfigMerger(os.pathsep.join(configs)).config  # type: ignore[no-untyped-call]
            loader = KubeConfigLoader(merged, context, config_base_path=None)  # type: ignore[no-untyped-call]
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        except OSError as error:
            raise InputError.at(error.filename or file, f"cannot be read: {error.strerror or error}") from None
        except (ConfigException, ValueError, TypeError, LookupError, AttributeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise InputError.at(file, f"context {context} cannot be used: {reason}") from None
    if said:  # the exec plugin failed; without its credentials, the server would say no more than "Unauthorized"
        raise InputError.at(file, f"context {context} has no credentials: {'; '.join(said)}; log in again")
    if str(configuration.host).startswith("https:"):
        _check_certificates(configuration, file, context)


def _check_certificates(configuration: Configuration, file: str, context: str) -> None:
    """A damaged certificate or key is found here, and not by the first request, which would be retried."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    name = "certificate-authority"
    try:
        if configuration.ssl_ca_cert:
            tls.load_verify_locations(configuration.ssl_ca_cert)
        if configuration.cert_file:
            name = "client-certificate and client-key"
            tls.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        message = f"its {name} cannot be used ({str(reason).replace('_', ' ').lower()}): is it a complete PEM text?"
        raise InputError.at(file, message, path=f"context {context}") from None


@contextmanager
def _errors_logged() -> Iterator[list[str]]:
    """What is logged as an error, in place of its printing: the Kubernetes package only logs why a plugin failed."""
    said: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(" ".join(record.getMessage().split()))

    handler, root = Collect(logging.ERROR), logging.getLogger()
    root.addHandler(handler)
    try:
        yield said
    finally:
        root.removeHandler(handler)
