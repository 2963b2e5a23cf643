"""What the direct flow and the consistent change have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from meshconfig.cluster.objects import Key, Manifest, State
from meshconfig.cluster.plan.difference import Difference
from meshconfig.cluster.plan.parts import Parts
from meshconfig.cluster.plan.steps import Draft, Wait


@dataclass(frozen=True, slots=True)
class Flow:
    """A change to be planned; `live` and `wanted` are those of `difference`, whole."""

    live: State
    wanted: State
    difference: Difference
    baseline: str
    depth: Mapping[str, int]

    @property
    def before(self) -> Parts:
        return self.difference.live

    @property
    def after(self) -> Parts:
        return self.difference.wanted

    @property
    def autoscalers(self) -> tuple[Manifest, ...]:
        return tuple(self.after.others.values())

    def entries(self, title: str, why: str, virtual_services: Iterable[Manifest]) -> Draft:
        """Entries that lead elsewhere, and those that go: a Gateway after its VirtualService."""
        return Draft(
            title,
            why,
            waves=(tuple(self.after.gateways.values()), tuple(virtual_services)),
            deletes=(*gone(self.before.entries, self.after.entries), *gone(self.before.gateways, self.after.gateways)),
            after=Wait.BARRIER,
            alters=True,
        )

    def last(self) -> tuple[Draft, Draft]:
        """What no route leads to any more."""
        return (
            Draft(
                "subsets: what is left over goes",
                "no route leads there any more",
                waves=(tuple(self.after.rules.values()),),
                deletes=gone(self.before.rules, self.after.rules),
                after=Wait.BARRIER,
                barrier=False,
            ),
            Draft(
                "autoscalers that are left over go",
                "their versions get no requests any more",
                deletes=gone(self.before.others, self.after.others),
                barrier=False,
            ),
        )


def gone(before: Mapping[Key, Manifest], after: Mapping[Key, Manifest]) -> tuple[Key, ...]:
    return tuple(name for name in before if name not in after)
