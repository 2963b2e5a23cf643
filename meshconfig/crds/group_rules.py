"""Rules of a group: names in one part of the spec that another part has to have, and the fields of tag and entries."""

from meshconfig.compile.check import LONGEST_GENERATION, LONGEST_TAG, OF_THE_BASELINE
from meshconfig.crds.cel import CelRule, Rules, alone, labels, needs, some_share
from meshconfig.spec.base import words_of
from meshconfig.spec.group import LANE_NAME, REDIRECTED, TAKEN, Sticky, Tag

_LANE = LONGEST_TAG - len(LONGEST_GENERATION)  # characters of a name; during a change its tag is longer
_BASELINE = _LANE - len(OF_THE_BASELINE)
_BASE = f"(has(self.tag) && has(self.tag.default) ? self.tag.default : '{Tag.model_fields['default'].default}')"
_OF_BASE = f"self.lanes[{_BASE}].versions"
_BUCKETS = f"(has(self.sticky.cookie) ? self.sticky.cookie : '{Sticky.model_fields['cookie'].default}')"
_TAKEN = ", ".join(f"'{one}'" for one in sorted(TAKEN))

_NAMES = (
    CelRule(
        f"{_BASE} in self.lanes",
        "the baseline, tag.default, is none of the lanes",
        ".lanes",
        f"'there is no lane ' + {_BASE} + ', the baseline: add it, or name another lane in tag.default'",
    ),
    CelRule(
        f"self.lanes.all(one, one.matches('{LANE_NAME}'))",
        f"the name of a lane takes {words_of(LANE_NAME)}",
        ".lanes",
        f"self.lanes.filter(one, !one.matches('{LANE_NAME}'))[0] + ' is not allowed here: takes {words_of(LANE_NAME)}'",
    ),
    CelRule(
        f"self.lanes.all(one, size(one) <= (one == {_BASE} ? {_BASELINE} : {_LANE}))",
        f"the name of a lane has at most {_LANE} characters, and that of the baseline {_BASELINE}: during a change its "
        f"tag is longer, and services drop a tag of over {LONGEST_TAG} characters",
        ".lanes",
    ),
    labels("services"),
)


def _each(items: str, holds: str, message: str) -> CelRule:
    """That something holds of each service or entry; the message begins with the first of which it does not.

    The text is joined inside of `map`, where its length is bounded.
    """
    name, absent = ("one", "") if items == "services" else ("one.hosts[0]", "!has(self.entries) || ")
    naming = f"self.{items}.map(one, !({holds}), {name} + ': {message}')[0]"
    return CelRule(f"{absent}self.{items}.all(one, {holds})", message, f".{items}", naming)


_BETWEEN = (
    _each(
        "services",
        "!has(self.services[one].calls) || self.services[one].calls.all(other, other in self.services)",
        "calls names a service that there is not",
    ),
    _each(
        "services",
        # What most services have first: looking up a service takes long. Where there is no such lane, the last part
        # holds, and then an error of the first does not count.
        f"(has({_OF_BASE}) && one in {_OF_BASE} ? {_OF_BASE}[one] : {_BASE}) in self.services[one].versions || "
        "has(self.services[one].default) || has(self.services[one].weights) || "
        f"(has(self.services[one].external) && size(self.services[one].versions) == 1) || !({_BASE} in self.lanes)",
        "untagged requests have no version: give default or weights, or a version of the baseline",
    ),
    _each(
        "entries",
        "!has(one.split) || one.split.all(lane, lane in self.lanes)",
        "split names a lane that there is not",
    ),
    _each(
        "entries",
        f"!has(one.split) || {_BASE} in one.split",
        "split gives the baseline no share, so every untagged request would go to the other lanes: weights are "
        "relative to each other; give the baseline the rest, or 0 if the others are to get all",
    ),
    _each(
        "entries",
        "!has(one.admit) || one.admit.all(rule, rule.lane in self.lanes)",
        "admit names a lane that there is not",
    ),
    _each(
        "entries",
        "one.routes.all(route, route.service in self.services)",
        "routes name a service that there is not",
    ),
    _each(
        "entries",
        "!has(one.sticky) || !has(one.sticky.order) || one.sticky.order.all(lane, lane in self.lanes)",
        "sticky.order names a lane that there is not",
    ),
)
_ENTRY = (
    CelRule(
        needs("links", "cookie"), "links needs cookie: a link sets the cookie that puts a browser into a lane", ".links"
    ),
    CelRule(
        f"!has(self.sticky) || !has(self.cookie) || {_BUCKETS} != self.cookie",
        "sticky.cookie is the cookie of lanes: give the buckets another one",
        ".sticky",
    ),
    some_share("split"),
)
_GATEWAY = (
    CelRule(
        alone("use", "selector", "port", "tls"),
        "use names a Gateway that exists: selector, port and tls would have no effect",
        ".use",
    ),
    CelRule(
        f"!has(self.port) || self.port != {REDIRECTED} || !has(self.tls) || !has(self.tls.httpsRedirect) || "
        "!self.tls.httpsRedirect",
        f"httpsRedirect listens on port {REDIRECTED}: give TLS another port",
        ".port",
    ),
)
_TAG = (
    CelRule(
        f"!has(self.header) || !(self.header.lowerAscii() in [{_TAKEN}])",
        "this header has a meaning of its own; a tag needs a header to itself",
        ".header",
        "self.header + ' has a meaning of its own; a tag needs a header to itself'",
    ),
)

RULES: Rules = {"Entry": _ENTRY, "GatewayRef": _GATEWAY, "GroupSpec": (*_NAMES, *_BETWEEN), "Tag": _TAG}
