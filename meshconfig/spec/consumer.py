"""Who consumes the messages of a topic: the consumer group or queue of each version."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, StringConstraints

from meshconfig.spec.base import DnsLabel, Strict, WorkloadName, said

if TYPE_CHECKING:
    from meshconfig.spec.group import LaneGroup

Broker = Literal["kafka", "rabbitmq", "sqs"]
_NAME = said(r"^[^\s\x00-\x1f\x7f]+$", "the name of a topic, group or queue, without spaces")
BrokerName = Annotated[str, StringConstraints(pattern=_NAME, max_length=255)]


class ConsumerVersion(Strict):
    """The consumers of one version: their group or queue, and their Deployment (`workload` or CONSUMER-VERSION)."""

    name: BrokerName
    workload: WorkloadName | None = None


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Consumer(Strict):
    """Those who consume one topic; a lane's messages go to the version that the lane selects, else to the baseline's.

    `topic`: Kafka's topic, RabbitMQ's exchange or queue, SQS's queue, as producers name it.
    """

    kind: Broker = "kafka"
    topic: BrokerName
    versions: Annotated[
        dict[
            DnsLabel, Annotated[ConsumerVersion, BeforeValidator(_named, json_schema_input_type=str | ConsumerVersion)]
        ],
        Field(min_length=1),
    ]


class ConsumerInGroup(NamedTuple):
    """A consumer together with its group, as `LaneGroup.consumer` returns it. Names may not exist, as of services."""

    name: str
    spec: Consumer
    group: "LaneGroup"

    @property
    def baseline(self) -> str:
        """The version for messages without a lane of their own consumers."""
        return self._selected(self.group.spec.tag.default)

    def version_in(self, lane: str) -> str | None:
        """The lane's own version; None where it has none, so that the baseline's consumers take its messages."""
        version = self._selected(lane)
        return version if version in self.spec.versions else None

    def names(self) -> Iterator[tuple[str, str]]:
        """The group or queue of each lane that has a version of its own, sorted by lane."""
        for lane in sorted(self.group.spec.lanes):
            if (version := self.version_in(lane)) is not None:
                yield lane, self.spec.versions[version].name

    def workload(self, version: str) -> str:
        """The name of a version's Deployment: `workload` in the spec, else CONSUMER-VERSION."""
        return self.spec.versions[version].workload or f"{self.name}-{version}"

    def _selected(self, lane: str) -> str:
        return self.group.spec.lanes[lane].versions.get(self.name, lane)
