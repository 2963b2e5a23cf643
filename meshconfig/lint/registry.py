"""The registry of rules: each module in `meshconfig.lint.rules` contains one."""

import importlib
import pkgutil
from functools import lru_cache

from meshconfig.errors import InputError, nearest
from meshconfig.lint import rules as package
from meshconfig.lint.rule import Rule


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """Every rule, sorted by code."""
    modules = (
        importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__)
    )
    return tuple(sorted((module.RULE for module in modules), key=lambda rule: rule.code))


def rule(code: str) -> Rule:
    """The rule with a code, which may be in lower case.

    Raises:
        InputError: no rule has the code; the message suggests a similar one.
    """
    known = {one.code: one for one in rules()}
    if code.upper() not in known:
        raise InputError.at(code, f"no rule has this code{nearest(code.upper(), known)}")
    return known[code.upper()]
