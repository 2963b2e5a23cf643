"""The `status` of graylane's objects, which the controller writes: structural schemas."""

from typing import Any

Schema = dict[str, Any]
MOST = 1 << 20  # bytes of a part that is kept whole; etcd takes about 1.5 MB for an object


def _text(description: str, longest: int = 1000) -> Schema:
    return {"type": "string", "maxLength": longest, "description": description}


def _number(description: str, least: int = 0) -> Schema:
    return {"type": "integer", "minimum": least, "description": description}


def _time(description: str) -> Schema:
    return {"type": "string", "format": "date-time", "description": description}


def _names(description: str, most: int) -> Schema:
    items = {"type": "string", "maxLength": 253}
    return {"type": "array", "maxItems": most, "items": items, "description": description}


def _object(description: str, fields: Schema, required: tuple[str, ...] = ()) -> Schema:
    found = {"type": "object", "description": description}
    return {**found, **({"required": list(required)} if required else {}), "properties": fields}


# Kubernetes, apimachinery meta/v1 Condition, with its bounds.
_CONDITION = {
    "type": "object",
    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
    "properties": {
        "type": _text("What it is about, such as Ready.", 316),
        "status": {"type": "string", "enum": ["True", "False", "Unknown"], "description": "Whether it holds."},
        "observedGeneration": _number("Generation of the object that it is about."),
        "lastTransitionTime": _time("When its status changed last."),
        "reason": {
            **_text("Why, in one word.", 1024),
            "minLength": 1,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        },
        "message": _text("Why, in a sentence.", 32768),
    },
}
_OBSERVED = {
    "observedGeneration": _number("Generation of the object that the controller has seen last."),
    "conditions": {
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": _CONDITION,
        "description": "Ready, and while they hold Reconciling, Stalled and Drifted.",
    },
}
_CHANGE = {
    "steps": _number("Number of its steps."),
    "step": _number("Step that is carried out, from 1."),
    "title": _text("What the step does."),
    "waitingFor": {**_names("What the step waits for.", 100), "items": {"type": "string", "maxLength": 1000}},
}
LANE_GROUP = _object(
    "What the controller has made of the group.",
    {
        **_OBSERVED,
        "revision": _number("Number of the group's last revision in its history."),
        "lanes": _names("Lanes whose routes are there.", 1000),
        "rollouts": _names("Rollouts that lie over the spec.", 100),
        "change": _object("Plan that is carried out. Absent where nothing is under way.", _CHANGE),
    },
)

_OF_A_LOG = {
    "number": _number("Number of the transition, from 1.", 1),
    "at": _time("When it happened."),
    "who": _text("Who caused it."),
    "action": _text("What was done."),
    "phase": _text("Phase after it.", 63),
    "stage": _text("Stage after it.", 253),
    "step": _number("Step after it."),
    "weight": _number("Weight of the new versions after it, in percent."),
    "why": _text("Reason.", 10_000),
}
_OF_A_METRIC = {
    "metric": _text("Name of the metric.", 63),
    "service": _text("Service that was measured.", 63),
    "answer": _text("pass, fail, or why there is neither.", 63),
    "value": {"type": "number", "description": "Number that was measured."},
    "why": _text("Reason.", 10_000),
}
_PODS = {"type": "object", "maxProperties": 100, "additionalProperties": {"type": "integer", "minimum": 0}}
ROLLOUT = _object(
    "How far the rollout is. The controller writes it, and goes on from it.",
    {
        **_OBSERVED,
        "group": _text("LaneGroup that it moves services of.", 63),
        "phase": _text("Phase: Pending, Progressing, Paused, Succeeded and others.", 63),
        "stage": _text("What it does at the moment.", 253),
        "step": _number("Step that it is at, from 0."),
        "steps": _number("Number of its steps."),
        "weight": _number("Share of the new versions, in percent."),
        "why": _text("Why it is at this stage.", 10_000),
        "since": _time("Since when it is at this stage."),
        "until": _time("When the pause or the analysis ends, or the time for which the old versions are kept."),
        "pods": {
            "type": "object",
            "maxProperties": 1000,
            "additionalProperties": _PODS,
            "description": "Wanted Pods of each version, by service.",
        },
        "metrics": {
            "type": "object",
            "maxProperties": 1000,
            "additionalProperties": {"type": "object", "properties": _OF_A_METRIC},
            "description": "Last measurement of each metric.",
        },
        "log": {
            "type": "array",
            "maxItems": 1000,
            "items": {"type": "object", "properties": _OF_A_LOG},
            "description": "Transitions, the last one at the end.",
        },
        "state": _text("State of the rollout as JSON, from which any controller goes on.", MOST),
        "base": _text("Spec of the group from before the rollout, packed by gzip, in base64.", MOST),
    },
)
_OF_A_VERSION = {
    "service": _text("Service of the group.", 63),
    "labels": {
        "type": "object",
        "maxProperties": 100,
        "additionalProperties": {"type": "string", "maxLength": 63},
        "description": "Labels of the version's Pods.",
    },
}
LANE = _object(
    "How far the preview lane is. The controller writes it.",
    {
        **_OBSERVED,
        "phase": {
            "type": "string",
            "enum": ["Pending", "Ready", "Ending", "Failed"],
            "description": "Pending, Ready (requests with the tag reach it), Ending, or Failed until a person acts.",
        },
        "expires": _time("When the controller deletes the lane."),
        "link": _text("Address that puts a browser into the lane, where an entry of the group has links or laneHosts."),
        "readySince": _time("When the lane was ready for the first time."),
        "versions": {
            "type": "array",
            "maxItems": 1000,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["service"],
            "items": {"type": "object", "required": ["service"], "properties": _OF_A_VERSION},
            "description": "Versions of the lane that are routed, or are about to be.",
        },
        "namespaces": _names("Namespaces besides its own where Deployments were made for it.", 100),
    },
)
