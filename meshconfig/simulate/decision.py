"""What comes of a request: which route took it, why the earlier ones did not, and where it goes on."""

from dataclasses import dataclass
from fractions import Fraction

from meshconfig.istio.routes import Mismatch, RouteRef
from meshconfig.simulate.request import Pairs

Labels = Pairs  # sorted by key


@dataclass(frozen=True, slots=True)
class Skipped:
    """An earlier route that did not match: for each of its OR-ed matches, the conditions that did not hold."""

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
        headers: the request's headers after every `headers.request` operation; Envoy's own (`x-request-id`, …) are not
            in it.
        workloads: `namespace/name` of those whose Pod templates the Service and the subset select, if they are among
            the resources; None when they are not. Empty: none of those given, so 503 unless there are others.
        preferred: of these, the ones that a `failoverPriority` prefers while they are healthy; equal to `workloads`
            without one.
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
    status: int
    location: str

    def __str__(self) -> str:
        return f"{self.status} redirect to {self.location}"


@dataclass(frozen=True, slots=True)
class DirectResponse:
    status: int
    body: str = ""

    def __str__(self) -> str:
        return f"{self.status} direct response"


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that the proxy gives itself: no route (404), no such cluster (503), an injected fault."""

    status: int
    why: str

    def __str__(self) -> str:
        return f"{self.status} {self.why}"


@dataclass(frozen=True, slots=True)
class Passthrough:
    """No routing by Istio: the connection goes on to where the client addressed it (`outboundTrafficPolicy`)."""

    host: str
    why: str

    def __str__(self) -> str:
        return f"{self.host}, not routed by Istio: {self.why}"


@dataclass(frozen=True, slots=True)
class Undecided:
    """This share of the requests cannot be told; the reasons are in `Decision.undecided`."""

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
    """A copy of this share of the routed requests goes here as well; its answer is dropped."""

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
        route: the route that took it; None when none did (then `shares` holds the 404, or the plain Service).
        skipped: every route that was tried before it, with the reasons.
        shares: the outcomes; their probabilities sum to 1.
        undecided: what could change this decision and is not known or not modelled, one sentence each.
        assumed: what was taken for given because the resources do not say it, one sentence each.
        virtual_host: the host pattern that the request's host was found under; empty when under none.
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
        return tuple(share.outcome for share in self.shares if isinstance(share.outcome, Destination))
