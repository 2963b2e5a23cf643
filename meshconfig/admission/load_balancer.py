"""`loadBalancer` of a traffic policy, as Istio's webhook judges it.

Source: istio pkg/config/validation, validation.go (validateLoadBalancer), agent/validation.go
(ValidateLocalityLbSetting, ValidateZoneAwareLbSetting).
"""

from collections.abc import Iterable, Sequence

from meshconfig.admission import formats
from meshconfig.admission.parts import Part, check_durations, items
from meshconfig.admission.refusals import At, Refusals

TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone")
_TABLE_END = 5_000_011
_HINT = "write region, region/zone or region/zone/subzone"


def check_load_balancer(balancer: Part, at: At, out: Refusals) -> None:
    if (consistent := balancer.get("consistentHash")) is not None:
        _check_consistent_hash(consistent, (at, "consistentHash"), out)
    locality, zone = balancer.get("localityLbSetting"), balancer.get("zoneAwareLbSetting")
    if locality is not None and zone is not None:
        out.contradiction((at, "zoneAwareLbSetting"), "takes localityLbSetting or zoneAwareLbSetting, not both")
    if locality is not None:
        _check_locality(locality, (at, "localityLbSetting"), out)
    if zone is not None:
        here = (at, "zoneAwareLbSetting")
        for number, label in enumerate(items(zone, "failoverPriority")):
            if label in TOPOLOGY:
                out.contradiction(
                    ((here, "failoverPriority"), number), f"{label} is taken into account anyway: delete it"
                )
        _check_failover(zone, here, out)
    if (warmup := balancer.get("warmup")) is not None:
        check_durations(warmup, ("duration",), (at, "warmup"), out)
        if warmup.get("aggression") == 0:
            out.bad(((at, "warmup"), "aggression"), "takes more than 0")


def _check_consistent_hash(consistent: Part, at: At, out: Refusals) -> None:
    if (cookie := consistent.get("httpCookie")) is not None:
        _check_cookie(cookie, (at, "httpCookie"), out)
    maglev = consistent.get("maglev")
    if consistent.get("minimumRingSize") and (maglev is not None or consistent.get("ringHash") is not None):
        out.contradiction(
            (at, "minimumRingSize"), "takes ringHash, maglev or the older minimumRingSize, not two of them"
        )
    if maglev is not None:
        size = maglev.get("tableSize") or 0
        if not _is_prime(size) or size >= _TABLE_END:
            out.bad(
                ((at, "maglev"), "tableSize"), f"takes a prime number below {_TABLE_END}, such as 65537, not {size}"
            )


def _check_cookie(cookie: Part, at: At, out: Refusals) -> None:
    if cookie.get("name") == "":
        out.missing((at, "name"), "the cookie has no name")
    if (ttl := cookie.get("ttl")) is not None:
        out.bad((at, "ttl"), formats.any_duration(ttl))
    seen: set[str] = set()
    for number, one in enumerate(items(cookie, "attributes")):
        name = one.get("name")
        if name == "":
            out.missing(((at, "attributes"), number), "the attribute has no name")
        elif name in seen:
            out.repeated(((at, "attributes"), number), f"the attribute {name} is repeated: delete one")
        elif name:
            seen.add(name)


def _is_prime(number: int) -> bool:
    if number < 4 or number % 2 == 0:
        return 0 < number < 4
    # Envoy's table ends there: no use in searching factors of larger ones, which are refused anyway.
    limit = int(min(number, _TABLE_END) ** 0.5)
    return all(number % factor for factor in range(3, limit + 1, 2))


def _check_locality(setting: Part, at: At, out: Refusals) -> None:
    distribute, failover = items(setting, "distribute"), items(setting, "failover")
    if distribute and failover:
        out.contradiction((at, "failover"), "takes distribute or failover, not both")
        return
    for number, label in enumerate(items(setting, "failoverPriority")):
        if failover and label in TOPOLOGY:
            out.contradiction(
                ((at, "failoverPriority"), number), f"{label} is what failover decides: delete one of them"
            )
            return
    for number, one in enumerate(distribute):
        to = one.get("to") or {}
        place = (((at, "distribute"), number), "to")
        if any(not 1 <= (weight or 0) <= 100 for weight in to.values()):
            out.bad(place, "each weight takes 1 to 100")
            return
        if (total := sum(weight or 0 for weight in to.values())) != 100:
            out.bad(place, f"the weights of all localities are {total} in sum, not 100")
            return
        _check_localities(sorted(to), place, out)  # the widest first, as a mapping has no order
    _check_localities([one.get("from") or "" for one in distribute], (at, "distribute"), out)
    _check_failover(setting, at, out)


def _check_failover(setting: Part, at: At, out: Refusals) -> None:
    for number, one in enumerate(items(setting, "failover")):
        here = ((at, "failover"), number)
        regions: Sequence[str] = (one.get("from") or "", one.get("to") or "")
        if regions[0] == regions[1]:
            out.bad(here, "from and to are the same region")
        if wrong := next((region for region in regions if "/" in region or "*" in region), ""):
            out.bad(here, f"{wrong!r}: takes regions alone, without zones and *")


def _check_localities(localities: Iterable[str], at: At, out: Refusals) -> None:
    """Localities of which none contains another. Istio reports the first fault alone."""
    seen: dict[str, dict[str, set[str]]] = {}
    for locality in localities:
        parts = locality.split("/", 2)
        if "*" in locality and (locality.count("*") > 1 or not locality.endswith("*")):
            out.bad(at, f"{locality!r}: one * at the end stands for all below it")
            return
        if "" in parts:
            out.bad(at, f"{locality!r} has an empty part: {_HINT}")
            return
        if not _add(parts, seen):
            out.repeated(at, f"{locality} overlaps with another locality of this list: delete one")
            return


def _add(parts: Sequence[str], seen: dict[str, dict[str, set[str]]]) -> bool:
    """Adds a locality; false if one that was added before contains it, or is the same or below it without a `*`."""
    region, zone, subzone = (*parts, "*", "*")[:3]
    zones = seen.get(region)
    if "*" in seen or (zones is not None and (len(parts) == 1 or "*" in zones)):
        return False
    subzones = None if zones is None else zones.get(zone)
    if subzones is not None and (len(parts) == 2 or "*" in subzones or subzone in subzones):
        return False
    seen.setdefault(region, {}).setdefault(zone, set()).add(subzone)
    return True
