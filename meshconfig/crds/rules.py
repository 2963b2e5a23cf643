"""Rules in CEL for what a schema cannot say: the checks of the models, and those of `compile` as far as costs allow.

A rule stands at the model of whose fields it speaks. One about names in several parts of a group stands at its spec.
`tests/cluster/test_crds.py` holds the rules against the models; `tests/support/wrong_objects.py` has what no rule says.
"""

from meshconfig.crds import group_rules, preview_rules, rollout_rules, service_rules
from meshconfig.crds.cel import Rules

RULES: Rules = {**group_rules.RULES, **service_rules.RULES, **rollout_rules.RULES, **preview_rules.RULES}
