"""`kind: LocalMesh`: the processes that stand for each version of each service on this machine."""

import shlex
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from meshconfig.spec.base import DnsLabel, ObjectMeta, PortNumber, Strict


def _words(value: Any) -> Any:
    """A command as a shell would read it; a list is taken as it is."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    try:
        return tuple(shlex.split(value))
    except ValueError as error:
        raise ValueError(f"not a command line: {str(error).lower()}") from None


Command = Annotated[tuple[str, ...], BeforeValidator(_words, json_schema_input_type=str | list[str])]
Address = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$")]


class Workload(Strict):
    """One version's process: a `command` that graylane starts, or the `address` of one that runs already.

    In a command and in `env`, `{port}` is the free port that the process is to listen on, `{SERVICE}` the address at
    which the mesh answers for that service (`http://127.0.0.1:PORT`), and `{{` a brace. The first word `python` is the
    Python that runs graylane.
    """

    command: Command | None = None
    env: dict[str, str] = {}
    address: Address | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Workload":
        if (self.command is None) == (self.address is None):
            raise ValueError("takes one of command and address")
        if self.command is not None and not self.command:
            raise ValueError("the command is empty")
        if self.address is not None and self.env:
            raise ValueError("env has no effect on a process that runs already")
        return self

    @property
    def host_and_port(self) -> tuple[str, int]:
        host, _, port = (self.address or "").rpartition(":")
        return host.strip("[]"), int(port or 0)


class LocalMeshSpec(Strict):
    """`workloads`: by service and version. `ports`: where the mesh answers for a service, `gatewayPort`: for outside.

    Without a number, any free port is taken. `examplePath` is the path that `local up` shows in its curl lines.
    """

    workloads: Annotated[dict[str, dict[DnsLabel, Workload]], Field(min_length=1)]
    ports: dict[str, PortNumber] = {}
    gateway_port: PortNumber | None = None
    example_path: Annotated[str, StringConstraints(pattern="^/")] = "/"


class LocalMesh(Strict):
    """How one group runs on this machine; `metadata` names the LaneGroup that it belongs to."""

    api_version: Literal["graylane/v1"]
    kind: Literal["LocalMesh"]
    metadata: ObjectMeta
    spec: LocalMeshSpec
