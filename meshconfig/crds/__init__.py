"""graylane's kinds as a cluster's API: CustomResourceDefinitions, made from the models of a spec. No I/O here.

models → JSON Schema (`spec.json_schema`) → structural schema + bounds + rules in CEL → CustomResourceDefinition
"""

from meshconfig.crds.definitions import definitions

__all__ = ["definitions"]
