"""The Jobs of a preview lane: one before its Pods are made, one after they are gone, from a CronJob's template.

A Job's name has the lane's, and a digest of the Lane object's uid: another Lane of the same name has Jobs of its own.
"""

import hashlib
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from meshconfig.cluster.objects import Manifest
from meshconfig.preview.clone import LaneIdentity

When = Literal["before", "after"]
HOOK = "graylane.dev/hook"  # label: before or after
KEPT = 86_400  # seconds that the Job after the end stays, for its log
_LONGEST = 63  # characters of a Job's name, which is a label of its Pods
Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a Job has ended. `why` is empty unless it has failed."""

    ended: bool
    failed: bool = False
    why: str = ""


def job_name(lane: LaneIdentity, when: When) -> str:
    tail = f"-{when}-{hashlib.sha256(lane.uid.encode()).hexdigest()[:8]}"
    return lane.name[: _LONGEST - len(tail)].rstrip("-") + tail


def is_template(cron_job: Manifest) -> bool:
    """Whether a platform team meant a CronJob as a hook: one that never runs by itself."""
    return bool(cron_job["spec"].get("suspend"))


def job(cron_job: Manifest, lane: LaneIdentity, when: When) -> Manifest:
    """The Job of a lane. All its containers get GRAYLANE_LANE, GRAYLANE_GROUP and GRAYLANE_HOOK.

    Parameters:
        cron_job: its `spec.jobTemplate` is the template.
    """
    template: Value = deepcopy(cron_job["spec"]["jobTemplate"])
    metadata, spec = template.get("metadata") or {}, template["spec"]
    # The first one is asked for as long as its lane is there; the other one is kept for people, and for them alone.
    spec.pop("ttlSecondsAfterFinished", None)
    spec |= {"ttlSecondsAfterFinished": KEPT} if when == "after" else {}
    spec.pop("suspend", None)
    pod = spec["template"]["spec"]
    for one in (*(pod.get("initContainers") or ()), *(pod.get("containers") or ())):
        _tell(one, {"GRAYLANE_LANE": lane.name, "GRAYLANE_GROUP": lane.group, "GRAYLANE_HOOK": when})
    about = {
        "name": job_name(lane, when),
        "namespace": cron_job["metadata"]["namespace"],
        "labels": {**(metadata.get("labels") or {}), **lane.labels(), HOOK: when},
        "annotations": {**(metadata.get("annotations") or {}), **lane.annotations()},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": spec}


def _tell(container: Value, values: dict[str, str]) -> None:
    there = [one for one in container.get("env") or () if one.get("name") not in values]
    container["env"] = [{"name": name, "value": value} for name, value in values.items()] + there


def outcome(found: Manifest) -> Outcome:
    """Source: Kubernetes, batch/v1 JobStatus: a finished Job has the condition Complete or Failed."""
    for one in (found.get("status") or {}).get("conditions") or ():
        if one.get("status") == "True" and one.get("type") in ("Complete", "Failed"):
            failed = one["type"] == "Failed"
            return Outcome(True, failed, str(one.get("message") or one.get("reason") or "") if failed else "")
    return Outcome(False)
