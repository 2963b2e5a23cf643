"""Finds mistakes in specs and in Istio resources of any origin. Each kind of mistake has a stable code."""

from meshconfig.lint.finding import Finding, Level
from meshconfig.lint.index import Index
from meshconfig.lint.registry import rule, rules
from meshconfig.lint.rule import Hit, Rule
from meshconfig.lint.run import index, lint

__all__ = ["Finding", "Hit", "Index", "Level", "Rule", "index", "lint", "rule", "rules"]
