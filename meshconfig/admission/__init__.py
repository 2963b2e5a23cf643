"""What the API server and istiod's webhook refuse in Istio's resources, said without a cluster.

Two halves: `schema` has the fields and types of Istio's CRDs, by a table that is made from them; the other modules have
the rules of istiod's webhook, one module for each kind.
"""

from meshconfig.admission.check import check, is_checked
from meshconfig.admission.refusals import Kind, Refusal

__all__ = ["Kind", "Refusal", "check", "is_checked"]
