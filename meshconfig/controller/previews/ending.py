"""The end of a Lane: no route leads to it, then its Pods go, then the Job after runs, and then its finalizer goes.

Each look does the next thing that is left to do, so that whoever is killed in between is continued from what is there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from meshconfig.cluster import custom
from meshconfig.cluster.client import Client
from meshconfig.cluster.objects import Manifest
from meshconfig.cluster.previews import FINALIZER, PreviewObject
from meshconfig.controller.previews import made
from meshconfig.controller.previews.making import LATER, Wait, start
from meshconfig.errors import ApiError, InputError
from meshconfig.preview import hooks
from meshconfig.preview.clone import LaneIdentity

FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Ending:
    """
    Parameters:
        namespaces: where Deployments of the lane may be.
        beyond: what may be left in other namespaces, which the controller may not change; empty where nothing is.
        happened: gets the reason and the message of a warning.
    """

    client: Client
    one: PreviewObject
    identity: LaneIdentity
    namespaces: Iterable[str]
    beyond: str
    happened: Callable[[str, str], None]

    def pods_and_hook(self) -> Wait | None:
        """What is left to wait for, once no route leads to the lane; None where nothing is.

        Raises:
            ClusterError: as of the API server.
        """
        there = made.deployments(self.client, self.namespaces, self.one.name)
        if mine := [one for one in there.values() if self.identity.owns(one)]:
            for one in mine:
                if not made.is_going(one):
                    made.delete(self.client, one)
            names = ", ".join(sorted(one["metadata"]["name"] for one in mine))
            return Wait("Pods", f"no route leads to the lane any more; the Pods of {names} end", LATER)
        if self.beyond:
            return Wait("NotAllowed", self.beyond, LATER)
        if before := self._jobs("before"):
            for one in before:
                if not made.is_going(one):
                    made.delete(self.client, one)
            return Wait("Hook", f"Job {before[0]['metadata']['name']} goes")
        return self._after()

    def let_go(self) -> None:
        """Raises: Conflict: somebody wrote the object in between."""
        try:
            custom.drop_finalizer(self.client, self.one, FINALIZER)
        except ApiError as error:
            if error.status != made.NOT_FOUND:
                raise

    def _after(self) -> Wait | None:
        """Runs the Job after the end. One that cannot be run, or fails, is told: nobody mends it in the Lane."""
        try:
            lane = self.one.spec()
        except InputError:
            return None
        name = lane.spec.hooks.after
        if name is None:
            return None
        found = self._jobs("after")
        if not found:
            try:
                wait = start(self.client, lane, self.identity, "after", name, lambda reason, said: None)
            except ApiError as error:
                if error.status not in (FORBIDDEN, made.NOT_FOUND, 422):
                    raise
                wait = Wait("NoHook", str(error))
            if wait.reason == "NoHook":
                self.happened("HookFailed", wait.message)
                return None
            return wait
        ended = hooks.outcome(found[0])
        job = found[0]["metadata"]["name"]
        if not ended.ended:
            return Wait("Hook", f"Job {job} runs after the end of the lane's Pods")
        if ended.failed:
            self.happened("HookFailed", f"Job {job} failed: {ended.why}")
        return None

    def _jobs(self, when: hooks.When) -> list[Manifest]:
        found = made.jobs(self.client, self.one.namespace, self.one.name, when)
        return [one for one in found if self.identity.owns(one)]
