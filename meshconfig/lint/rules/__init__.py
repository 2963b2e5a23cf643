"""One module a rule, each with `RULE`; `meshconfig.lint.registry` finds them here."""
