"""A resource with what its schema refuses put right or left out, so that Istio's own rules can judge the rest of it."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

from meshconfig.admission.refusals import FieldPath, Kind, Refusal, Refusals
from meshconfig.admission.schema import Node

# Kinds of which the whole value is refused; of the others it stays.
_REPLACED = (Kind.UNKNOWN_FIELD, Kind.WRONG_TYPE, Kind.BAD_VALUE)
_NEUTRAL = {"object": {}, "map": {}, "array": [], "string": "x", "boolean": False}
_FOLLOWING = (Kind.MISSING, Kind.ZERO_WEIGHTS)
_NEAR = 2  # levels between a part that is missing and the misspelt field that may be it


def repaired(root: Node, manifest: Any, refusals: Iterable[Refusal]) -> Any:
    """A copy of a manifest that has only fields and types of its schema."""
    value = deepcopy(manifest)
    # The innermost first: what is around it may be replaced later.
    paths = {one.path for one in refusals if one.kind in _REPLACED and one.path}
    for path in sorted(paths, key=len, reverse=True):
        _replace(root, value, path)
    return value


def _replace(root: Node, value: Any, path: FieldPath) -> None:
    node: Node | None = root
    for part in path[:-1]:
        value, node = value[part], node.below(part) if node else None
    last = path[-1]
    own = node.below(last) if node else None
    meant = _meant(own, value[last]) if own else None
    if meant is not None:
        value[last] = meant
    elif isinstance(value, list):
        value[int(last)] = deepcopy(_NEUTRAL.get(own.wanted, 1)) if own else None
    else:
        del value[last]


def _meant(node: Node, value: Any) -> Any:
    """The value that was probably meant, such as a list of one for the one; None if nothing suggests itself."""
    guess: Any = None
    if node.wanted == "array" and not isinstance(value, list):
        guess = [value]
    elif node.wanted == "string" and isinstance(value, int | float):
        guess = str(value)
    elif node.wanted in ("integer", "number") and isinstance(value, str) and value.lstrip("-").isdecimal():
        guess = int(value)
    out = Refusals()
    if guess is not None:
        node(guess, None, out)
    return None if out.found else guess


class Consequences:
    """The refusals by Istio's rules that only follow from one by the schema: on the same value, or for want of it."""

    def __init__(self, earlier: Sequence[Refusal]) -> None:
        replaced = [one.path for one in earlier if one.kind in _REPLACED]
        self._replaced = set(replaced)
        self._around = {path[: len(path) - levels] for path in replaced for levels in range(_NEAR + 1)}
        self._kept = {(one.kind, one.path) for one in earlier if one.kind not in _REPLACED}

    def __contains__(self, refusal: Refusal) -> bool:
        path = refusal.path
        if (refusal.kind, path) in self._kept or (refusal.kind in _FOLLOWING and path in self._around):
            return True
        return any(path[:length] in self._replaced for length in range(1, len(path) + 1))
