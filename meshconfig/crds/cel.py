"""One rule in CEL, as `x-kubernetes-validations` has it, and the parts that several rules share.

Source: https://kubernetes.io/docs/reference/using-api/cel/
"""

from dataclasses import dataclass
from typing import Any

# A pattern of what is wrong is shorter than that of a label, and so it costs less. It leaves the length out.
_NO_LABEL = "matches('^-|-$|[^-a-z0-9]')"
SOME_SHARE = "at least one weight has to be above 0"


@dataclass(frozen=True, slots=True)
class CelRule:
    """One rule.

    Parameters:
        holds: an expression over `self`, the value of the model, that is true where the value is good.
        message: what is wrong where it is false.
        field: the field of the model that the error names, such as `.use`; empty for the model's value as a whole.
        naming: an expression for a message that has the name it is about, in place of `message`.
    """

    holds: str
    message: str
    field: str = ""
    naming: str = ""

    def written(self) -> dict[str, str]:
        """As the schema has it."""
        found = {"rule": self.holds, "message": self.message}
        found |= {"messageExpression": self.naming} if self.naming else {}
        return found | ({"fieldPath": self.field} if self.field else {})


def alone(field: str, *others: str) -> str:
    """That none of the others is given beside a field."""
    return f"!has(self.{field}) || !({' || '.join(f'has(self.{one})' for one in others)})"


def needs(field: str, other: str) -> str:
    """That another field is given where this one is."""
    return f"!has(self.{field}) || has(self.{other})"


def labels(field: str) -> CelRule:
    """That the keys of a map are DNS labels."""
    words = "is not a DNS label: lower-case letters, digits and -, at most 63 characters"
    return CelRule(
        f"self.{field}.all(one, !one.{_NO_LABEL})",
        f"a name {words}",
        f".{field}",
        f"self.{field}.filter(one, one.{_NO_LABEL})[0] + ' {words}'",
    )


def some_share(field: str) -> CelRule:
    """That one of the shares in an optional map is above 0."""
    return CelRule(f"!has(self.{field}) || self.{field}.exists(one, self.{field}[one] > 0)", SOME_SHARE, f".{field}")


Rules = dict[str, tuple[CelRule, ...]]  # by the name of the model


def as_schema(rules: tuple[CelRule, ...]) -> dict[str, Any]:
    return {"x-kubernetes-validations": [rule.written() for rule in rules]} if rules else {}
