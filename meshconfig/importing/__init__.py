"""Turns existing resources of Istio into a spec, and compares what both do to requests. Pure.

resources → tables (a VirtualService as mesh and Gateways see it; said: what a spec cannot say. gateway_api: HTTPRoutes
            as such VirtualServices; merged: what stands for them)
          → mesh, entries, services (what they say of a group) → fit (until all that is left can be said)
          → lanes, spec (the document) → text (YAML with comments)
replaced: the resources whose place the group takes
requests, samples → proof: the same requests to both, and where the answers differ
"""

from meshconfig.importing.fit import Fitted, NothingToSayError
from meshconfig.importing.importer import Imported, import_group, in_place
from meshconfig.importing.proof import Difference, Proof, compare
from meshconfig.importing.replaced import replaced
from meshconfig.importing.said import Unsaid
from meshconfig.importing.tables import asks_for, tables

__all__ = [
    "Difference",
    "Fitted",
    "Imported",
    "NothingToSayError",
    "Proof",
    "Unsaid",
    "asks_for",
    "compare",
    "import_group",
    "in_place",
    "replaced",
    "tables",
]
