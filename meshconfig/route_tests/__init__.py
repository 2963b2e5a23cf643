"""Tests of routing: what specs, manifests or a real gateway make of requests, compared with what is expected.

documents → read (cases) → resolve (hosts and versions of their names) → check (simulated)
                                                                     → send, sent (real answers) → Result → junit
"""

from meshconfig.route_tests.check import Checked, check
from meshconfig.route_tests.junit import junit
from meshconfig.route_tests.read import KIND, WrittenCase, cases
from meshconfig.route_tests.resolve import ResolvedCase, resolve
from meshconfig.route_tests.result import Result

__all__ = ["KIND", "Checked", "ResolvedCase", "Result", "WrittenCase", "cases", "check", "junit", "resolve"]
