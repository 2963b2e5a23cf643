"""Makes what a Lane needs before it can be routed: the Job before, and the Deployments, until their Pods are ready."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshconfig.cluster import previews
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Key, Manifest, key
from meshconfig.cluster.paths import path
from meshconfig.cluster.workloads import live
from meshconfig.controller.previews import made
from meshconfig.istio.hosts import service_name
from meshconfig.istio.labels import LANE
from meshconfig.preview import hooks
from meshconfig.preview.check import labels_of
from meshconfig.preview.clone import Cloned, CloneError, LaneIdentity, check_neighbours, clone, is_made_of
from meshconfig.spec import LaneGroup, PreviewLane, ServiceInGroup
from meshconfig.spec.preview import PreviewVersion

LATER = 5.0  # seconds until the next look at what no watch tells of: Pods, Services, and other namespaces' Deployments
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wait:
    """What a Lane waits for.

    Parameters:
        reason: a word in CamelCase.
        after: seconds until it is looked at again; None where a watch tells.
        stalled: a person has to change something.
    """

    reason: str
    message: str
    after: float | None = None
    stalled: bool = False


@dataclass(slots=True)
class Making:
    """One look at what is made for a Lane.

    Parameters:
        group: as its LaneGroup object says it.
        unrouted: whether no route leads any more to a Deployment of an earlier Lane that has a name of this one's.
        happened: gets the reason and the message of an Event.
    """

    client: Client
    lane: PreviewLane
    group: LaneGroup
    identity: LaneIdentity
    unrouted: Callable[[str], bool]
    happened: Callable[[str, str], None]
    _lists: dict[tuple[str, str], list[Manifest]] = field(default_factory=dict)

    @property
    def namespaces(self) -> list[str]:
        """The lane's own, and those of its services."""
        services = {self.group.service(name).namespace for name in self.lane.spec.versions}
        return sorted({self.lane.metadata.namespace, *services})

    def before(self) -> Wait | None:
        """Runs the Job before the lane; None once it has succeeded, or where there is none."""
        name = self.lane.spec.hooks.before
        if name is None:
            return None
        found = [one for one in self._jobs("before") if self.identity.owns(one)]
        if not found:
            return start(self.client, self.lane, self.identity, "before", name, self.happened)
        ended = hooks.outcome(found[0])
        job = found[0]["metadata"]["name"]
        if not ended.ended:
            return Wait("Hook", f"Job {job} runs before the lane's Pods are made")
        if ended.failed:
            return Wait("HookFailed", f"Job {job} failed: {ended.why}; once it is deleted, it is run again", None, True)
        return None

    def versions(self) -> tuple[dict[str, dict[str, str]], list[Wait]]:
        """Makes the Deployments.

        Returns:
            The labels of the versions whose Pods are ready, by service, and what the others wait for.
        """
        there = made.deployments(self.client, self.namespaces, self.identity.name)
        ready: dict[str, dict[str, str]] = {}
        waits = []
        for service, version in self.lane.spec.versions.items():
            here = self.group.service(service)
            try:
                wait = self._cloned(here, version, there) if version.from_ else self._existing(here, version)
            except CloneError as error:
                wait = Wait("NotCloned", str(error), LATER, stalled=True)
            if wait is None:
                ready[service] = labels_of(self.identity.name, service, version)
            else:
                waits.append(wait)
        return ready, waits

    def superfluous(self) -> Iterator[tuple[str, Manifest]]:
        """The Deployments of services of which the Lane's spec does not ask a clone any more, with the services."""
        wanted = {self._name(self.group.service(name)) for name, one in self.lane.spec.versions.items() if one.from_}
        for name, one in made.deployments(self.client, self.namespaces, self.identity.name).items():
            if name not in wanted and self.identity.owns(one) and not made.is_going(one):
                yield name.name, one

    def _name(self, here: ServiceInGroup) -> Key:
        return Key("Deployment", here.namespace, f"{here.name}-{self.identity.name}")

    def _cloned(self, here: ServiceInGroup, version: PreviewVersion, there: Mapping[Key, Manifest]) -> Wait | None:
        name = self._name(here)
        found = there.get(name) or live.read(self.client, name)
        if found is not None and (made.is_going(found) or not self.identity.owns(found)):
            return self._in_the_way(name, found)
        if found is None or not is_made_of(found, version):
            source = live.read(self.client, live.deployment(self.group, here.name, str(version.from_)))
            if source is None:
                missing = live.deployment(self.group, here.name, str(version.from_))
                return Wait("NoDeployment", f"{missing} to clone is not there", LATER)
            found = self._make(here, version, source, name)
        if made.has_its_pods(found):
            return None
        if why := _given_up(found):
            return Wait("PodsFailed", f"{name}: {why}", LATER, stalled=True)
        pods = live.progress(found)
        if not pods.wanted:
            return Wait("ScaledToZero", f"{name} is scaled to 0 Pods: scale it to {version.replicas}", LATER)
        why = live.reason(self.client, found)
        said = f"{pods.ready} of {pods.wanted} Pods of {name} are ready" + (f": {why}" if why else "")
        return Wait("Pods", said, LATER)

    def _in_the_way(self, name: Key, found: Manifest) -> Wait:
        """What of an earlier Lane of the name goes first. What is of others stays."""
        if made.is_going(found):
            return Wait("Pods", f"an earlier {name} is about to go", LATER)
        if not self.identity.follows(found):
            said = f"{name} exists already and is none of this lane's: give the lane another name"
            return Wait("NameTaken", said, LATER, stalled=True)
        if not self.unrouted(name.name):
            return Wait("Routes", f"the routes to an earlier {name} are taken away", LATER)
        made.delete(self.client, found)
        return Wait("Pods", f"an earlier {name} is deleted", LATER)

    def _make(self, here: ServiceInGroup, version: PreviewVersion, source: Manifest, name: Key) -> Manifest:
        """Raises: CloneError: it would not be the lane's alone."""
        service = self._service(here)
        spec = here.spec.versions[str(version.from_)]
        others: dict[str, Labels] = {one: each.labels for one, each in here.spec.versions.items()}
        back = {f"{one}'s fallback": each.fallback_labels or {} for one, each in here.spec.versions.items()}
        for other, labels in self._borrowed(here.name):
            others[f"of lane {other}"] = labels
        wish = Cloned(
            self.identity,
            name.name,
            here.name,
            version,
            {**(spec.fallback_labels or {}), **spec.labels},
            {**others, **back},
            (service.get("spec") or {}).get("selector") or {},
            here.spec.port,
            _target(service, here.spec.port),
        )
        manifest = clone(source, wish)
        own = [place.name for one in self.group.inside() if (place := service_name(one.host))]
        check_neighbours(
            source,
            manifest,
            self._list("Service", here.namespace),
            own,
            self._list("HorizontalPodAutoscaler", here.namespace),
        )
        found = self.client.apply(manifest, force=True)  # it is the lane's alone, whoever has scaled it meanwhile
        self.happened("Cloned", f"{name} is a clone of {key(source).name}")
        return {"kind": "Deployment", **found}

    def _service(self, here: ServiceInGroup) -> Manifest:
        place = service_name(here.host)
        found = [
            one for one in self._list("Service", here.namespace) if place and one["metadata"]["name"] == place.name
        ]
        if not found:
            raise CloneError(f"there is no Service {here.host}: a clone would get no request")
        return found[0]

    def _existing(self, here: ServiceInGroup, version: PreviewVersion) -> Wait | None:
        selected = (self._service(here).get("spec") or {}).get("selector") or {}
        labels = version.labels or {}
        if clash := [name for name, value in labels.items() if selected.get(name, value) != value]:
            raise CloneError(
                f"Service {here.host} selects {clash[0]}={selected[clash[0]]}, so that it has no Pod with "
                f"{clash[0]}={labels[clash[0]]}"
            )
        wanted = {**selected, **labels}
        selector = ",".join(f"{name}={value}" for name, value in sorted(wanted.items()))
        pods = self.client.list_resources("Pod", here.namespace, selector)
        lanes = {(one["metadata"].get("labels") or {}).get(LANE, "") for one in pods}
        if other := sorted(lanes - {"", self.identity.name}):
            raise CloneError(
                f"the labels {selector} select Pods of lane {other[0]}, too: give labels that only yours have"
            )
        if any(map(_is_ready, pods)):
            return None
        return Wait("Pods", f"no ready Pod of {here.name} has the labels {selector}", LATER)

    def _borrowed(self, service: str) -> Iterator[tuple[str, Labels]]:
        """The labels of Pods that other Lanes of the group name: a clone must not be one of these."""
        for one in previews.each(self.client, self.lane.metadata.namespace, self.lane.spec.group):
            labels = one.versions.get(service, {})
            if one.name != self.identity.name and LANE not in labels:
                yield one.name, labels

    def _jobs(self, when: hooks.When) -> list[Manifest]:
        return made.jobs(self.client, self.lane.metadata.namespace, self.identity.name, when)

    def _list(self, kind: str, namespace: str) -> list[Manifest]:
        if (kind, namespace) not in self._lists:
            self._lists[kind, namespace] = self.client.list_resources(kind, namespace)
        return self._lists[kind, namespace]


