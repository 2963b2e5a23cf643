"""Manifests in the styles in which other people write them, each with requests to ask: see `cases`.

Every case has hosts, Services and Gateways of its own, so that all of them may be applied at once. The Pods behind are
few: `web` in versions v1 and v2, `api` in v1, and one sender in each of two namespaces.
"""

from functools import cache

import foreign_gateway_styles
import foreign_mesh_styles
from foreign_manifests import Case


@cache
def cases() -> list[Case]:
    """All cases, in the order of their families."""
    families = (*foreign_gateway_styles.FAMILIES, *foreign_mesh_styles.FAMILIES)
    return [case for family in families for case in family()]
