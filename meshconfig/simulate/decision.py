"""The result for one request: the route that took it, why earlier routes did not, and where the request goes."""

from dataclasses import dataclass
from fractions import Fraction

from meshconfig.istio.routes import Mismatch, RouteRef
from meshconfig.simulate.request import Pairs

Labels = Pairs  # sorted by key
NO_CONNECTION = 0  # the status where no HTTP comes back: nothing listens, or the connection is closed


@dataclass(frozen=True, slots=True)
class Skipped:
    """An earlier route that did not match.

    Parameters:
        reasons: for each match of the route, the conditions that did not hold.
    """

    route: RouteRef
    reasons: tuple[tuple[Mismatch, ...], ...]

    def __str__(self) -> str:
        return "; or ".join(", ".join(map(str, reasons)) for reasons in self.reasons)


@dataclass(frozen=True, slots=True)
class Destination:
    """A Service's Pods, all of them or a subset, and the request as it is sent there.

    Parameters:
        host: the Service, fully qualified. port: None when nothing says which.
        labels: the subset's labels, in the DestinationRule; empty without a subset.
        headers: the request's headers after every `headers.request` operation, without those that Envoy adds
            (`x-request-id`, …).
        path, authority: the path and the authority after rewriting.
        workloads: `namespace/name` of the workloads whose Pod templates the Service and the subset select. None when
            the resources hold no workload of the Service's namespace; empty when they select none of these, which
            means 503 in a cluster that has no others.
        preferred: the workloads that a `failoverPriority` prefers while they are healthy; without one, all workloads.
        prefers: the labels that such a `failoverPriority` asks for, the most important first.
    """

    host: str
    port: int | None
    subset: str = ""
    labels: Labels = ()
    headers: Pairs = ()
    path: str = "/"
    authority: str = ""
    workloads: tuple[str, ...] | None = None
    preferred: tuple[str, ...] | None = None
    prefers: Pairs = ()

    def __str__(self) -> str:
        place = f"{self.host}:{self.port}" if self.port else self.host
        return f"{place} subset {self.subset}" if self.subset else place


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect that the proxy answers by itself; `location` is the whole URL."""

    status: int
    location: str

    def __str__(self) -> str:
        return f"{self.status} redirect to {self.location}"


@dataclass(frozen=True, slots=True)
class DirectResponse:
    """A fixed answer of a route, which the proxy gives by itself."""

    status: int
    body: str = ""

    def __str__(self) -> str:
        return f"{self.status} direct response"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that the proxy answers by itself: no route (404), no such cluster (503), an injected fault.

    The status is `NO_CONNECTION` where there is no answer at all.
    """

    status: int
    why: str

    def __str__(self) -> str:
        return self.why if self.status == NO_CONNECTION else f"{self.status} {self.why}"


@dataclass(frozen=True, slots=True)
class Passthrough:
    """Istio does not route the request; the connection goes to the client's own address (`outboundTrafficPolicy`)."""

    host: str
    why: str

    def __str__(self) -> str:
        return f"{self.host}, not routed by Istio: {self.why}"


@dataclass(frozen=True, slots=True)
class Undecided:
    """The outcome of this share of the requests cannot be decided; `Decision.undecided` has the reasons."""

    def __str__(self) -> str:
        return "cannot be decided"


Outcome = Destination | Redirect | DirectResponse | Failure | Passthrough | Undecided


@dataclass(frozen=True, slots=True)
class Share:
    """An outcome and the share of equal requests that it gets: above 0, at most 1."""

    probability: Fraction
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Mirror:
    """A Service that gets a copy of this share of the routed requests; the proxy drops its answers."""

    host: str
    port: int | None
    subset: str
    share: Fraction

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" + (f" subset {self.subset}" if self.subset else "")


@dataclass(frozen=True, slots=True)
class Decision:
    """What Istio does to one request.

    Parameters:
        route: the route that took the request; None when none did (then `shares` holds the 404, or the Service that
            takes requests without a route).
        shares: the outcomes; their probabilities sum to 1.
        skipped: every route that was tried before, with the reasons.
        mirrors: the Services that get copies of the request.
        undecided: what could change this decision and is not known or not modelled, one sentence each.
        assumed: what the resources do not say and the simulation takes for given, one sentence each.
        virtual_host: the host pattern of the virtual host that took the request; empty when none did.
    """

    route: RouteRef | None
    shares: tuple[Share, ...]
    skipped: tuple[Skipped, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    undecided: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    virtual_host: str = ""

    @property
    def outcome(self) -> Outcome | None:
        """The outcome when there is only one."""
        return self.shares[0].outcome if len(self.shares) == 1 else None

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """The outcomes that are destinations."""
        return tuple(share.outcome for share in self.shares if isinstance(share.outcome, Destination))
