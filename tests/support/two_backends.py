"""One spec in both backends: what Istio would do to a request, said so that the two can be compared.

A version is a subset in one backend and a Service in the other. Two answers differ on purpose (docs/gateway-api.md): a
strict lane's 503 comes from a Service without Pods, and what answers 404 by itself answers 500.
"""

from random_specs import BAGGAGE, BUCKETS, COOKIES, HEADERS, METHODS, PATHS, WORDS

from meshconfig.compile import compile_group
from meshconfig.errors import InputError
from meshconfig.istio import Resources
from meshconfig.istio.hosts import service_name
from meshconfig.render import render
from meshconfig.simulate import Destination, DirectResponse, Failure, Index, simulate
from meshconfig.simulate import Request as Asked
from meshconfig.spec import LaneGroup

MOST_BUCKETS = 10
TAGS = ("gray", "blue", "canary", "prod", "daily", "gray,prod", "Gray")


def for_both(value):
    """A random spec with what the backend `gateway` needs: a selector for each service, and few buckets."""
    for name, one in value["spec"]["services"].items():
        if not one.get("external") and "external" not in one:
            one["selector"] = {"app": name}
    for entry in value["spec"].get("entries", ()):
        if entry.get("sticky", {}).get("buckets", 0) > MOST_BUCKETS:
            entry["sticky"]["buckets"] = MOST_BUCKETS
    return value


def compiled(value, backend):
    """The model of a spec in a backend."""
    group = LaneGroup.model_validate(value)
    return compile_group(group.of_backend(backend))


class BothBackends:
    """A spec, rendered in both backends."""

    def __init__(self, value):
        self.models = {backend: compiled(value, backend) for backend in ("istio", "gateway")}
        self.rendered = {backend: render([model]) for backend, model in self.models.items()}
        self.indices = {backend: Index(Resources.parse(one)) for backend, one in self.rendered.items()}
        services = self.models["istio"].services
        self._versions = {
            f"{one.host.partition('.')[0]}-{subset.name}.{one.host.partition('.')[2]}": (one.host, subset.name)
            for one in services
            if not one.outside
            for subset in one.subsets
        }

    def decide(self, backend, request):
        return self.decide_by(self.indices[backend], request)

    def decide_by(self, index, request):
        """What resources of either backend, or of both, do to a request."""
        decision = simulate(index, request)
        assert not decision.undecided, decision.undecided
        shares = {}
        for share in decision.shares:
            key = self._outcome(share.outcome)
            shares[key] = shares.get(key, 0) + share.probability
        mirrors = sorted((*self._place(one.host, one.subset), one.port, one.share) for one in decision.mirrors)
        return shares, mirrors, decision

    def differs(self, request):
        """What the backends say of a request where they differ; None where they agree."""
        ours, theirs = (self.decide(backend, request) for backend in ("istio", "gateway"))
        return None if ours[:2] == theirs[:2] else (request, ours, theirs)

    def _place(self, host, subset):
        if service_name(host) is None:
            return host, ""
        return self._versions.get(host, (host, subset))

    def _outcome(self, outcome):
        if isinstance(outcome, Destination):
            place = self._place(outcome.host, outcome.subset)
            return ("to", *place, outcome.port, outcome.headers, outcome.path, outcome.authority)
        if isinstance(outcome, DirectResponse | Failure):
            by_itself = isinstance(outcome, DirectResponse) and outcome.status in (404, 500)
            return ("no link or no element",) if by_itself else ("answers", outcome.status)
        return outcome


def mesh_request(host, method, path, headers, port):
    """A request between services."""
    return Asked(host, path, method, headers, source_namespace="demo", port=port)


def gateway_request(host, method, path, headers):
    """A request from outside."""
    return Asked(host, path, method, headers, gateway="*")


def both_backends(value):
    """Both backends of a random spec; None where one of them refuses it."""
    try:
        return BothBackends(for_both(value))
    except InputError:
        return None


def random_request(random, hosts):
    """One request as `random_specs.asked` draws it, but many times as fast: host, method, path, headers."""
    headers = []
    for _ in range(random.randrange(5)):
        name, values = random.choice(
            (("env", TAGS), ("env", TAGS), (random.choice(HEADERS), WORDS), ("baggage", BAGGAGE))
        )
        headers.append((name, random.choice(values)))
    if random.random() < 0.5:
        headers.append(("cookie", random.choice(COOKIES + BUCKETS)))
    lane_hosts = [f"{lane}.{host}" for host in hosts for lane in ("gray", "prod")]
    path = random.choice((*PATHS, "/api/v1/x", "/c", "/.lane/gray", "/.lane/prod", "/.lane/gray/x"))
    query = random.choice(("", "?q=alice", "?v=bob&q=a.b", "?qq=alice", "?q="))
    return random.choice((*hosts, *hosts, *hosts, *lane_hosts)), random.choice(METHODS), path + query, tuple(headers)
