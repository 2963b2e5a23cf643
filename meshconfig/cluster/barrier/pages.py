"""istiod's debug pages as values: the connected proxies, what was sent and acknowledged, what istiod has read.

Source: istio/istio `pilot/pkg/xds/debug.go` (SyncStatus, AdsClients, ConfigDump) and `pilot/pkg/model/sidecar.go`
(SidecarScope), Istio 1.20 to 1.31.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from meshconfig.backend.kinds import kind_of
from meshconfig.bounded import one_line
from meshconfig.cluster.objects import Key, Manifest, key

Page = Any  # JSON

_SHOWN = 300  # bytes of what istiod says against a route
_UUID = 36  # length of the UUID that ends each nonce, directly behind the version
# The flat fields of older Istio, such as `cluster_sent` and `cluster_acked`.
_OLD = {"CDS": "cluster", "LDS": "listener", "RDS": "route", "EDS": "endpoint"}
_TYPES = {"Cluster": "CDS", "Listener": "LDS", "RouteConfiguration": "RDS", "ClusterLoadAssignment": "EDS"}


class Version(NamedTuple):
    """The version of a push (PushContext.PushVersion): when istiod began it, and its number since istiod's start."""

    began: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What a proxy was last sent of one xDS type.

    Parameters:
        nonce: the nonce of the last response.
        acked: the nonce that the proxy last acknowledged.
        at: when istiod sent the response; None if this version of istiod does not show it.
        error: Envoy's message if it rejected a response; otherwise empty.
    """

    nonce: str
    acked: str
    at: datetime | None = None
    error: str = ""

    @property
    def acknowledged(self) -> bool:
        return self.nonce == self.acked

    @property
    def version(self) -> Version | None:
        return version(self.nonce[:-_UUID])


@dataclass(frozen=True, slots=True)
class Proxy:
    """A connected proxy.

    Parameters:
        name: POD.NAMESPACE.
        kind: `sidecar`, `router` (a gateway) or another.
        sent: what it was last sent, by xDS type: CDS, EDS, LDS, RDS.
    """

    name: str
    kind: str
    sent: Mapping[str, Sent]

    @property
    def listens(self) -> bool:
        """Whether the proxy has listeners. It gets them after its clusters; until then its Pod refuses connections."""
        return bool((sent := self.sent.get("LDS")) and sent.acked)

    @property
    def namespace(self) -> str:
        return self.name.rpartition(".")[2]


def version(text: str) -> Version | None:
    """The version in a text such as `2026-11-21T14:18:35Z/30`; None for any other text."""
    began, slash, count = text.rpartition("/")
    time = _time(began)
    return Version(time, int(count)) if slash and count.isdigit() and time else None


def proxies(syncz: Page) -> tuple[Proxy, ...]:
    """The proxies connected to this istiod, by `/debug/syncz`. Clients that subscribe to no xDS type are left out."""
    found = [_proxy(one) for one in syncz or () if one.get("proxy")]
    return tuple(proxy for proxy in found if proxy.sent)


def watches(adsz: Page) -> dict[str, frozenset[str]]:
    """For each proxy, the names of the clusters whose endpoints it has or has asked for, by `/debug/adsz`.

    Envoy asks for clusters, then for their endpoints, then for listeners. So one that has asked for neither of these
    has connected just now, and is not in it.
    """
    found: dict[str, frozenset[str]] = {}
    for one in adsz.get("clients") or ():
        asked = {_short(url): names or () for url, names in (one.get("watches") or {}).items()}
        if "EDS" in asked or "LDS" in asked:
            name = one["connectionId"].rpartition("-")[0]
            found[name] = frozenset(asked.get("EDS", ())) | found.get(name, frozenset())
    return found


def unseen(configz: Page, written: Iterable[Manifest], deleted: Iterable[Key]) -> tuple[Key, ...]:
    """The written and deleted resources that istiod has not read from the API server yet, by `/debug/configz`."""
    there = {_place(one): one for one in configz or ()}
    listed = (one for one in written if one["kind"] != "Service")  # istiod's pages list no Services
    late = [key(one) for one in listed if not _reached(there.get(_place(one)), one)]
    still = [one for one in deleted if tuple(one) in there]
    return tuple(late + still)


def unresolved(configz: Page, written: Iterable[Manifest]) -> tuple[str, ...]:
    """What istiod says against written routes of the Gateway API, a line each, as far as it has judged them.

    Source: Gateway API, RouteParentStatus: a condition is about the generation that it names.
    """
    there = {_place(one): one for one in configz or ()}
    return tuple(f"{key(one)}: {line}" for one in written for line in _against(there.get(_place(one)), one))


def _against(found: Manifest | None, wanted: Manifest) -> Iterator[str]:
    generation = wanted["metadata"].get("generation") or 0
    for parent in ((found or {}).get("status") or {}).get("parents") or ():
        for one in parent.get("conditions") or ():
            if one.get("status") == "False" and one.get("observedGeneration", 0) >= generation:
                yield f"{one.get('type')} is False: {one_line(str(one.get('message') or one.get('reason')), _SHOWN)}"


def _place(manifest: Manifest) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return kind_of(manifest), metadata.get("namespace", ""), metadata["name"]


def _reached(found: Manifest | None, wanted: Manifest) -> bool:
    """Whether istiod's copy of a resource is at least as new as the written one.

    The generation decides where both have it: unlike the resourceVersion, it does not change with the status.
    """
    if found is None:
        return False
    here, there = found["metadata"], wanted["metadata"]
    if here.get("uid") and there.get("uid") and here["uid"] != there["uid"]:
        return False
    if here.get("generation") and there.get("generation"):
        return bool(here["generation"] >= there["generation"])
    return _number(here) >= _number(there)


def _number(metadata: Mapping[str, Any]) -> int:
    text = str(metadata.get("resourceVersion", ""))
    return int(text) if text.isdigit() else 0


def _proxy(one: Mapping[str, Any]) -> Proxy:
    if resources := one.get("resources"):
        sent = {_short(url): _sent(page) for url, page in resources.items()}
        sent = {short: page for short, page in sent.items() if short in _OLD}
    else:
        pairs = {short: (one.get(f"{old}_sent", ""), one.get(f"{old}_acked", "")) for short, old in _OLD.items()}
        sent = {short: Sent(*pair) for short, pair in pairs.items() if pair[0]}
    return Proxy(one["proxy"], one.get("proxy_type", "sidecar"), sent)


def _sent(page: Mapping[str, str]) -> Sent:
    at = _time(page.get("sentTime", ""))
    return Sent(page.get("sent", ""), page.get("acked", ""), at, page.get("lastError", ""))


def _short(url: str) -> str:
    return _TYPES.get(url.rpartition(".")[2], url)


def _time(text: str) -> datetime | None:
    """An RFC 3339 time with the nanoseconds that Go writes; None for Go's zero time or for no time."""
    try:
        time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        return time.astimezone(UTC) if time.tzinfo and time.year > 1 else None
    except (ValueError, OverflowError):  # the last day of the calendar, in another time zone
        return None


def pushed(dump: Page) -> Version | None:
    """The version of the push that a `/debug/config_dump` was made with; None if the dump has none."""
    found = [version(one["versionInfo"]) for one in dump.get("configs") or () if one.get("versionInfo")]
    return next((one for one in found if one), None)


def scope_version(sidecarz: Page) -> Version | None:
    """The version of the push for which istiod last looked at a proxy, by `/debug/sidecarz`; None if it has none."""
    return version(sidecarz.get("version") or "") if sidecarz else None


def clusters(dump: Page) -> frozenset[str]:
    """The names of the clusters in a `/debug/config_dump`."""
    found = [one for page in dump.get("configs") or () for one in page.get("dynamicActiveClusters") or ()]
    return frozenset(one["cluster"]["name"] for one in found)