def start(
    client: Client,
    lane: PreviewLane,
    identity: LaneIdentity,
    when: hooks.When,
    name: str,
    happened: Callable[[str, str], None],
) -> Wait:
    """Creates a Job of a lane from a CronJob's template."""
    template: Any = client.get(path(Key("CronJob", lane.metadata.namespace, name)))
    if template is None:
        said = (
            f"there is no CronJob {name} in namespace {lane.metadata.namespace}, whose template spec.hooks.{when} runs"
        )
        return Wait("NoHook", said, LATER)
    if not hooks.is_template(template):
        said = (
            f"CronJob {name} is run by its schedule, and so it is no hook: spec.hooks.{when} takes a CronJob with "
            "spec.suspend: true"
        )
        return Wait("NoHook", said, LATER)
    manifest = hooks.job(template, identity, when)
    made.create(client, manifest)
    happened("Hook", f"Job {manifest['metadata']['name']} is made from CronJob {name}")
    return Wait("Hook", f"Job {manifest['metadata']['name']} runs")


def _target(service: Manifest, port: int) -> int | str | None:
    ports = (service.get("spec") or {}).get("ports") or ()
    return next((one.get("targetPort") for one in ports if one.get("port") == port), None)


def _given_up(found: Manifest) -> str:
    """Why Kubernetes has given a roll-out up; empty where it has not.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment
    """
    for one in (found.get("status") or {}).get("conditions") or ():
        if one.get("type") == "Progressing" and one.get("status") == "False":
            return str(one.get("message") or one.get("reason") or "its Pods do not become ready")
    return ""


def _is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not made.is_going(pod)
